import { elementCount, type Tensor } from "../../tensors/index.ts";

// How long the door's thread would be held, in milliseconds, as measured on one core of an AMD EPYC and rounded up: what decides
// whether work is done at once, in a turn of its own, or beside.

/** Reading JSON: 15 ns for each byte. */
export const readingMs = (jsonBytes: number): number => jsonBytes * 15e-6;

/** Writing a tensor as JSON: whole numbers and floats 25 ns each; doubles 250; a string 40 and its bytes. */
export const writingMs = ({ datatype, shape, bytes }: Tensor): number => {
  const count = elementCount(shape) ?? 0;
  if (datatype === "BYTES") return (40 * count + 2 * bytes.length) * 1e-6;
  return count * (datatype === "FP64" || datatype === "UINT64" ? 250e-6 : 25e-6);
};

export const writingAllMs = (outputs: ReadonlyMap<string, Tensor>): number => {
  let ms = 0;
  for (const tensor of outputs.values()) ms += writingMs(tensor);
  return ms;
};

/** More than this is done beside. On busy cores it takes twice as long, and a collection of up to 60 ms may come on top. */
export const BESIDE_MS = 15;
