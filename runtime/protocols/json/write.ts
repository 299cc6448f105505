import { elementCount, elements, type Tensor } from "../../tensors/index.ts";
import { stringStarts } from "../../tensors/strings.ts";
import { shortest, writeFloat } from "./float.ts";
import { type NotFinite, writeNotFinite } from "./not-finite.ts";
import { writeLarge } from "./write-large.ts";

/** A text in pieces, to be sent one after another: of a few elements one string, of many numbers chunks of bytes. */
export type JsonText = (string | Uint8Array)[];

/** Up to here a string is as cheap as bytes, and can be joined with what stands around it. */
const FEW = 64;

/** A tensor's elements as a flat JSON list; floats as the shortest text that gives them back, NaN and infinities bare. */
export const writeFlat = (tensor: Tensor, notFinite: NotFinite = "bare"): JsonText =>
  write(tensor, [elementCount(tensor.shape) ?? 0], false, notFinite);

/**
 * A tensor as lists nested by its shape; a shape of [] is the bare value.
 * @param base64 whether elements of BYTES are written as {"b64": "…"}
 */
export const writeNested = (tensor: Tensor, base64 = false, notFinite: NotFinite = "bare"): JsonText =>
  write(tensor, tensor.shape, base64, notFinite);

/** Adds a text to others; neighbouring strings become one. */
export const append = (to: JsonText, text: JsonText): void => {
  for (const part of text) {
    const last = to.at(-1);
    if (typeof part === "string" && typeof last === "string") to[to.length - 1] = last + part;
    else to.push(part);
  }
};

const write = (tensor: Tensor, shape: readonly number[], base64: boolean, notFinite: NotFinite): JsonText => {
  const large = (elementCount(shape) ?? 0) > FEW ? writeLarge(tensor, shape, base64, notFinite) : undefined;
  return large ?? [nest(writerOf(tensor, base64, notFinite), shape, 0, 0)];
};

type Write = (index: number) => string;

const join = (write: Write, from: number, to: number): string => {
  let text = from < to ? write(from) : "";
  for (let i = from + 1; i < to; i++) text += `,${write(i)}`;
  return text;
};

const nest = (write: Write, shape: readonly number[], axis: number, from: number): string => {
  const size = shape[axis];
  if (size === undefined) return write(from);
  if (axis === shape.length - 1) return `[${join(write, from, from + size)}]`;
  const step = elementCount(shape.slice(axis + 1)) ?? 0;
  const parts = Array.from({ length: size }, (_, i) => nest(write, shape, axis + 1, from + i * step));
  return `[${parts.join(",")}]`;
};

const writerOf = ({ datatype, bytes, shape }: Tensor, base64: boolean, notFinite: NotFinite): Write => {
  if (datatype === "FP16") throw new Error("FP16 has no JSON form");
  if (datatype === "BYTES") {
    const starts = stringStarts(bytes, elementCount(shape) ?? 0) ?? new Uint32Array();
    const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const text = (index: number, encoding: "utf8" | "base64"): string =>
      all.toString(encoding, starts[index], (starts[index + 1] ?? 0) - 4);
    return base64 ? (index) => `{"b64":"${text(index, "base64")}"}` : (index) => JSON.stringify(text(index, "utf8"));
  }
  const array = elements(datatype, bytes);
  if (datatype === "BOOL") return (index) => (array[index] === 1 ? "true" : "false");
  const float = (value: number): string =>
    Number.isFinite(value) ? writeFloat(value) : writeNotFinite(value, notFinite);
  if (datatype === "FP32") return (index) => float(shortest(Number(array[index])));
  if (datatype === "FP64") return (index) => float(Number(array[index]));
  return (index) => String(array[index]);
};
