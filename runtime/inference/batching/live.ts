import { RequestError } from "../../errors/request-error.ts";
import type { Tensor } from "../../tensors/index.ts";
import { add, type Counters, record } from "./counters.ts";
import { addDeadline, dropDeadline } from "./deadlines.ts";
import { noteArrival } from "./hold.ts";
import { append, type Entry, type Group, LEVELS, remove } from "./queue.ts";
import type { SchedulerOptions } from "./types.ts";

/** The requests that were admitted and not answered yet. Each ends once: by answer or fail. */
export type Live = {
  readonly counters: Counters;
  readonly requestTimeoutMs: number;
  /** Requests that wait, and that are in a run. */
  queued: number;
  inFlight: number;
  /** What both are charged for. */
  bytes: number;
  /** Where that is taken from, besides. */
  readonly memory: SchedulerOptions["memory"];
  /** Items that wait, by level of priority. */
  readonly itemsAt: Float64Array;
  /** The groups that have something waiting. */
  readonly active: Set<Group>;
  readonly deadlines: Entry[];
};

export const newLive = (counters: Counters, requestTimeoutMs: number, memory: Live["memory"]): Live => ({
  counters,
  memory,
  requestTimeoutMs,
  queued: 0,
  inFlight: 0,
  bytes: 0,
  itemsAt: new Float64Array(LEVELS + 1),
  active: new Set(),
  deadlines: [],
});

export const admit = (live: Live, entry: Entry, group: Group): void => {
  live.bytes += entry.bytes;
  enqueue(live, entry, group);
  noteArrival(group);
  addDeadline(live.deadlines, entry);
};

const enqueue = (live: Live, entry: Entry, group: Group): void => {
  entry.state = "waiting";
  append(group, entry);
  live.active.add(group);
  live.queued += 1;
  live.itemsAt[entry.level] = (live.itemsAt[entry.level] ?? 0) + entry.rows;
};

/** The bookkeeping of an entry that was removed from its queue. */
const dequeued = (live: Live, entry: Entry): void => {
  if (entry.queue.requests === 0) live.active.delete(entry.queue);
  live.queued -= 1;
  live.itemsAt[entry.level] = (live.itemsAt[entry.level] ?? 0) - entry.rows;
};

/** What was taken from its queue is in a run from now on. */
export const begin = (live: Live, entry: Entry, now: number): void => {
  dequeued(live, entry);
  live.inFlight += 1;
  entry.state = "running";
  entry.startedAt = now;
  add(live.counters.queue, 1, now - entry.arrivedAt);
  record(live.counters.queueMs, now - entry.arrivedAt);
};

/** Ends an entry's life; false where it had ended before. */
const leave = (live: Live, entry: Entry): boolean => {
  if (entry.state === "answered") return false;
  if (entry.state === "waiting") {
    remove(entry);
    dequeued(live, entry);
  } else live.inFlight -= 1;
  entry.state = "answered";
  dropDeadline(live.deadlines, entry);
  live.bytes -= entry.bytes;
  live.memory?.give(entry.bytes);
  return true;
};

export const answer = (live: Live, entry: Entry, outputs: ReadonlyMap<string, Tensor>, now: number): void => {
  if (!leave(live, entry)) return;
  const { counters } = live;
  add(counters.success, 1, now - entry.arrivedAt);
  record(counters.requestMs, now - entry.arrivedAt);
  entry.resolve(outputs);
};

export const fail = (live: Live, entry: Entry, error: RequestError, now: number): void => {
  if (!leave(live, entry)) return;
  add(live.counters.fail, 1, now - entry.arrivedAt);
  countError(live.counters, error);
  entry.reject(error);
};

export const countError = (counters: Counters, { code }: RequestError): void => {
  counters.errors[code] = (counters.errors[code] ?? 0) + 1;
};

/** What failed together waits to be run again, so that one bad request never fails others. */
export const again = (live: Live, entries: readonly Entry[], retries: Group, now: number): void => {
  for (const entry of entries) {
    if (entry.state !== "running") continue;
    if (entry.deadline <= now) {
      fail(live, entry, overdue(live, entry, now), now);
      continue;
    }
    live.inFlight -= 1;
    live.counters.retried += 1;
    enqueue(live, entry, retries);
  }
};

/** Its own deadline may be earlier than the server's limit; which of them it was decides what there is to do. */
const overdue = (live: Live, { state, arrivedAt, deadline }: Entry, now: number): RequestError => {
  const place = state === "waiting" ? "while it waited in the queue" : "while the model ran it";
  const took = `no answer after ${Math.round(now - arrivedAt)} ms: its deadline passed ${place}`;
  const why =
    deadline < arrivedAt + live.requestTimeoutMs
      ? "the client set this deadline; raise it"
      : `the limit is --request-timeout (${live.requestTimeoutMs / 1000} s); send less at once, or raise it`;
  return new RequestError("DeadlineExceeded", `${took}; ${why}`);
};

/** Fails what is past its deadline. */
export const expire = (live: Live, now: number): void => {
  const { deadlines } = live;
  for (let entry = deadlines[0]; entry !== undefined && entry.deadline <= now; entry = deadlines[0]) {
    fail(live, entry, overdue(live, entry, now), now);
  }
};
