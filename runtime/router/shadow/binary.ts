/** Tensors whose elements lie in an answer as their bytes. Pure. */
import { bytesOf, DATATYPES, elementCount, isDatatype, type Tensor } from "../../tensors/index.ts";

/**
 * BF16 becomes FP32, which holds it exactly. What is of a type that nothing here computes with becomes its bytes: equal, or not.
 *
 * @throws Error where there are more or fewer bytes than the shape says
 */
export const tensorOfBytes = (name: string, declared: string, shape: readonly number[], bytes: Uint8Array): Tensor => {
  const count = elementCount(shape);
  if (count === undefined || shape.some((size) => size < 0))
    throw new Error(`output "${name}" has the shape [${shape.slice(0, 16)}]`);
  const check = (size: number): void => {
    if (bytes.length !== size * count) throw new Error(`output "${name}" has other bytes than its shape says`);
  };
  if (declared === "BF16") {
    check(2);
    return { datatype: "FP32", shape, bytes: widened(bytes) };
  }
  if (!isDatatype(declared)) return opaque(shape, bytes);
  if (declared === "BYTES") checkStrings(name, bytes, count);
  else check(DATATYPES[declared].bytes);
  return { datatype: declared, shape, bytes };
};

/** Its bytes in a row for each of the first dimension, where they can be divided so. */
export const opaque = ([rows = 1]: readonly number[], bytes: Uint8Array): Tensor => {
  const isDivided = rows > 0 && bytes.length % rows === 0;
  return { datatype: "UINT8", shape: isDivided ? [rows, bytes.length / rows] : [bytes.length], bytes };
};

/** The upper half of an FP32 is a BF16. */
const widened = (bytes: Uint8Array): Uint8Array => {
  const wide = new Uint16Array(bytes.length);
  for (let i = 0; i < bytes.length; i += 2) wide[i + 1] = (bytes[i] ?? 0) | ((bytes[i + 1] ?? 0) << 8);
  return bytesOf(wide);
};

const checkStrings = (name: string, bytes: Uint8Array, count: number): void => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let [at, found] = [0, 0];
  for (; at + 4 <= bytes.length && found < count; found++) at += 4 + view.getUint32(at, true);
  if (at !== bytes.length || found !== count) throw new Error(`output "${name}" has other strings than its shape says`);
};
