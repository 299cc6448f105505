import { RequestError } from "../../errors/request-error.ts";
import type { Tensor } from "../../tensors/index.ts";
import { InferenceError, type Job, type JobResult, ShardLost } from "../shards/types.ts";
import { noteWhole } from "../whole.ts";
import { considerCheck, noteRun } from "./checks.ts";
import { estimate } from "./cost.ts";
import { countRun } from "./counters.ts";
import { endSharing } from "./ended.ts";
import { learn } from "./groups.ts";
import { noteEnd, noteStart } from "./hold.ts";
import { joinInput, Misfit, splitOutput } from "./join.ts";
import { again, answer, begin, fail } from "./live.ts";
import type { Entry, Group } from "./queue.ts";
import type { State } from "./state.ts";
import { batchRanWell, beginTrial, ranWell } from "./trial.ts";
import { lose, occupy, release, type Worker } from "./workers.ts";

/** A run: `entries` may be answered already, by their deadlines or because the client closed the connection. */
type Run = { entries: readonly Entry[]; items: number; group: Group; inputMs: number };

/** How a run asks for what comes next: at once, or at the end of this turn. */
export type Pump = { now(): void; soon(): void };

/** Until it is told when a shard is expected in place of one that was lost. */
const RESTART_MS = 2000;

/** Runs what was taken from its queue on a free shard. */
export const startRun = (state: State, taken: readonly Entry[], now: number, pump: Pump): void => {
  const { clock, live, policy } = state;
  const entries = state.crashers.any() ? withoutCrashers(state, taken, now) : taken;
  const [oldest] = entries;
  if (oldest === undefined) return;
  const worker = state.workers.free.pop();
  if (worker === undefined) return;
  let items = 0;
  for (const entry of entries) {
    items += entry.rows;
    begin(live, entry, now);
  }
  state.running += 1;
  const group = oldest.home;
  group.running += 1;
  noteStart(group, items);
  let running: Promise<JobResult>;
  let startedAt: number;
  try {
    const job = join(state, entries, oldest.outputs);
    startedAt = clock.now();
    occupy(worker, startedAt + policy.hopMs + estimate(group.cost, items));
    running = worker.shard.run(job);
  } catch {
    // a fault of ours must cost no more than these requests, and never the shard
    release(state.workers, worker);
    state.running -= 1;
    group.running -= 1;
    noteEnd(group, items);
    failAll(state, entries, new RequestError("Internal", "the request cannot be batched"), now);
    return;
  }
  const run: Run = { entries, items, group, inputMs: startedAt - now };
  running.then(
    (result) => done(state, worker, run, result, pump),
    (error: unknown) => failed(state, worker, run, error, pump),
  );
};

/** One that came before the same request ended a process is not run any more. */
const withoutCrashers = (state: State, entries: readonly Entry[], now: number): readonly Entry[] =>
  entries.filter((entry) => {
    const refused = refuseCrasher(state, entry, now);
    if (refused === undefined) return true;
    begin(state.live, entry, now);
    fail(state.live, entry, refused, now);
    return false;
  });

/** Why a request that has ended a process is not run; undefined for all others. */
export const refuseCrasher = (
  { crashers }: State,
  request: Pick<Entry, "inputs" | "outputs">,
  now: number,
): RequestError | undefined => {
  const at = crashers.crashedAt(request, now);
  if (at === undefined) return undefined;
  const seconds = Math.round((now - at) / 1000);
  return new RequestError(
    "Internal",
    `the same request crashed the model's process ${seconds} s ago, so the server does not run it again for ten minutes`,
  );
};

const join = ({ model, sharing }: State, entries: readonly Entry[], outputs: readonly string[]): Job => ({
  inputs: model.inputs.map(({ name }, i) => joinInput(name, sharing.axes?.inputs[i], tensorsOf(entries, name))),
  outputs,
});

const tensorsOf = (entries: readonly Entry[], name: string): Tensor[] => {
  const tensors: Tensor[] = [];
  for (const { inputs } of entries) {
    const tensor = inputs.get(name);
    if (tensor !== undefined) tensors.push(tensor);
  }
  return tensors;
};

const done = (state: State, worker: Worker, run: Run, result: JobResult, pump: Pump): void => {
  const { clock, live, policy } = state;
  const { counters } = live;
  const now = clock.now();
  release(state.workers, worker);
  state.running -= 1;
  const { group, entries, items } = run;
  if (live.memory !== undefined) live.memory.passed?.(bytesOf(result));
  group.running -= 1;
  noteEnd(group, items);
  // before it is learnt from, so that the size of what was paused is right at once
  if (entries.length > 1) batchRanWell(group);
  learn(state.groups, group, items, result.runMs, now);
  noteRun(state, result.runMs);
  state.lastGroup = group;
  const { a, b, apart } = group.cost;
  const marginal = b + (apart ? (a + policy.hopMs) / group.size : policy.hopMs);
  state.perItemMs = state.perItemMs === 0 ? marginal : state.perItemMs + 0.1 * (marginal - state.perItemMs);
  // the shard goes on before the answers are written: they can wait, it cannot
  pump.now();
  const [only] = entries;
  if (entries.length === 1 && only !== undefined) {
    ranWell(only, now);
    countRun(counters, 1, items, run.inputMs, result.runMs, 0);
    counters.lastInferenceMs = clock.epochMs();
    noteWhole(result.outputs);
    answer(live, only, result.outputs, now);
    return;
  }
  if (state.sharing.state === "ended") {
    again(live, entries, state.retries, now);
    pump.soon();
    return;
  }
  const splitAt = clock.now();
  let parts: Map<string, Tensor>[];
  try {
    parts = split(state, entries, result.outputs);
  } catch (error) {
    if (!(error instanceof Misfit)) {
      failAll(state, entries, new RequestError("Internal", "the answer to a batch cannot be split"), now);
      return;
    }
    endSharing(state, error.message, "its requests run again, each alone");
    again(live, entries, state.retries, now);
    pump.soon();
    return;
  }
  const answeredAt = clock.now();
  countRun(counters, entries.length, items, run.inputMs, result.runMs, answeredAt - splitAt);
  counters.lastInferenceMs = clock.epochMs();
  for (const [i, entry] of entries.entries()) answer(live, entry, parts[i] ?? new Map(), answeredAt);
  considerCheck(state, entries, parts, pump.soon);
};

const bytesOf = ({ outputs }: JobResult): number => {
  let bytes = 0;
  for (const tensor of outputs.values()) bytes += tensor.bytes.length;
  return bytes;
};

const split = (
  { sharing }: State,
  entries: readonly Entry[],
  outputs: ReadonlyMap<string, Tensor>,
): Map<string, Tensor>[] => {
  const rows = entries.map((entry) => entry.rows);
  const parts = entries.map(() => new Map<string, Tensor>());
  for (const [name, tensor] of outputs) {
    const own = splitOutput(name, tensor, sharing.axisOf.get(name) ?? 0, rows);
    for (let i = 0; i < own.length; i++) {
      const one = own[i];
      if (one !== undefined) parts[i]?.set(name, one);
    }
  }
  return parts;
};

const failed = (state: State, worker: Worker, run: Run, error: unknown, pump: Pump): void => {
  const { live } = state;
  const now = state.clock.now();
  state.running -= 1;
  run.group.running -= 1;
  noteEnd(run.group, run.items);
  giveBack(state, worker, error, now);
  const timedOut = error instanceof ShardLost && error.how === "timeout";
  if (run.entries.length > 1 && !timedOut) {
    beginTrial(run.entries, run.group, error instanceof Error ? error.message : "");
    again(live, run.entries, state.retries, now);
    pump.soon();
  } else {
    const [only] = run.entries;
    if (error instanceof ShardLost && error.how === "crash" && run.entries.length === 1 && only !== undefined) {
      state.crashers.note(only, now, error.killed);
    }
    failAll(state, run.entries, reported(state, error), now);
  }
  pump.now();
};

const failAll = ({ live }: State, entries: readonly Entry[], error: RequestError, now: number): void => {
  for (const entry of entries) fail(live, entry, error, now);
};

/** After a failure: the shard is free again, or it is gone. */
export const giveBack = ({ workers, live }: State, worker: Worker, error: unknown, now: number): void => {
  if (!(error instanceof ShardLost)) {
    release(workers, worker);
    return;
  }
  live.counters.shardsLost += 1;
  lose(workers, worker, now + RESTART_MS);
};

const reported = ({ options }: State, error: unknown): RequestError => {
  if (error instanceof InferenceError) {
    return error.blame === "input"
      ? new RequestError("InvalidArgument", error.message)
      : new RequestError("Internal", `the model failed: ${error.message}`);
  }
  if (error instanceof ShardLost && error.how === "timeout") {
    const limit = `--request-timeout (${options.requestTimeoutMs / 1000} s)`;
    const message = `the run took longer than ${limit}; send less at once, or raise that`;
    return new RequestError("DeadlineExceeded", message);
  }
  if (error instanceof ShardLost) {
    return new RequestError("Internal", "this request crashed the model's process");
  }
  return new RequestError("Internal", "the request could not be run");
};
