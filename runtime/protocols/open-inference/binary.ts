import { DATATYPES, type Datatype, type NumericData, type TensorData } from "../../engine/tensors.ts";
import { badRequest } from "./errors.ts";

// The binary tensor data extension: little-endian elements; each element of BYTES is its length (uint32), then its bytes.

/** Reads `count` elements that must fill `bytes` exactly. Numbers are copied once, to where their alignment is right. */
export const readBinaryData = (name: string, datatype: Datatype, bytes: Uint8Array, count: number): TensorData => {
  if (datatype === "BYTES") return readStrings(name, bytes, count);
  const { bytes: width, Array: TypedArray } = DATATYPES[datatype];
  if (bytes.length !== count * width) {
    throw badRequest(
      `input "${name}": its shape wants ${count * width} bytes of ${datatype}, binary_data_size is ${bytes.length}`,
    );
  }
  const copy = new Uint8Array(bytes.length);
  copy.set(bytes);
  if (datatype === "BOOL") {
    const wrong = copy.findIndex((value) => value > 1);
    if (wrong >= 0) throw badRequest(`input "${name}": data[${wrong}] is ${copy[wrong]}, BOOL wants 0 or 1`);
  }
  return new TypedArray(copy.buffer);
};

const readStrings = (name: string, bytes: Uint8Array, count: number): string[] => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const strings: string[] = [];
  let at = 0;
  // each element takes 4 bytes at least, so that no count makes this loop longer than the body
  while (strings.length < count) {
    const index = strings.length;
    if (at + 4 > bytes.length)
      throw badRequest(`input "${name}": its shape wants ${count} strings, the data ends after ${index}`);
    const length = view.getUint32(at, true);
    at += 4;
    if (at + length > bytes.length) {
      throw badRequest(`input "${name}": string ${index} says ${length} bytes, ${bytes.length - at} are left`);
    }
    strings.push(decodeString(name, index, decoder, bytes.subarray(at, at + length)));
    at += length;
  }
  if (at < bytes.length)
    throw badRequest(`input "${name}": ${bytes.length - at} bytes are left over after ${count} strings`);
  return strings;
};

const decodeString = (
  name: string,
  index: number,
  decoder: { decode(bytes: Uint8Array): string },
  bytes: Uint8Array,
): string => {
  // onnxruntime takes UTF-8 and stops at NUL: other bytes would reach the model changed
  if (bytes.includes(0))
    throw badRequest(`input "${name}": string ${index} holds a NUL byte, which cannot be passed on`);
  try {
    return decoder.decode(bytes);
  } catch {
    throw badRequest(`input "${name}": string ${index} is not UTF-8, other bytes cannot be passed on`);
  }
};

/** A tensor's data in the binary form; numbers are not copied. */
export const writeBinaryData = (data: TensorData): Uint8Array => {
  if (!isStrings(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const encoder = new TextEncoder();
  const parts = data.flatMap((text) => {
    const bytes = encoder.encode(text);
    const length = new Uint8Array(4);
    new DataView(length.buffer).setUint32(0, bytes.length, true);
    return [length, bytes];
  });
  return Buffer.concat(parts);
};

const isStrings = (data: NumericData | string[]): data is string[] => Array.isArray(data);
