import { isUtf8 } from "node:buffer";
import { invalid } from "../../inference/errors.ts";
import { DATATYPES, type Datatype } from "../../tensors/index.ts";

/**
 * The binary tensor data extension: checks that `bytes` are exactly `count` elements; they are used as they are.
 * @param label what messages begin with, such as `input "x"`
 */
export const checkBinaryData = (label: string, datatype: Datatype, bytes: Uint8Array, count: number): void => {
  if (datatype === "BYTES") {
    checkStrings(label, bytes, count);
    return;
  }
  const wanted = count * DATATYPES[datatype].bytes;
  if (bytes.length !== wanted) {
    throw invalid(`${label}: its shape wants ${wanted} bytes of ${datatype}, there are ${bytes.length}`);
  }
  if (datatype !== "BOOL") return;
  for (let i = 0; i < count; i++) {
    if ((bytes[i] ?? 0) > 1) throw invalid(`${label}: data[${i}] is ${bytes[i]}, BOOL wants 0 or 1`);
  }
};

const checkStrings = (label: string, bytes: Uint8Array, count: number): void => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  // each element takes 4 bytes at least, so that no count makes this loop longer than the body
  for (let index = 0; index < count; index++) {
    if (at + 4 > bytes.length)
      throw invalid(`${label}: its shape wants ${count} strings, the data ends after ${index}`);
    const length = view.getUint32(at, true);
    at += 4;
    if (at + length > bytes.length) {
      throw invalid(`${label}: string ${index} says ${length} bytes, ${bytes.length - at} are left`);
    }
    checkString(label, index, bytes.subarray(at, at + length));
    at += length;
  }
  if (at < bytes.length) throw invalid(`${label}: ${bytes.length - at} bytes are left over after ${count} strings`);
};

/** onnxruntime takes UTF-8 and stops at NUL: other bytes would reach the model changed. */
const checkString = (label: string, index: number, bytes: Uint8Array): void => {
  if (bytes.includes(0)) throw invalid(`${label}: string ${index} holds a NUL byte, which cannot be passed on`);
  if (!isUtf8(bytes)) throw invalid(`${label}: string ${index} is not UTF-8, other bytes cannot be passed on`);
};
