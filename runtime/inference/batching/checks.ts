import type { Tensor } from "../../tensors/index.ts";
import { InferenceError, type Job, type JobResult } from "../shards/types.ts";
import { chargeOf } from "./charge.ts";
import { affords } from "./check-budget.ts";
import { estimate } from "./cost.ts";
import { endSharing } from "./ended.ts";
import { joinInput, splitOutput } from "./join.ts";
import { queueProbe } from "./probes.ts";
import type { Entry, Group } from "./queue.ts";
import type { State } from "./state.ts";
import { type Difference, differenceOf, isRounding, remember } from "./verdict.ts";

// Now and then a request that was answered from a batch is run again alone, behind its answer, and compared.

/** A request of a batch: what it brought and what it was answered, copied, and where in the batch it was. */
type Sample = {
  group: Group;
  inputs: ReadonlyMap<string, Tensor>;
  outputs: readonly string[];
  together: ReadonlyMap<string, Tensor>;
  /** Items: its own, those before it, and all. */
  rows: number;
  before: number;
  total: number;
  requests: number;
  answeredAt: number;
};

/** A request that takes longer alone is not run again: others may come meanwhile. */
const LONGEST_MS = 500;
/** The most that is copied; comparing it stops the event loop for 1 ms for each MiB. */
const MAX_BYTES = 8 * 1024 ** 2;
/** While requests wait, it waits so long for a moment when none does. */
const WAIT_MS = 1000;

/** A run for requests has ended. */
export const noteRun = ({ checks, policy }: State, runMs: number): void => {
  checks.budget.ranMs += runMs + policy.hopMs;
};

/** A batch was answered: one of its requests is run again where that is within the budget. */
export const considerCheck = (
  state: State,
  entries: readonly Entry[],
  parts: readonly ReadonlyMap<string, Tensor>[],
  wake: () => void,
): void => {
  const { checks, live, policy, probes, sharing } = state;
  if (checks.isRunning || sharing.state !== "on" || probes.pending !== undefined) return;
  const at = Math.min(entries.length - 1, Math.floor(state.random() * entries.length));
  const entry = entries[at];
  const together = parts[at];
  if (entry === undefined || together === undefined) return;
  const expectedMs = policy.hopMs + estimate(entry.home.cost, entry.rows);
  if (expectedMs > LONGEST_MS || !affords(checks.budget, expectedMs)) return;
  const bytes = chargeOf(entry.inputs) + chargeOf(together);
  if (bytes > MAX_BYTES || !takeSpare(live.memory, bytes)) return;
  const rowsOf = (some: readonly Entry[]): number => some.reduce((sum, { rows }) => sum + rows, 0);
  const sample: Sample = {
    group: entry.home,
    inputs: copied(entry.inputs),
    outputs: entry.outputs,
    together: copied(together),
    rows: entry.rows,
    before: rowsOf(entries.slice(0, at)),
    total: rowsOf(entries),
    requests: entries.length,
    answeredAt: state.clock.epochMs(),
  };
  checks.isRunning = true;
  // a fault of ours, or of the shard, costs this check and nothing else
  check(state, sample, wake)
    .catch(() => undefined)
    .finally(() => {
      checks.isRunning = false;
      live.memory?.give(bytes);
    });
};

/** Memory that requests do not need soon: several times as much must be free. */
const takeSpare = (memory: State["live"]["memory"], bytes: number): boolean => {
  if (memory === undefined) return true;
  if (!memory.take(SPARE * bytes)) return false;
  memory.give((SPARE - 1) * bytes);
  return true;
};
const SPARE = 4;

const copied = (tensors: ReadonlyMap<string, Tensor>): Map<string, Tensor> =>
  new Map([...tensors].map(([name, tensor]) => [name, { ...tensor, bytes: Uint8Array.from(tensor.bytes) }]));

const check = async (state: State, sample: Sample, wake: () => void): Promise<void> => {
  const { checks, sharing } = state;
  const { counts, magnitudes } = checks;
  const { axes } = sharing;
  if (axes === undefined) return;
  const alone = await runBehind(state, aloneJob(state, sample), sample.rows, sample.group, WAIT_MS, wake);
  if (alone instanceof InferenceError) {
    if (alone.blame !== "input") return;
    end(
      state,
      sample,
      `was answered in a batch of ${sample.requests}, and alone the model refuses it: ${alone.message}`,
    );
    return;
  }
  const difference = differenceOf(sample.together, alone.outputs, magnitudes);
  remember(magnitudes, alone.outputs);
  if (difference === undefined) {
    counts.same += 1;
    return;
  }
  const copies = copiesJob(state, sample);
  const amongCopies = await runBehind(state, copies, sample.total, sample.group, 0, wake);
  if (amongCopies instanceof InferenceError) return;
  const own = new Map(
    [...amongCopies.outputs].map(([name, tensor]): [string, Tensor] => {
      const axis = sharing.axisOf.get(name) ?? 0;
      const [, part = tensor] = splitOutput(name, tensor, axis, [
        sample.before,
        sample.rows,
        sample.total - sample.before - sample.rows,
      ]);
      return [name, part];
    }),
  );
  const seen = { checked: counts.same + counts.rounding, ties: counts.rounding };
  if (isRounding(difference, sample.together, own, magnitudes, seen)) counts.rounding += 1;
  else end(state, sample, inWords(difference, sample));
};

/** Its job when a shard has time. What the model says against it is no failure of the check. */
const runBehind = async (
  state: State,
  job: Job,
  rows: number,
  group: Group,
  waitMs: number,
  wake: () => void,
): Promise<JobResult | InferenceError> => {
  const { checks, clock, policy, probes } = state;
  probes.dueAt = waitMs === 0 ? 0 : Math.max(probes.dueAt, clock.now() + waitMs);
  const result = queueProbe(probes, job, estimate(group.cost, rows));
  wake();
  try {
    const done = await result;
    checks.budget.spentMs += policy.hopMs + done.runMs;
    return done;
  } catch (error) {
    checks.budget.spentMs += policy.hopMs + estimate(group.cost, rows);
    if (error instanceof InferenceError) return error;
    throw error;
  }
};

const aloneJob = ({ model }: State, { inputs, outputs }: Sample): Job => ({
  inputs: model.inputs.flatMap(({ name }) => {
    const tensor = inputs.get(name);
    return tensor === undefined ? [] : [joinInput(name, undefined, [tensor])];
  }),
  outputs,
});

/** As large as the batch was, and the request's items where they were, but all others are copies of them. */
const copiesJob = ({ model, sharing }: State, { before, inputs, outputs, rows, total }: Sample): Job => ({
  inputs: model.inputs.flatMap(({ name }, i) => {
    const tensor = inputs.get(name);
    const axis = sharing.axes?.inputs[i];
    if (tensor === undefined) return [];
    if (axis === undefined) return [joinInput(name, undefined, [tensor])];
    const items = splitOutput(name, tensor, axis, new Array<number>(rows).fill(1));
    const placed = Array.from({ length: total }, (_, at) => items[(at - before + total * rows) % rows]);
    return [
      joinInput(
        name,
        axis,
        placed.filter((item) => item !== undefined),
      ),
    ];
  }),
  outputs,
});

const inWords = ({ alone, element, output, together }: Difference, { requests, rows }: Sample): string =>
  `had ${together} at element ${element} of its output "${output}" in a batch of ${requests}, and has ${alone} alone (${rows} ${rows === 1 ? "item" : "items"})`;

/** Of the process's life: what was wrong once is not tried again. */
const end = (state: State, sample: Sample, what: string): void => {
  state.checks.counts.different += 1;
  const reason = `a request ${what}: its answer depended on the other requests of the batch`;
  const answeredAt = new Date(sample.answeredAt).toISOString();
  endSharing(
    state,
    reason,
    `the answers of that batch, ${sample.requests} requests at ${answeredAt}, were already sent, and earlier ones may be wrong as well`,
  );
};
