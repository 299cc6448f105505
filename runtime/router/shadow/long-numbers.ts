/** Whole numbers that no double holds, such as ids of 64 bits: two of them that differ are not the same. Pure. */
import { bytesOf, type NumericDatatype } from "../../tensors/index.ts";

/** The numbers of a list, as they were read. */
export type Numbers = Float64Array | BigInt64Array | BigUint64Array;

/** Digits of the first whole number that a double may not hold: 9,007,199,254,740,993. */
const LONG = 16;
const isDigit = (byte: number | undefined): boolean => byte !== undefined && byte >= 0x30 && byte <= 0x39;
const POINT = 0x2e;

/** Whether a whole number, or the whole part of one, is that long. */
export const hasLongNumber = (json: Uint8Array): boolean => {
  for (let at = LONG - 1; at < json.length; at += LONG) {
    // a run of so many digits has one at each such step
    if (!isDigit(json[at])) continue;
    let from = at;
    while (isDigit(json[from - 1])) from--;
    while (isDigit(json[at + 1])) at++;
    if (at - from + 1 >= LONG && json[from - 1] !== POINT) return true;
  }
  return false;
};

/** As doubles, unless there are some of more bits; those stay what they are where all are whole. */
export const joinNumbers = (
  pieces: readonly Numbers[],
): { datatype: NumericDatatype; bytes: Uint8Array; count: number } => {
  const [only, ...others] = pieces;
  if (only instanceof Float64Array && others.length === 0) return doubles(only);
  const count = pieces.reduce((sum, { length }) => sum + length, 0);
  const whole = pieces.every((piece) => piece instanceof Float64Array) ? undefined : wholeOf(pieces, count);
  if (whole !== undefined) return whole;
  const all = new Float64Array(count);
  let at = 0;
  for (const piece of pieces) for (const value of piece) all[at++] = Number(value);
  return doubles(all);
};

const doubles = (values: Float64Array) => ({ datatype: "FP64" as const, bytes: bytesOf(values), count: values.length });

const LIMITS = { least: -(2n ** 63n), most: 2n ** 63n - 1n };

const wholeOf = (pieces: readonly Numbers[], count: number) => {
  const values: bigint[] = [];
  let [signed, unsigned] = [true, true];
  for (const piece of pieces) {
    for (const value of piece) {
      if (typeof value === "number" && !Number.isInteger(value)) return undefined;
      const whole = BigInt(value);
      signed &&= whole >= LIMITS.least && whole <= LIMITS.most;
      unsigned &&= whole >= 0n && whole <= 2n ** 64n - 1n;
      values.push(whole);
    }
  }
  if (signed) return { datatype: "INT64" as const, bytes: bytesOf(BigInt64Array.from(values)), count };
  return unsigned ? { datatype: "UINT64" as const, bytes: bytesOf(BigUint64Array.from(values)), count } : undefined;
};
