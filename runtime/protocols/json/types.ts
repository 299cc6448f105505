import type { Datatype } from "../../tensors/index.ts";

/** A JSON value. Where a tensor was read it stands as `Tensor`; where a value was left for later, as its bytes. */
export type JsonValue = unknown;

/** Where a value stands: keys and indices from the root. One array for the whole document, so copy what is kept. */
export type Path = readonly (string | number)[];

/** How to read a value as a tensor. */
export type TensorSpec = {
  /** What messages begin with, such as `input "x"`. */
  label: string;
  datatype: Datatype;
  /**
   * The declared shape: the value must be a list, flat or nested just as the shape is. Undefined: the shape is that of the
   * nesting (a bare number or string has the shape []), which must be regular.
   */
  shape: readonly number[] | undefined;
  /** Of BYTES: whether an element may be `{"b64": "…"}`, whose bytes may be any but NUL and what is not UTF-8. */
  base64?: boolean;
};

/**
 * Asked once for each value of an object or list, before it is read. Undefined: read it as usual. "later": skip it (it is
 * checked to be JSON only when it is read) and hold its bytes, for `parseTensor`.
 * @param parent the object so far (keys after this one are not there yet), or the list
 * @param first the value's first byte, such as 0x5b for "["
 */
export type Choose = (
  path: Path,
  parent: Readonly<Record<string, JsonValue>> | readonly JsonValue[],
  first: number,
) => TensorSpec | "later" | undefined;
