import { DATATYPES, type Datatype, elementCount, elements, floats, type Tensor } from "../../tensors/index.ts";
import { splitStrings } from "../../tensors/strings.ts";

/**
 * How far floats of one value may be apart where runs of other sizes round otherwise, as part of the greatest of its output.
 * Half precision has 11 bits, and a deep model loses half of them. All that is no float must be equal.
 */
const TOLERANCE: Partial<Record<Datatype, number>> = { FP16: 1e-2, FP32: 1e-4, FP64: 1e-6 };

export const toleranceOf = (datatype: Datatype): number | undefined => TOLERANCE[datatype];

/** Whether two values are the same but for rounding. `scale`: the greatest magnitude of that output. */
export const same = (one: Tensor, other: Tensor, scale: number): boolean =>
  one.datatype === other.datatype &&
  one.shape.join() === other.shape.join() &&
  firstApart(one, other, (TOLERANCE[one.datatype] ?? 0) * scale) === undefined;

/** Whether two values are the same to the last bit. */
export const identical = (one: Tensor, other: Tensor): boolean =>
  one.datatype === other.datatype &&
  one.shape.join() === other.shape.join() &&
  Buffer.compare(one.bytes, other.bytes) === 0;

/** The first element, of two values of one type and shape, that is further apart than `most`; undefined where none is. */
export const firstApart = (one: Tensor, other: Tensor, most: number): number | undefined => {
  if (Buffer.compare(one.bytes, other.bytes) === 0) return undefined;
  const [left, right] = [floats(one), floats(other)];
  if (left === undefined || right === undefined) return firstUnequal(one, other);
  for (let i = 0; i < left.length; i++) {
    const value = left[i] ?? 0;
    const against = right[i] ?? 0;
    if (value === against || (Number.isNaN(value) && Number.isNaN(against))) continue;
    if (!(Math.abs(value - against) <= most)) return i;
  }
  return undefined;
};

/** By bytes; of strings, whose lengths differ, by element. */
const firstUnequal = (one: Tensor, other: Tensor): number | undefined => {
  if (one.datatype !== "BYTES") {
    const size = DATATYPES[one.datatype].bytes;
    const at = one.bytes.findIndex((byte, i) => byte !== other.bytes[i]);
    return at < 0 ? undefined : Math.floor(at / size);
  }
  const count = elementCount(one.shape) ?? 0;
  const [left, right] = [splitStrings(one.bytes, count), splitStrings(other.bytes, count)];
  if (left === undefined || right === undefined) return 0;
  const at = left.findIndex((text, i) => Buffer.compare(text, right[i] ?? Buffer.alloc(0)) !== 0);
  return at < 0 ? undefined : at;
};

/** An element, for people; a long text is cut off. */
export const elementText = (tensor: Tensor, index: number): string => {
  const { bytes, datatype, shape } = tensor;
  if (datatype === "BYTES") {
    const text = splitStrings(bytes, elementCount(shape) ?? 0)?.[index];
    const told = text === undefined ? "" : Buffer.from(text).toString("utf8");
    return JSON.stringify(told.length > SHOWN ? `${told.slice(0, SHOWN)}…` : told);
  }
  const value = (floats(tensor) ?? elements(datatype, bytes))[index];
  if (typeof value !== "number" || Number.isInteger(value)) return String(value);
  return Number(value.toPrecision(7)).toString();
};
const SHOWN = 40;

/** The greatest finite magnitude; 0 where there is none or the type is no float. */
export const magnitude = (tensor: Tensor): number => {
  let most = 0;
  for (const value of floats(tensor) ?? []) if (Number.isFinite(value)) most = Math.max(most, Math.abs(value));
  return most;
};

/** Whether nothing in it can be compared: a float output without one finite number. */
export const isVoid = (tensor: Tensor): boolean => {
  const values = floats(tensor);
  return values !== undefined && values.length > 0 && !values.some((value) => Number.isFinite(value));
};

/** Whether no number in it is NaN or infinite. */
export const isAllFinite = (tensor: Tensor): boolean => (floats(tensor) ?? []).every((value) => Number.isFinite(value));
