import { invalid } from "../../errors/request-error.ts";
import { boundStrings } from "../../inference/strings.ts";
import { DATATYPES, type Datatype } from "../../tensors/index.ts";
import { wrongStrings } from "../../tensors/strings.ts";

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
  boundStrings(label, count);
  const wrong = wrongStrings(bytes, count);
  if (wrong !== undefined) throw invalid(`${label}: ${wrong}`);
};
