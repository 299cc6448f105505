import { elementCount, elements, type Tensor } from "../../../runtime/tensors/index.ts";
import { splitStrings } from "../../../runtime/tensors/strings.ts";

/** What ONNX's own runner of these vectors takes (onnx/backend/test/case/test_case.py). */
const RELATIVE = 1e-3;
const ABSOLUTE = 1e-7;

/** How `actual` differs from `expected` by more than ONNX's tolerance, or undefined. */
export const difference = (actual: Tensor | undefined, expected: Tensor): string | undefined => {
  if (actual === undefined) return "is missing";
  if (actual.datatype !== expected.datatype) return `is ${actual.datatype}, not ${expected.datatype}`;
  if (actual.shape.join() !== expected.shape.join()) return `has shape [${actual.shape}], not [${expected.shape}]`;
  const [ours, theirs] = [values(actual), values(expected)];
  if (ours.length !== theirs.length) return `has ${ours.length} elements, not ${theirs.length}`;
  const exact = expected.datatype === "BOOL" || expected.datatype === "BYTES";
  for (const [i, value] of theirs.entries()) {
    const own = ours[i];
    if (own === value || String(own) === String(value)) continue;
    const distance = Math.abs(Number(own) - Number(value));
    // Of an infinite value the tolerance would be infinite too.
    if (!exact && Number.isFinite(Number(value)) && distance <= ABSOLUTE + RELATIVE * Math.abs(Number(value))) continue;
    return `has ${own} at ${i}, not ${value}`;
  }
  return undefined;
};

const values = (tensor: Tensor): (number | bigint | string)[] => {
  if (tensor.datatype === "BYTES")
    return (splitStrings(tensor.bytes, elementCount(tensor.shape) ?? 0) ?? []).map((text) =>
      Buffer.from(text).toString(),
    );
  const array = elements(tensor.datatype, tensor.bytes);
  return Array.from<number | bigint, number | bigint>(array, (value) =>
    tensor.datatype === "FP16" ? fromHalf(Number(value)) : value,
  );
};

/** IEEE 754 binary16. */
const fromHalf = (bits: number): number => {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
};
