import type { Tensor } from "../../tensors/index.ts";
import type { Model } from "../index.ts";
import { InferenceError, type JobResult } from "../shards/types.ts";
import type { Candidate } from "./axis.ts";
import {
  EXTREME,
  isWhole,
  NUMBERS_FROM,
  ofWords,
  PLAIN,
  type Random,
  type Recipe,
  rangeOf,
  sample,
  WIDE,
} from "./samples.ts";
import { isAllFinite, magnitude, same } from "./tolerance.ts";

// The rows that a proof is made with, each run alone: what the model takes, and what it answers.

/** A row's inputs, or its outputs, by name. */
export type Tensors = ReadonlyMap<string, Tensor>;

/** A row and its answer alone. */
export type Row = { recipe: Recipe; inputs: Tensors; answer: Tensors };

/** The rows that the model takes. */
export type Rows = {
  plain: readonly Row[];
  /** Compared with their answers alone, as the plain ones are. */
  wide: readonly Row[];
  /** Only put beside others: what they are answered is not finite, or rounding decides it. */
  extreme: readonly Row[];
  /** What the fastest run of one took. */
  aloneMs: number;
};

/** Runs rows as one batch; `expectedMs` is what it will take about. */
export type Run = (members: readonly Tensors[], expectedMs: number) => Promise<JobResult>;

export class Refuted extends Error {}
export class TooSlow extends Refuted {}

const PLAIN_ROWS = 5;
/** Where one item takes longer than this, batching would cost others more than it gains. */
const LONGEST_ITEM_MS = 500;
/** No further row beyond the plain ones is made up after so much time in the shard. */
const LONGEST_MS = 1000;
/** Whole numbers are tried from the smallest on: one may be a length, for which a model makes room. */
const RANGES = [100, 3000, NUMBERS_FROM];
/** Larger values that take so many times as long are sizes; what they are of takes as much more memory. No larger ones are tried then. */
const GROWTH = 8;
const GROWTH_MS = 2;
/** So many more are made up where all were answered alike, as by the neighbours of what was learnt. */
const MORE_ROWS = 16;
/** Runs that look for the ranges of whole numbers, of all inputs together. */
const MAX_RANGE_RUNS = 16;

export const newRows = async (
  model: Model,
  candidate: Candidate,
  shapes: readonly (readonly number[])[],
  run: Run,
  { random, indicesChecked, words = [] }: { random: Random; indicesChecked: boolean; words?: readonly string[] },
): Promise<Rows> => {
  const draw = newDraw(model, candidate, shapes, random);
  const ranges = model.inputs.map(() => 2);
  const plain: Row[] = [];
  let aloneMs = 0;
  for (let i = 0; i < PLAIN_ROWS; i++) {
    const inputs = draw(PLAIN, ranges);
    const { outputs, runMs } = await run([inputs], aloneMs);
    plain.push({ recipe: PLAIN, inputs, answer: outputs });
    aloneMs = i === 0 ? runMs : Math.min(aloneMs, runMs);
    if (aloneMs > LONGEST_ITEM_MS)
      throw new TooSlow(`one request takes ${seconds(aloneMs)}, too long to wait for others`);
  }
  checkShapes(plain);

  const wide: Row[] = [];
  const extreme: Row[] = [];
  let spentMs = 0;
  const isSlow = (told: number | string): boolean =>
    typeof told === "number" && told > Math.max(GROWTH_MS, GROWTH * aloneMs);
  /** Milliseconds, or what the model says against such a row. */
  const attempt = async (recipe: Recipe, own: readonly number[]): Promise<number | string> => {
    const inputs = draw(recipe, own);
    try {
      const first = await run([inputs], aloneMs);
      const { outputs } = first;
      // once may be a hiccup of the machine
      const runMs = isSlow(first.runMs) ? Math.min(first.runMs, (await run([inputs], aloneMs)).runMs) : first.runMs;
      spentMs += runMs;
      const row = { recipe, inputs, answer: outputs };
      checkShapes([...plain.slice(0, 1), row]);
      (EXTREME.includes(recipe) || ![...outputs.values()].every(isAllFinite) ? extreme : wide).push(row);
      return runMs;
    } catch (error) {
      if (error instanceof InferenceError) return error.message;
      throw error;
    }
  };
  // where nobody checks them, whole numbers stay 0 or 1
  if (indicesChecked) await findRanges(model, candidate, ranges, isSlow, attempt);
  const harmless: Recipe[] = [];
  const known = model.inputs.some(({ datatype }) => datatype === "BYTES") ? ofWords(words) : [];
  for (const recipe of [...known, ...WIDE, ...EXTREME]) {
    if (spentMs > LONGEST_MS || isSlow(await attempt(recipe, ranges))) break;
    if (!EXTREME.includes(recipe)) harmless.push(recipe);
  }
  const outputs = model.outputs.map(({ name }) => name);
  for (let i = 0; i < MORE_ROWS && spentMs <= LONGEST_MS && !tells(outputs, [...plain, ...wide]); i++) {
    const recipe = harmless[i % harmless.length];
    if (recipe !== undefined) await attempt(recipe, ranges);
  }
  // the largest first: small batches have but one or two of them
  return { plain, wide: wide.reverse(), extreme, aloneMs };
};

/** Makes up a row. What all requests of a batch must have equal is the same in all. */
const newDraw = (
  { inputs }: Model,
  candidate: Candidate,
  shapes: readonly (readonly number[])[],
  random: Random,
): ((recipe: Recipe, ranges: readonly number[]) => Tensors) => {
  const shared = inputs.map(({ datatype }, i) => sample(datatype, shapes[i] ?? [], random));
  return (recipe, ranges) =>
    new Map(
      inputs.map(({ name, datatype }, i): [string, Tensor] => {
        const common = candidate.inputs[i] === undefined ? shared[i] : undefined;
        return [name, common ?? sample(datatype, shapes[i] ?? [], random, recipe, ranges[i])];
      }),
    );
};

/**
 * Finds, for each input of whole numbers, how many of them from 0 on the model takes: all of a table that it looks up, so
 * that rows are made up over the whole of it. Fills `ranges`.
 */
const findRanges = async (
  { inputs }: Model,
  candidate: Candidate,
  ranges: number[],
  isSlow: (told: number | string) => boolean,
  attempt: (recipe: Recipe, ranges: readonly number[]) => Promise<number | string>,
): Promise<void> => {
  let left = MAX_RANGE_RUNS;
  for (const [i, { datatype }] of inputs.entries()) {
    if (candidate.inputs[i] === undefined || !isWhole(datatype)) continue;
    const steps = [...RANGES.filter((range) => range < rangeOf(datatype)), Math.min(rangeOf(datatype), NUMBERS_FROM)];
    for (const step of new Set(steps)) {
      if (left-- <= 0) return;
      const told = await attempt(UP_TO, only(inputs.length, i, step));
      if (typeof told === "number") {
        ranges[i] = step;
        if (isSlow(told)) break;
        continue;
      }
      const size = tableSize(told);
      if (size === undefined || size <= (ranges[i] ?? 2) || size >= step || left-- <= 0) break;
      if (typeof (await attempt(UP_TO, only(inputs.length, i, size))) === "number") ranges[i] = size;
      break;
    }
  }
};

/** Plain, but that whole numbers are the last of the range. */
const UP_TO: Recipe = {
  ...PLAIN,
  name: "range",
  whole: (random, range) => (range <= 2 ? PLAIN.whole(random, range) : range - 1),
};

const only = (count: number, at: number, range: number): number[] =>
  Array.from({ length: count }, (_, i) => (i === at ? range : 2));

/** onnxruntime says of a Gather what it would have taken: `… must be within the inclusive range [-100,99]`. */
const tableSize = (message: string): number | undefined => {
  const [, most] = /inclusive range \[-?\d+,\s*(\d+)\]/.exec(message) ?? [];
  return most === undefined ? undefined : Number(most) + 1;
};

/** Whether any of them is answered otherwise than the first. */
export const tells = (outputs: readonly string[], [first, ...others]: readonly Row[]): boolean =>
  outputs.some((name) => {
    const one = first?.answer.get(name);
    return (
      one !== undefined &&
      others.some(({ answer }) => {
        const other = answer.get(name);
        return other !== undefined && !same(one, other, Math.max(magnitude(one), magnitude(other)));
      })
    );
  });

/** What is as long as its values say cannot be taken apart. */
const checkShapes = ([first, ...others]: readonly Row[]): void => {
  for (const [name, one] of first?.answer ?? []) {
    for (const { answer } of others) {
      const other = answer.get(name);
      if (other === undefined || other.shape.join() === one.shape.join()) continue;
      throw new Refuted(
        `the shape of output "${name}" depends on the values: ${shapeText(one)} and ${shapeText(other)}`,
      );
    }
  }
};

export const shapeText = (tensor: Tensor): string => `[${tensor.shape.join(", ")}]`;
const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
