/**
 * Between the protocols and the shards: admits requests, joins those that may share a run, and answers each exactly once.
 */
import { RequestError } from "../../errors/request-error.ts";
import { elementCount, type Tensor } from "../../tensors/index.ts";
import type { GraphFindings } from "../graph/findings.ts";
import type { Inference, InferenceCall, Model } from "../index.ts";
import { boundStrings } from "../strings.ts";
import { refuse, takeMemory } from "./admission.ts";
import { chargeOf } from "./charge.ts";
import { type Alarm, type Clock, newAlarm } from "./clock.ts";
import { add, statisticsOf } from "./counters.ts";
import { endSharingToo } from "./ended.ts";
import { groupOf } from "./groups.ts";
import { admit, countError, expire, fail } from "./live.ts";
import { beginProbes, queueProbe } from "./probes.ts";
import { type Probe, type Proof, prove } from "./proof.ts";
import { createPump } from "./pump.ts";
import { levelOf, newEntry } from "./queue.ts";
import { refuseCrasher } from "./runs.ts";
import { conclude, describe, stopSharing } from "./sharing.ts";
import { newState, type State } from "./state.ts";
import type { Scheduler, SchedulerOptions, SchedulerSnapshot } from "./types.ts";
import { addWorker, removeWorker } from "./workers.ts";

export type { BatchingState, Scheduler, SchedulerOptions, SchedulerSnapshot } from "./types.ts";

/** What only a scheduler is given: who is asked, and who is told. */
type Beside = Pick<State, "random" | "onEnded"> & {
  graph?: Promise<GraphFindings>;
  onRefused?: (message: string) => void;
};

/** A scheduler's state, with what wakes it. */
type Running = {
  readonly state: State;
  readonly pump: ReturnType<typeof createPump>;
  /** Rings at the soonest deadline. */
  readonly expiry: Alarm;
  readonly beside: Beside;
};

/**
 * @param shapes an example of each input with which the model has run, by name; undefined where none is known, and then
 *   nothing can be proved and requests run apart.
 * @param beside what the model's graph says, without which runs alone decide, and who is told where that keeps requests
 *   apart; numbers in [0, 1), which choose the requests that are run again; and who is told that batching has ended
 */
export const createScheduler = (
  model: Model,
  options: SchedulerOptions,
  clock: Clock,
  shapes: ReadonlyMap<string, readonly number[]> | undefined,
  beside: Beside,
): Scheduler => {
  const state = newState(model, options, clock, shapes !== undefined, beside);
  const { live, sharing, workers } = state;
  const pump = createPump(state);
  const expiry = newAlarm(clock, () => {
    expire(live, clock.now());
    const [next] = live.deadlines;
    if (next !== undefined) expiry.set(next.deadline);
  });
  const running: Running = { state, pump, expiry, beside };
  let isProving = false;
  return {
    infer: (call) => infer(running, call),
    addShard(shard) {
      addWorker(workers, shard);
      if (sharing.state === "proving" && !isProving && shapes !== undefined) {
        isProving = true;
        beginProof(running, shapes);
      }
      pump.soon();
    },
    removeShard: (shard) => removeWorker(workers, shard),
    endBatching: (found) => endSharingToo(state, found),
    expectShard(at) {
      workers.expectedAt = at;
    },
    statistics: () => statisticsOf(live.counters),
    snapshot: () => snapshotOf(state),
    close() {
      pump.stop();
      const now = clock.now();
      for (const entry of [...live.deadlines])
        fail(live, entry, new RequestError("Unavailable", "the server is shutting down", 1), now);
      expiry.stop();
    },
  };
};

const infer = ({ expiry, pump, state }: Running, call: InferenceCall): Inference => {
  const { clock, live, options } = state;
  const now = clock.now();
  const shape = state.sharing.shapeOf(call);
  const level = levelOf(call.priority);
  for (const [name, { datatype, shape }] of call.inputs) {
    if (datatype === "BYTES") boundStrings(`input "${name}"`, elementCount(shape) ?? 0);
  }
  const bytes = chargeOf(call.inputs);
  const deadline = Math.min(call.deadline ?? Number.POSITIVE_INFINITY, now + options.requestTimeoutMs);
  const group = groupOf(state.groups, shape, now);
  const refused =
    refuse(state, group, { rows: shape.rows, bytes, level, deadline }, now) ??
    refuseCrasher(state, call, now) ??
    takeMemory(live, bytes);
  if (refused !== undefined) {
    countError(live.counters, refused);
    add(live.counters.fail, 1, 0);
    throw refused;
  }
  const { promise, resolve, reject } = Promise.withResolvers<ReadonlyMap<string, Tensor>>();
  const entry = newEntry(call, group, { rows: shape.rows, bytes, level, deadline, now }, resolve, reject);
  admit(live, entry, group);
  expiry.set(live.deadlines[0]?.deadline ?? deadline);
  if (state.workers.free.length > 0) pump.soon();
  const cancel = (): void => {
    if (entry.state === "answered") return;
    // whoever has gone need not look at the answer, and that must not end the process
    promise.catch(() => undefined);
    fail(live, entry, new RequestError("Cancelled", "the client closed the connection"), clock.now());
  };
  return { result: promise, cancel };
};

const beginProof = (running: Running, examples: ReadonlyMap<string, readonly number[]>): void => {
  const { groups, live, model, sharing } = running.state;
  proofOf(running, examples).then(
    (proof) => {
      if (sharing.state === "ended") return;
      conclude(sharing, groups, model, proof);
      if (proof.proved || proof.byGraph !== true) return;
      running.beside.onRefused?.(
        `requests of model ${model.name} are not batched: ${proof.reason}. To batch them, export the model so that this works ` +
          "on each row alone; otherwise no action is needed",
      );
    },
    () => {
      if (sharing.state === "ended") return;
      stopSharing(sharing, groups, live.active, model, "unproved", "the proof could not be made");
    },
  );
};

const proofOf = async (
  { beside, pump, state }: Running,
  examples: ReadonlyMap<string, readonly number[]>,
): Promise<Proof> => {
  const graph = beside.graph && (await beside.graph);
  beginProbes(state.probes, state.clock.now());
  const probe: Probe = (job, expectedMs) => {
    const result = queueProbe(state.probes, job, expectedMs);
    pump.soon();
    return result;
  };
  return prove(state.model, examples, state.options, probe, graph);
};

const snapshotOf = (state: State): SchedulerSnapshot => ({
  queued: state.live.queued,
  queuedBytes: state.live.bytes,
  inFlight: state.live.inFlight,
  running: state.running,
  shards: state.workers.all.size,
  batching: describe(state.sharing, state.lastGroup),
  checks: state.checks.counts,
  serviceTime: state.lastGroup && { a: state.lastGroup.cost.a, b: state.lastGroup.cost.b },
  counters: state.live.counters,
});
