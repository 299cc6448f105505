import type { Model } from "../../inference/index.ts";
import type { Tensor } from "../../tensors/index.ts";
import { InferenceError, type Job, type JobResult, ShardLost } from "../shards/types.ts";
import { type BatchAxes, batchCandidates, type Candidate } from "./axis.ts";
import { joinInput, Misfit, splitOutput } from "./join.ts";
import { isVoid, magnitude, same, sample, seeded } from "./samples.ts";

/** What a run of so many items took, in the shard. */
export type Measured = { items: number; ms: number };

/** `reason` says in words for users why requests of this model run apart. */
export type Proof =
  | { proved: true; name: string; axes: BatchAxes; shapes: readonly (readonly number[])[]; measured: Measured[] }
  | { proved: false; reason: string };

/** Runs a job when traffic leaves room; `expectedMs` is what it will take about. Rejects as a shard does. */
export type Probe = (job: Job, expectedMs: number) => Promise<JobResult>;

/** Different rows, each run alone once: a cycle of them fills every batch. */
const ROWS = 5;
/** A batch that would take longer is not tried: requests may be waiting behind it. */
const LONGEST_PROBE_MS = 200;
/** Where one item takes longer than this, batching would cost others more than it gains. */
const LONGEST_ITEM_MS = 500;
/** Comparing them stops the event loop: about 1 ms for each MiB. */
const MAX_PROBE_BYTES = 8 * 1024 ** 2;
const SEED = 20_240_229;

/**
 * Finds out whether the model answers requests together as it does apart: rows of made-up values run alone, and then in
 * batches of several sizes and orders. `shapes`: an example of each input, with which the model has run.
 * Rejects only where something is wrong with the caller, never for what the model does.
 */
export const prove = async (
  model: Model,
  shapes: ReadonlyMap<string, readonly number[]>,
  maxBatch: number,
  probe: Probe,
): Promise<Proof> => {
  const found = batchCandidates(model.inputs, model.outputs);
  if ("reason" in found) return { proved: false, reason: found.reason };
  let reason = "";
  for (const candidate of found.candidates) {
    for (const examples of [shapes, enlarged(model, candidate, shapes)]) {
      if (examples === undefined) continue;
      try {
        return await proveOne(model, candidate, examples, maxBatch, probe);
      } catch (error) {
        const told = explain(error);
        if (told === undefined) throw error;
        reason ||= `along "${candidate.name}", ${told}`;
        // a model that brings its process down is not tried again, and one that is slow stays slow
        if (error instanceof ShardLost || error instanceof TooSlow) return { proved: false, reason };
      }
    }
  }
  return { proved: false, reason };
};

/** Open dimensions have this size where 1 has shown nothing: a text of one token that a mask hides has no meaning. */
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

class Refuted extends Error {}
class TooSlow extends Refuted {}

const explain = (error: unknown): string | undefined => {
  if (error instanceof Refuted || error instanceof Misfit) return error.message;
  if (error instanceof InferenceError) return `the model does not run: ${error.message}`;
  if (error instanceof ShardLost) return `the model's process ended in a trial: ${error.message}`;
  return undefined;
};

type Row = ReadonlyMap<string, Tensor>;

const proveOne = async (
  model: Model,
  candidate: Candidate,
  examples: ReadonlyMap<string, readonly number[]>,
  maxBatch: number,
  probe: Probe,
): Promise<Proof> => {
  const random = seeded(SEED);
  const shapes = model.inputs.map(({ name, shape }, i) => {
    const axis = candidate.inputs[i];
    return (examples.get(name) ?? shape.map((size) => size ?? 1)).map((size, at) => (at === axis ? 1 : size));
  });
  const shared = model.inputs.map(({ datatype }, i) => sample(datatype, shapes[i] ?? [], random));
  const rows: Row[] = Array.from({ length: ROWS }, () => {
    const tensors = model.inputs.map(({ name, datatype }, i): [string, Tensor] => {
      const common = shared[i];
      if (candidate.inputs[i] === undefined && common !== undefined) return [name, common];
      return [name, sample(datatype, shapes[i] ?? [], random)];
    });
    return new Map(tensors);
  });
  const outputs = model.outputs.map(({ name }) => name);
  const run = (members: readonly Row[], expectedMs: number): Promise<JobResult> => {
    const inputs = model.inputs.map(({ name }, i) => joinInput(name, candidate.inputs[i], tensorsOf(members, name)));
    return probe({ inputs, outputs }, expectedMs);
  };

  const alone: Row[] = [];
  let aloneMs = 0;
  for (const row of rows) {
    const result = await run([row], aloneMs);
    alone.push(result.outputs);
    aloneMs = alone.length === 1 ? result.runMs : Math.min(aloneMs, result.runMs);
    if (aloneMs > LONGEST_ITEM_MS)
      throw new TooSlow(`one request takes ${seconds(aloneMs)}, too long to wait for others`);
  }
  checkTelling(outputs, alone);

  const measured: Measured[] = [{ items: 1, ms: aloneMs }];
  const rowBytes = [...(rows[0]?.values() ?? []), ...(alone[0]?.values() ?? [])].reduce(
    (sum, { bytes }) => sum + bytes.length,
    0,
  );
  let axes: number[] | undefined;
  let perItemMs = aloneMs;
  for (const size of sizesUpTo(maxBatch)) {
    if (size > 2 && (size * perItemMs > LONGEST_PROBE_MS || size * rowBytes > MAX_PROBE_BYTES)) break;
    let best = Number.POSITIVE_INFINITY;
    // two runs, each row at another place: an answer that depends on the place is not the same
    for (const turn of [size - 1, 2 * size + 1]) {
      const order = Array.from({ length: size }, (_, i) => (i + turn) % ROWS);
      const result = await run(
        order.map((row) => rows[row] ?? new Map()),
        size * perItemMs,
      );
      axes ??= outputs.map((name, i) => outputAxis(name, candidate.outputs[i] ?? [], alone[0], result.outputs, size));
      for (const [i, name] of outputs.entries()) compare(name, axes[i] ?? 0, order, alone, result.outputs);
      best = Math.min(best, result.runMs);
    }
    measured.push({ items: size, ms: best });
    perItemMs = best / size;
  }
  if (axes === undefined) throw new Refuted("there was nothing to try");
  return { proved: true, name: candidate.name, axes: { inputs: candidate.inputs, outputs: axes }, shapes, measured };
};

/** 2, 3, then four times as many up to the maximum: cheap ones first, so that what cannot batch costs little. */
const sizesUpTo = (most: number): number[] => [...new Set([2, 3, 8, 32, most])].filter((size) => size <= most);

/** Results that are the same whatever comes in, or no numbers at all, would prove anything. */
const checkTelling = (outputs: readonly string[], alone: readonly Row[]): void => {
  for (const name of outputs) {
    const tensors = tensorsOf(alone, name);
    if (tensors.some(isVoid)) throw new Refuted(`output "${name}" has no finite number for made-up inputs`);
    const [one] = tensors;
    const other = tensors.find((tensor) => tensor.shape.join() !== one?.shape.join());
    if (one !== undefined && other !== undefined) {
      throw new Refuted(`the shape of output "${name}" depends on the values: ${shape(one)} and ${shape(other)}`);
    }
  }
  const differs = outputs.some((name) => {
    const [one, ...others] = tensorsOf(alone, name);
    return one !== undefined && others.some((other) => !same(one, other, Math.max(magnitude(one), magnitude(other))));
  });
  if (!differs) throw new Refuted("the model answers all made-up inputs alike, so nothing can be shown");
};

const outputAxis = (
  name: string,
  possible: readonly number[],
  alone: Row | undefined,
  together: ReadonlyMap<string, Tensor>,
  size: number,
): number => {
  const one = alone?.get(name);
  const several = together.get(name);
  if (one === undefined || several === undefined) throw new Refuted(`output "${name}" is missing`);
  const axis = possible.find((at) =>
    several.shape.every((length, i) => length === (i === at ? size : one.shape[i]) && (i !== at || one.shape[i] === 1)),
  );
  if (axis !== undefined && several.shape.length === one.shape.length) return axis;
  throw new Refuted(`output "${name}" is ${shape(one)} for one request and ${shape(several)} for ${size}`);
};

const compare = (
  name: string,
  axis: number,
  order: readonly number[],
  alone: readonly Row[],
  together: ReadonlyMap<string, Tensor>,
): void => {
  const whole = together.get(name);
  if (whole === undefined) throw new Refuted(`output "${name}" is missing`);
  const scale = Math.max(...tensorsOf(alone, name).map(magnitude));
  const parts = splitOutput(
    name,
    whole,
    axis,
    order.map(() => 1),
  );
  for (const [i, row] of order.entries()) {
    const part = parts[i];
    const expected = alone[row]?.get(name);
    if (part === undefined || expected === undefined || !same(expected, part, scale)) {
      throw new Refuted(`output "${name}" changes when ${order.length} requests run together`);
    }
  }
};

const tensorsOf = (rows: readonly Row[], name: string): Tensor[] =>
  rows.map((row) => row.get(name)).filter((tensor) => tensor !== undefined);

const shape = (tensor: Tensor): string => `[${tensor.shape.join(", ")}]`;
const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
