import { elementCount, type Tensor } from "../../tensors/index.ts";

/** A string in the process that runs the model: its object, its place in a list, and onnxruntime's own copy. */
export const STRING_BYTES = 100;
/** What is kept of any request besides its tensors: its connection's state, its place in the queue, its promise. */
const REQUEST_BYTES = 2048;

/** The memory that tensors take until they are answered: their bytes, and what each string costs besides its own. */
const tensorCharge = ({ datatype, shape, bytes }: Tensor): number =>
  datatype === "BYTES" ? bytes.length + STRING_BYTES * (elementCount(shape) ?? 0) : bytes.length;

export const chargeOf = (tensors: ReadonlyMap<string, Tensor>): number => {
  let bytes = REQUEST_BYTES;
  for (const tensor of tensors.values()) bytes += tensorCharge(tensor);
  return bytes;
};
