import { invalid } from "../../errors/request-error.ts";
import { fits } from "../../inference/inputs.ts";
import type { TensorInfo } from "../../tensors/index.ts";

/** `["a", "b"]` as `"a", "b"`. */
export const quoted = (names: Iterable<string>): string => [...names].map((name) => `"${name}"`).join(", ");

export const showShape = (shape: readonly (number | null)[]): string => `[${shape.map((size) => size ?? -1)}]`;

/** A name out of a request, in quotes and no longer than a message may be. */
export const shown = (name: string): string => JSON.stringify(name.length > 100 ? `${name.slice(0, 100)}…` : name);

/** Throws a RequestError where a tensor of this shape is none for the input. `hint`: what its message adds. */
export const checkShape = (info: TensorInfo, shape: readonly number[], hint = ""): void => {
  if (fits(info, shape)) return;
  const given = shape.length > 64 ? `${shape.length} dimensions` : showShape(shape);
  const wanted = `${showShape(info.shape)} (-1: any size)`;
  throw invalid(`input "${info.name}": shape is ${given}, the model wants ${wanted}${hint}`);
};

export const unknownInput = (name: string, inputs: readonly TensorInfo[]) =>
  invalid(`input ${shown(name)} is unknown; the model's inputs are ${quoted(inputs.map((info) => info.name))}`);
