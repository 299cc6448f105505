import {
  DATATYPES,
  type Datatype,
  elementCount,
  floats,
  type NumericDatatype,
  type Tensor,
} from "../../tensors/index.ts";
import { encodeStrings } from "../../tensors/strings.ts";

/** Made-up values for a proof: the same ones for the same seed. */
export type Random = () => number;

/** Mulberry32: 32 bits of state are plenty for values that only have to differ. In [0, 1). */
export const seeded = (seed: number): Random => {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
};

/**
 * Floats in [-1, 1]; whole numbers 0 or 1, which are valid as tokens, masks, types and flags alike. Of several the first is
 * 1: of a mask that hides all the mean is no number.
 */
export const sample = (datatype: Datatype, shape: readonly number[], random: Random): Tensor => {
  const count = elementCount(shape) ?? 0;
  if (datatype === "BYTES") {
    return { datatype, shape, bytes: encodeStrings(Array.from({ length: count }, () => (random() < 0.5 ? "0" : "1"))) };
  }
  const size = DATATYPES[datatype].bytes;
  const bytes = new Uint8Array(count * size);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < count; i++) {
    if (datatype === "FP32") view.setFloat32(i * size, random() * 2 - 1, true);
    else if (datatype === "FP64") view.setFloat64(i * size, random() * 2 - 1, true);
    // sign and ten bits of fraction at the exponent of [0.5, 1): any of them is a good half-precision number
    else if (datatype === "FP16")
      view.setUint16(i * size, (random() < 0.5 ? 0x8000 : 0) | 0x3800 | (random() * 1024), true);
    // little-endian: the lowest byte alone makes 0 or 1 in every size
    else bytes[i * size] = random() < 0.5 && (i > 0 || count === 1) ? 0 : 1;
  }
  return { datatype, shape, bytes };
};

/** How far floats of one value may be apart, as part of the greatest of its output. Half precision has 11 bits. */
const TOLERANCE: Partial<Record<NumericDatatype, number>> = { FP16: 1e-2, FP32: 1e-4, FP64: 1e-6 };

/** Whether two values are the same but for rounding. `scale`: the greatest magnitude of that output. */
export const same = (one: Tensor, other: Tensor, scale: number): boolean => {
  if (one.datatype !== other.datatype || one.shape.join() !== other.shape.join()) return false;
  const tolerance = one.datatype === "BYTES" ? undefined : TOLERANCE[one.datatype];
  const [left, right] = [floats(one), floats(other)];
  if (tolerance === undefined || left === undefined || right === undefined)
    return Buffer.compare(one.bytes, other.bytes) === 0;
  for (let i = 0; i < left.length; i++) {
    const value = left[i] ?? 0;
    const against = right[i] ?? 0;
    if (Object.is(value, against) || value === against) continue;
    if (!(Math.abs(value - against) <= tolerance * scale)) return false;
  }
  return true;
};

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
