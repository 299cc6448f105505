/** ClassificationResult and RegressionResult, each in one piece: a piece for each class would take a hundred bytes for each. */
import { FIXED32, LENGTH, writeVarint } from "./wire.ts";

/** Field 2 of a Class, field 1 of a Regression: a tag and a float. */
const FLOAT_BYTES = 5;

const tag = (field: number, wire: number): number => field * 8 + wire;

const varintBytes = (value: number): number => {
  let bytes = 1;
  for (let rest = value; rest > 0x7f; rest = Math.floor(rest / 128)) bytes++;
  return bytes;
};

/** Of a field that holds so many bytes. */
const fieldBytes = (length: number): number => 1 + varintBytes(length) + length;

/**
 * @param scores of all rows, one after another
 * @param labels as many as scores, or none
 * @param classes of each row
 */
export const writeClassifications = (
  scores: ArrayLike<number>,
  labels: readonly Uint8Array[] | undefined,
  classes: number,
  rows: number,
): Buffer => {
  const classBytes = (at: number): number => {
    const label = labels?.[at];
    return FLOAT_BYTES + (label === undefined ? 0 : fieldBytes(label.length));
  };
  const rowBytes = new Float64Array(rows);
  let total = 0;
  for (let row = 0; row < rows; row++) {
    let bytes = 0;
    for (let at = row * classes; at < (row + 1) * classes; at++) bytes += fieldBytes(classBytes(at));
    rowBytes[row] = bytes;
    total += fieldBytes(bytes);
  }
  const into = Buffer.allocUnsafe(total);
  let end = 0;
  const open = (field: number, length: number): void => {
    into[end] = tag(field, LENGTH);
    end = writeVarint(length, into, end + 1);
  };
  for (let row = 0; row < rows; row++) {
    open(1, rowBytes[row] ?? 0);
    for (let at = row * classes; at < (row + 1) * classes; at++) {
      open(1, classBytes(at));
      const label = labels?.[at];
      if (label !== undefined) {
        open(1, label.length);
        into.set(label, end);
        end += label.length;
      }
      into[end] = tag(2, FIXED32);
      end = into.writeFloatLE(scores[at] ?? 0, end + 1);
    }
  }
  return into;
};

export const writeRegressions = (values: ArrayLike<number>): Buffer => {
  const into = Buffer.allocUnsafe(values.length * (2 + FLOAT_BYTES));
  for (let i = 0; i < values.length; i++) {
    const at = i * (2 + FLOAT_BYTES);
    into[at] = tag(1, LENGTH);
    into[at + 1] = FLOAT_BYTES;
    into[at + 2] = tag(1, FIXED32);
    into.writeFloatLE(values[i] ?? 0, at + 3);
  }
  return into;
};
