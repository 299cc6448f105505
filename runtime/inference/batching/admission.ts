import { RequestError } from "../../errors/request-error.ts";
import { estimate } from "./cost.ts";
import type { Group } from "./queue.ts";
import type { State } from "./state.ts";

/** A request this small has a reserve (an eighth of the whole) that large ones cannot take from it. */
const SMALL_BYTES = 64 * 1024;

/** What a new request would wait for. Times in milliseconds. */
export type Load = {
  now: number;
  /** Items before it: of its priority and above. */
  itemsAhead: number;
  /** What an item costs in full batches; 0 where nothing was run yet. */
  perItemMs: number;
  /** When each busy shard is expected to be free. */
  busyUntil: readonly number[];
  /** Shards that live, busy or not. */
  shards: number;
  /** When a shard is expected where none lives; undefined: none will come. */
  shardExpectedAt: number | undefined;
};

/** Milliseconds until its run begins; undefined: never. */
const predictedWait = (load: Load): number | undefined => {
  const { now, shards } = load;
  if (shards === 0) {
    if (load.shardExpectedAt === undefined) return undefined;
    return timeLeft(load.shardExpectedAt, now) + load.itemsAhead * load.perItemMs;
  }
  const free = shards - load.busyUntil.length;
  if (free > 0 && load.itemsAhead === 0) return 0;
  let running = 0;
  for (const end of load.busyUntil) running += timeLeft(end, now);
  return (running + load.itemsAhead * load.perItemMs) / shards;
};

/** How long something that was expected at `time` will yet take. What is late will, for all that is known, be as late again. */
const timeLeft = (time: number, now: number): number => Math.abs(time - now);

/** Why this request cannot be admitted now; undefined where it can. */
export const refuse = (
  { live, options, perItemMs, workers }: State,
  group: Group,
  { rows, bytes, level, deadline }: { rows: number; bytes: number; level: number; deadline: number },
  now: number,
): RequestError | undefined => {
  if (deadline <= now) {
    return new RequestError("DeadlineExceeded", "the deadline of the request had passed on arrival; give it more time");
  }
  const shards = workers.all.size;
  const retry = Math.max(1, Math.ceil((live.queued * perItemMs) / Math.max(1, shards) / 1000));
  if (live.queued >= options.maxQueued) {
    return new RequestError("Overloaded", `${live.queued} requests are waiting; try again in ${retry} s`, retry);
  }
  if (bytes > options.maxQueuedBytes) {
    return new RequestError(
      "TooLarge",
      `the request needs ${bytes} bytes of memory (its tensors, and about 100 for each string), all unanswered requests together may have ${options.maxQueuedBytes}; send less at once, or raise the memory limit (spec.resources.limits.memory)`,
    );
  }
  const reserve = bytes <= SMALL_BYTES ? options.maxQueuedBytes / 8 : 0;
  if (live.bytes + bytes > options.maxQueuedBytes + reserve) {
    const message = `unanswered requests hold ${live.bytes} bytes of at most ${options.maxQueuedBytes}, and this one has ${bytes}`;
    return new RequestError("Overloaded", `${message}; try again in ${retry} s`, retry);
  }
  if (live.queued === 0 && workers.free.length > 0) return undefined;
  // nothing ran yet, so nothing can be predicted; the bounds above hold
  if (perItemMs === 0 && shards > 0) return undefined;
  let itemsAhead = 0;
  for (let i = 1; i <= level; i++) itemsAhead += live.itemsAt[i] ?? 0;
  const busyUntil: number[] = [];
  for (const worker of workers.all) if (worker.busy) busyUntil.push(worker.busyUntil);
  const load = { now, itemsAhead, perItemMs, busyUntil, shards, shardExpectedAt: workers.expectedAt };
  return refusal(load, deadline, group.cost.runs > 0 ? estimate(group.cost, rows) : 0);
};

/** Takes what a request is charged for; why it cannot be admitted where there is no room. */
export const takeMemory = ({ memory }: State["live"], bytes: number): RequestError | undefined =>
  memory === undefined || memory.admit(bytes)
    ? undefined
    : new RequestError("Overloaded", "the memory for bodies, requests and answers is full; try again", 1);

/** Why a request that has until `deadline` and takes `runMs` is not admitted; undefined where it is. */
export const refusal = (load: Load, deadline: number, runMs: number): RequestError | undefined => {
  const wait = predictedWait(load);
  if (wait === undefined) {
    return new RequestError("Unavailable", "no process runs the model at the moment; try again later", 1);
  }
  if (load.now + wait + runMs <= deadline) return undefined;
  const retry = Math.max(1, Math.ceil(wait / 1000));
  if (load.shards === 0) {
    return new RequestError(
      "Unavailable",
      `the server restarts the model, and is ready in about ${retry} s; try again then`,
      retry,
    );
  }
  const left = Math.max(0, Math.round(deadline - load.now));
  return new RequestError(
    "Overloaded",
    `the request would wait about ${Math.round(wait)} ms and run about ${Math.round(runMs)} ms, but has ${left} ms left; ` +
      `try again in ${retry} s or give it more time`,
    retry,
  );
};
