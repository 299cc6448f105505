/** How long the door's thread would be held by reading a call's message: what is used as it came takes no time, all else does. */

import type { TensorInfo } from "../../tensors/index.ts";

/** Fields whose content lies in the message as in a tensor ("plain"), or that hold such fields. Others are taken apart, value by value. */
type Fields = { readonly [number: number]: Fields | "plain" };

type Method = {
  fields: Fields;
  /** Nanoseconds for each byte that is taken apart: of the dearest shape, processor time of a busy core, Node 24.21. */
  ns: number;
};

/** Strings of no bytes, two bytes each, and numbers each for itself: 50 to 160 ns a byte. Examples: 120, a map for each. */
const METHODS: ReadonlyMap<string, Method> = new Map([
  // raw_input_contents; of inputs the contents, and of these fp32_contents and fp64_contents
  ...["ModelInfer", "ModelStreamInfer"].map((name): [string, Method] => [
    `/inference.GRPCInferenceService/${name}`,
    { fields: { 5: { 5: { 6: "plain", 7: "plain" } }, 7: "plain" }, ns: 90 },
  ]),
  // of inputs the value, and of this tensor_content, float_val and double_val
  [
    "/tensorflow.serving.PredictionService/Predict",
    { fields: { 2: { 2: { 4: "plain", 5: "plain", 6: "plain" } } }, ns: 160 },
  ],
  ...["Classify", "Regress", "MultiInference"].map((name): [string, Method] => [
    `/tensorflow.serving.PredictionService/${name}`,
    { fields: {}, ns: 120 },
  ]),
]);

/** So many fields are looked at; each is followed by others that are as small, for all that is known. */
const MOST_FIELDS = 256;

/** What a look at each byte that is used as it came takes, in nanoseconds: those of BOOL and of strings must be what they say. */
export const checkedNs = (inputs: readonly Pick<TensorInfo, "datatype">[]): number => {
  if (inputs.some(({ datatype }) => datatype === "BOOL")) return 16;
  return inputs.some(({ datatype }) => datatype === "BYTES") ? 5 : 0;
};

/**
 * Undefined for a method whose messages are always short.
 * @param plainNs for each byte that is used as it came
 */
export const messageMs = (path: string, message: Uint8Array, plainNs: number): number | undefined => {
  const method = METHODS.get(path);
  if (method === undefined) return undefined;
  const plain = plainBytes(message, 0, message.length, method.fields, { left: MOST_FIELDS });
  return ((message.length - plain) * method.ns + plain * plainNs) * 1e-6;
};

const plainBytes = (bytes: Uint8Array, from: number, to: number, fields: Fields, budget: { left: number }): number => {
  let plain = 0;
  let at = from;
  /** A varint below 2^35, at `at`; NaN where there is none. */
  const varint = (): number => {
    let value = 0;
    for (let factor = 1; factor <= 2 ** 28; factor *= 128) {
      const byte = at < to ? (bytes[at++] ?? 0) : Number.NaN;
      value += (byte % 128) * factor;
      if (!(byte >= 128)) return value;
    }
    return Number.NaN;
  };
  while (at < to && budget.left-- > 0) {
    const tag = varint();
    const kind = tag % 8;
    if (kind === 2) {
      const length = varint();
      const end = at + length;
      // what is cut off is refused, which takes no time
      if (!(end <= to)) return plain;
      const inner = fields[Math.floor(tag / 8)];
      if (inner === "plain") plain += length;
      else if (inner !== undefined) plain += plainBytes(bytes, at, end, inner, budget);
      at = end;
    } else if (kind === 0) {
      while (at < to && (bytes[at] ?? 0) >= 128) at++;
      at++;
    } else if (kind === 1) at += 8;
    else if (kind === 5) at += 4;
    else return plain;
  }
  return plain;
};
