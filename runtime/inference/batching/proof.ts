import type { GraphFindings } from "../graph/findings.ts";
import type { Model } from "../index.ts";
import { InferenceError, type Job, type JobResult, ShardLost } from "../shards/types.ts";
import type { BatchAxes, Candidate } from "./axis.ts";
import { provable } from "./candidates.ts";
import { type Comparison, Coupled, newComparison } from "./comparison.ts";
import { joinInput, Misfit } from "./join.ts";
import { nudged as nudgedTensor, seeded } from "./samples.ts";
import { isVoid } from "./tolerance.ts";
import { newRows, Refuted, type Row, type Rows, type Run, type Tensors, TooSlow, tells } from "./trials.ts";
import type { SchedulerOptions } from "./types.ts";

/** What a run of so many items took, in the shard. */
export type Measured = { items: number; ms: number };

/** `reason` says in words for users why requests of this model run apart; `byGraph`: its graph says so, and nothing was run. */
export type Proof =
  | { proved: true; name: string; axes: BatchAxes; shapes: readonly (readonly number[])[]; measured: Measured[] }
  | { proved: false; reason: string; byGraph?: boolean };

export type Limits = Pick<SchedulerOptions, "maxBatchSize" | "indicesChecked">;

/** Runs a job when traffic leaves room; `expectedMs` is what it will take about. Rejects as a shard does. */
export type Probe = (job: Job, expectedMs: number) => Promise<JobResult>;

/** A batch that would take longer is not tried: requests may be waiting behind it. */
const LONGEST_PROBE_MS = 200;
/** Comparing them stops the event loop: about 1 ms for each MiB. */
const MAX_PROBE_BYTES = 8 * 1024 ** 2;
const SEED = 20_240_229;

/**
 * Finds out whether the model answers requests together as it does apart: rows of made-up values, of very different sizes
 * too, run alone, and then beside each other in batches of several sizes and orders. `shapes`: an example of each input,
 * with which the model has run. Ways of which the graph does not show that rows stay apart are not tried. Rejects only where something is wrong with the caller, never for what the model does.
 */
export const prove = async (
  model: Model,
  shapes: ReadonlyMap<string, readonly number[]>,
  limits: Limits,
  probe: Probe,
  graph?: GraphFindings,
): Promise<Proof> => {
  const found = provable(model, graph);
  if ("reason" in found) return { proved: false, ...found };
  let reason = "";
  for (const candidate of found.candidates) {
    // the larger one first: what happens between the tokens of a text does not show where there is one
    for (const examples of [enlarged(model, candidate, shapes), shapes]) {
      if (examples === undefined) continue;
      try {
        return await proveOne(model, candidate, examples, { ...limits, words: graph?.words ?? [] }, probe);
      } catch (error) {
        const told = explain(error);
        if (told === undefined) throw error;
        reason ||= `along "${candidate.name}", ${told}`;
        // a model that brings its process down is not tried again, and one that is slow stays slow
        if (error instanceof ShardLost || error instanceof TooSlow) return { proved: false, reason };
        // fewer tokens would only hide it
        if (error instanceof Coupled) break;
      }
    }
  }
  return { proved: false, reason };
};

/** Open dimensions besides the batch have this size where the example has 1. */
const ENLARGED = 8;

/** The same with more than 1 in open dimensions besides the batch; undefined where there are none. */
const enlarged = (
  { inputs }: Model,
  candidate: Candidate,
  shapes: ReadonlyMap<string, readonly number[]>,
): ReadonlyMap<string, readonly number[]> | undefined => {
  let changed = false;
  const larger = inputs.map(({ name, shape }, i): [string, number[]] => {
    const sizes = (shapes.get(name) ?? shape.map((size) => size ?? 1)).map((size, at) => {
      if (size !== 1 || shape[at] !== null || at === candidate.inputs[i]) return size;
      changed = true;
      return ENLARGED;
    });
    return [name, sizes];
  });
  return changed ? new Map(larger) : undefined;
};

const explain = (error: unknown): string | undefined => {
  if (error instanceof Refuted || error instanceof Misfit) return error.message;
  if (error instanceof InferenceError) return `the model does not run: ${error.message}`;
  if (error instanceof ShardLost) return `the model's process ended in a trial: ${error.message}`;
  return undefined;
};

const proveOne = async (
  model: Model,
  candidate: Candidate,
  examples: ReadonlyMap<string, readonly number[]>,
  { maxBatchSize, indicesChecked, words }: Limits & { words: readonly string[] },
  probe: Probe,
): Promise<Proof> => {
  const random = seeded(SEED);
  const shapes = model.inputs.map(({ name, shape }, i) => {
    const axis = candidate.inputs[i];
    return (examples.get(name) ?? shape.map((size) => size ?? 1)).map((size, at) => (at === axis ? 1 : size));
  });
  const outputs = model.outputs.map(({ name }) => name);
  const run: Run = (members, expectedMs) => {
    const inputs = model.inputs.map(({ name }, i) =>
      joinInput(
        name,
        candidate.inputs[i],
        members.map((row) => row.get(name)).filter((tensor) => tensor !== undefined),
      ),
    );
    return probe({ inputs, outputs }, expectedMs);
  };
  const rows = await newRows(model, candidate, shapes, run, { random, indicesChecked, words });
  const base = tellingRows(outputs, rows);
  const comparison = newComparison(outputs, candidate.outputs, rows);

  const measured: Measured[] = [{ items: 1, ms: rows.aloneMs }];
  const rowBytes = bytesOf(rows.plain[0]);
  let perItemMs = rows.aloneMs;
  for (const [turn, size] of sizesUpTo(maxBatchSize).entries()) {
    if (size > 2 && (size * perItemMs > LONGEST_PROBE_MS || size * rowBytes > MAX_PROBE_BYTES)) break;
    const batches = batchesOf(size, base, rows, turn);
    const ms = await proveSize(batches, run, comparison, size * perItemMs);
    measured.push({ items: size, ms });
    perItemMs = ms / size;
  }
  if (measured.length === 1) throw new Refuted("no batch could be tried");
  const axes = { inputs: candidate.inputs, outputs: comparison.axes() };
  return { proved: true, name: candidate.name, axes, shapes, measured };
};

const nudge = (inputs: Tensors): Tensors => new Map([...inputs].map(([name, tensor]) => [name, nudgedTensor(tensor)]));

/** 2, 3, then about four times as many up to the maximum: cheap ones first, so that what cannot batch costs little. */
const sizesUpTo = (most: number): number[] => [...new Set([2, 3, 7, 32, most])].filter((size) => size <= most);

/**
 * One batch, and the same with other rows in half of the places, and in the other half: each row has had other neighbours on
 * both sides, and none of its bits may depend on them.
 */
type Batches = { first: readonly Row[]; changed: readonly (readonly Row[])[] };

const batchesOf = (size: number, base: readonly Row[], { wide, extreme }: Rows, turn: number): Batches => {
  const first = cycle(size, base, turn);
  const large = wide.length > 0 ? wide : base;
  const strange = extreme.length > 0 ? extreme : large;
  const put = (others: readonly Row[], parity: number): Row[] =>
    first.map((row, i) => (i % 2 === parity ? (others[(turn + (i >> 1)) % others.length] ?? row) : row));
  // sizes in turn begin with the other half, so that small batches of both kinds have it first and last
  return { first, changed: [put(large, turn % 2), put(strange, 1 - (turn % 2))] };
};

const cycle = (size: number, rows: readonly Row[], turn: number): Row[] =>
  Array.from({ length: size }, (_, i) => rows[(i + turn) % rows.length]).filter((row) => row !== undefined);

/** Milliseconds of the fastest run. */
const proveSize = async (
  { first, changed }: Batches,
  run: Run,
  comparison: Comparison,
  expectedMs: number,
): Promise<number> => {
  const inputsOf = (members: readonly Row[]): Tensors[] => members.map(({ inputs }) => inputs);
  const before = await run(inputsOf(first), expectedMs);
  let best = before.runMs;
  const withAlone = async (members: readonly Row[], together: Tensors): Promise<void> => {
    for (const place of comparison.withAlone(members, together)) {
      const row = members[place];
      if (row === undefined) continue;
      const copies = await run(inputsOf(members.map(() => row)), expectedMs);
      const nudged = await run([nudge(row.inputs)], expectedMs);
      comparison.excuse(members, place, together, { copies: copies.outputs, nudged: nudged.outputs });
    }
  };
  await withAlone(first, before.outputs);
  for (const members of changed) {
    const { outputs, runMs } = await run(inputsOf(members), expectedMs);
    best = Math.min(best, runMs);
    await withAlone(members, outputs);
    const kept = first.flatMap((row, i) => (row === members[i] ? [i] : []));
    const apart = comparison.firstChanged(kept, first.length, before.outputs, outputs);
    if (apart === undefined) continue;
    // on some devices sums are made in any order: then the very same batch is not answered alike either
    const again = await run(inputsOf(first), expectedMs);
    comparison.unlessUnsteady(kept, first.length, before.outputs, outputs, again.outputs);
  }
  return best;
};

/**
 * The rows that batches are filled with: the plain ones, or all where the plain ones are answered alike, as by a tree whose
 * splits lie elsewhere. Results that are the same whatever comes in, or no numbers at all, would prove anything.
 */
const tellingRows = (outputs: readonly string[], { plain, wide }: Rows): readonly Row[] => {
  for (const name of outputs) {
    if (plain.some(({ answer }) => isVoid(answer.get(name) ?? EMPTY))) {
      throw new Refuted(`output "${name}" has no finite number for generated inputs`);
    }
  }
  if (tells(outputs, plain)) return plain;
  const all = [...wide, ...plain];
  if (tells(outputs, all)) return all;
  throw new Refuted("the model gives all generated inputs the same answer, so row independence cannot be verified");
};

const EMPTY = { datatype: "BOOL", shape: [0], bytes: new Uint8Array(0) } as const;

const bytesOf = (row: Row | undefined): number => {
  let sum = 0;
  for (const { bytes } of [...(row?.inputs.values() ?? []), ...(row?.answer.values() ?? [])]) sum += bytes.length;
  return sum;
};
