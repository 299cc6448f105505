/** Whether two answers to the same request say the same: stable's, which the client got, and the canary's, which nobody sees. Pure. */
import { CLOSE } from "../../../contract/tolerance.ts";
import { elementCount, elements, floats, type Tensor } from "../../tensors/index.ts";
import type { Output, Outputs } from "./outputs.ts";

/** When two values of an output count as the same. */
export type Tolerance =
  /** Bit for bit, or as numbers where they are numbers: labels, token numbers, masks. */
  | { kind: "equal" }
  /** Along the last axis, the class that stable puts first is among the canary's `k` first. `k` = 1: both name the same class. */
  | { kind: "topK"; k: number }
  /** Each element differs by no more than `absolute` + `relative` × |stable's|. */
  | { kind: "close"; absolute: number; relative: number }
  /** Along the last axis, the cosine of the angle between the two vectors is at least so much: embeddings. */
  | { kind: "cosine"; least: number };

export type OutputComparison = {
  place: string;
  agrees: boolean;
  /** The part of its rows (of its elements where it is compared element by element) that differ, in [0, 1]. */
  differing: number;
};

export type Comparison =
  /**
   * `agrees`: every output does. A request is one pair, however many rows it has. `lost`: the output in which the canary has NaN or
   * infinity where stable has a number.
   */
  | { kind: "compared"; agrees: boolean; outputs: readonly OutputComparison[]; lost?: string }
  /** They are not even the same tensors: no tolerance helps, and people must be told of the output. */
  | { kind: "different"; reason: string }
  /** The tolerance does not fit an output, and the others agree: nothing can be said. */
  | { kind: "incomparable"; reason: string };

/**
 * Compares output by output. Without a tolerance of its own, an output of floating point numbers must be `CLOSE`, any other one
 * equal. Outputs that only the canary has are new, and not compared. NaN equals NaN and nothing else: a canary that answers
 * NaN where stable has a number disagrees under every tolerance.
 *
 * @param stable outputs by place
 * @param canary outputs by place
 * @param tolerances by name of the output
 */
export const compare = (stable: Outputs, canary: Outputs, tolerances: ReadonlyMap<string, Tolerance>): Comparison => {
  const outputs: OutputComparison[] = [];
  let misfit: string | undefined;
  let lost: string | undefined;
  for (const [place, ours] of stable) {
    const theirs = canary.get(place);
    if (theirs === undefined) return different(`the canary's answer lacks output "${place}"`);
    const [was, is] = [describe(ours), describe(theirs)];
    if (was !== is) return different(`output "${place}" is ${was} of stable, ${is} of the canary`);
    const tolerance = toleranceOf(ours, theirs, tolerances, stable.size);
    if (ours.datatype === "BYTES" && tolerance.kind !== "equal") {
      misfit ??= `output "${place}" has strings; they can only be compared with "equal", not "${tolerance.kind}"`;
      continue;
    }
    const differing = share(ours, theirs, tolerance);
    outputs.push({ place, agrees: differing === 0, differing });
    if (differing > 0 && losesNumbers(ours, theirs)) lost ??= place;
  }
  const agrees = outputs.every((output) => output.agrees);
  // what disagrees does so, whatever else cannot be told
  if (agrees && misfit !== undefined) return { kind: "incomparable", reason: misfit };
  return { kind: "compared", agrees, outputs, ...(lost === undefined ? {} : { lost }) };
};

const EQUAL: Tolerance = { kind: "equal" };

const different = (reason: string): Comparison => ({ kind: "different", reason });
const describe = ({ datatype, declared, shape }: Output): string =>
  `${declared ?? (datatype === "BYTES" ? "text" : "numbers")} [${shape.join(", ")}]`;

/** Of all that can be wrong with a canary's numbers, this is no matter of tolerances. */
const losesNumbers = (ours: Tensor, theirs: Tensor): boolean => {
  const [a, b] = [floats(ours), floats(theirs)];
  if (a === undefined || b === undefined) return false;
  return b.some((each, at) => !Number.isFinite(each) && Number.isFinite(a[at]));
};

/** The only output of an answer that gives it no name is the one that the only tolerance is of. */
const toleranceOf = (
  ours: Output,
  theirs: Output,
  tolerances: ReadonlyMap<string, Tolerance>,
  outputs: number,
): Tolerance => {
  const [only, ...others] = tolerances.values();
  const isOnly = ours.name === undefined && outputs === 1 && others.length === 0;
  const named = ours.name === undefined ? undefined : tolerances.get(ours.name);
  return named ?? (isOnly ? only : undefined) ?? (isFloating(ours, theirs) ? CLOSE : EQUAL);
};

/** Numbers of an unknown type that are all whole, in both answers, are classes or counts: that two are close to each other is nothing. */
const isFloating = (ours: Output, theirs: Output): boolean => {
  const numbers = floats(ours);
  if (numbers === undefined) return false;
  return ours.declared !== undefined || !numbers.every(Number.isInteger) || !floats(theirs)?.every(Number.isInteger);
};

/** The part that differs. */
const share = (ours: Tensor, theirs: Tensor, tolerance: Tolerance): number => {
  if (ours.datatype === "BYTES" || theirs.datatype === "BYTES") return stringShare(ours, theirs);
  const a: Numbers = floats(ours) ?? elements(ours.datatype, ours.bytes);
  const b: Numbers = floats(theirs) ?? elements(theirs.datatype, theirs.bytes);
  switch (tolerance.kind) {
    case "equal":
      return part(a.length, (at) => isSame(a[at], b[at]));
    case "close":
      return part(a.length, (at) => isClose(a[at], b[at], tolerance));
    case "topK":
      return byRow(ours.shape, a, b, (x, y) => isAmongFirst(x, y, tolerance.k));
    case "cosine":
      return byRow(ours.shape, a, b, (x, y) => isAligned(x, y, tolerance.least));
  }
};

/** 64-bit integers keep all of their bits. */
type Numbers = ArrayLike<number | bigint>;

/** Walked side by side: a view of each would take a hundred bytes for each. */
const stringShare = (ours: Tensor, theirs: Tensor): number => {
  if (Buffer.compare(ours.bytes, theirs.bytes) === 0) return 0;
  if (ours.datatype !== theirs.datatype) return 1;
  const count = elementCount(ours.shape) ?? 0;
  const [next, other] = [walk(ours.bytes), walk(theirs.bytes)];
  return part(count, () => {
    const [a, b] = [next(), other()];
    return a.to - a.from === b.to - b.from && sameBytes(ours.bytes, theirs.bytes, a, b);
  });
};

type Span = { from: number; to: number };

/** Each call gives the place of the next string, in one object for all of them. */
const walk = (bytes: Uint8Array): (() => Span) => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const span = { from: 0, to: 0 };
  return () => {
    span.from = span.to + 4;
    span.to = span.from + (span.from > bytes.length ? 0 : view.getUint32(span.from - 4, true));
    return span;
  };
};

const sameBytes = (ours: Uint8Array, theirs: Uint8Array, a: Span, b: Span): boolean => {
  for (let i = 0; i < a.to - a.from; i++) if (ours[a.from + i] !== theirs[b.from + i]) return false;
  return true;
};

const part = (count: number, agrees: (at: number) => boolean): number => {
  let differing = 0;
  for (let at = 0; at < count; at += 1) if (!agrees(at)) differing += 1;
  return count === 0 ? 0 : differing / count;
};

/** A scalar is one row of one. */
const byRow = (
  shape: readonly number[],
  a: Numbers,
  b: Numbers,
  agrees: (x: readonly number[], y: readonly number[]) => boolean,
): number => {
  const width = shape.at(-1) ?? 1;
  const row = (all: Numbers, at: number) =>
    Array.from({ length: width }, (_, column) => Number(all[at * width + column]));
  return part(width === 0 ? 0 : a.length / width, (at) => agrees(row(a, at), row(b, at)));
};

const isSame = (x: number | bigint | undefined, y: number | bigint | undefined): boolean =>
  x === y ||
  (Number.isNaN(x) && Number.isNaN(y)) ||
  // 64 bits in the one answer, in the other read from JSON
  (typeof x !== typeof y && Number(x) === Number(y));

const isClose = (
  x: number | bigint | undefined,
  y: number | bigint | undefined,
  { absolute, relative }: { absolute: number; relative: number },
): boolean => isSame(x, y) || Math.abs(Number(x) - Number(y)) <= absolute + relative * finite(Number(x));

/** No tolerance is infinite: stable's Infinity is equal to Infinity alone. */
const finite = (x: number): number => (Number.isFinite(x) ? Math.abs(x) : Number.NaN);

/** By value and not by place: where the canary gives several classes the same score, each of them is as good as the others. */
const isAmongFirst = (stable: readonly number[], canary: readonly number[], k: number): boolean => {
  if (stable.some((each, at) => Number.isNaN(each) !== Number.isNaN(canary[at]))) return false;
  // NaN is larger than nothing, so that it is the numbers of both that are ranked
  const numbers = stable.filter((each) => !Number.isNaN(each));
  const best = stable.indexOf(numbers.reduce((most, each) => Math.max(most, each), Number.NEGATIVE_INFINITY));
  const score = canary[best] ?? Number.NaN;
  return canary.filter((each) => each > score).length < k;
};

/** Vectors without a direction agree with each other only; those with a number that is not finite have none that can be told. */
const isAligned = (x: readonly number[], y: readonly number[], least: number): boolean => {
  if (!x.every(Number.isFinite)) return x.every((each, at) => isSame(each, y[at]));
  const [length, other] = [norm(x), norm(y)];
  if (length === 0 || other === 0) return length === other;
  // Each is divided first: the product of two large vectors is beyond what a number holds.
  const cosine = x.reduce((sum, value, at) => sum + (value / length) * ((y[at] ?? 0) / other), 0);
  return cosine >= least - ROUNDING;
};

/** Neither of the squares may be beyond what a number holds, nor may a row of logits be too long for an argument list. */
const norm = (vector: readonly number[]): number => {
  const largest = vector.reduce((most, each) => Math.max(most, Math.abs(each)), 0);
  if (largest === 0) return 0;
  return largest * Math.sqrt(vector.reduce((sum, each) => sum + (each / largest) ** 2, 0));
};

/** Of a sum of a thousand products of numbers that are at most 1. */
const ROUNDING = 1e-12;
