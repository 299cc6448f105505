import type { Cost } from "./cost.ts";

/** What bounds a batch. Times in milliseconds. */
export type Policy = {
  maxBatch: number;
  maxDelayMs: number;
  /** No batch is made that is expected to run longer: it would meet the request timeout on a slow day. */
  longestRunMs: number;
  /**
   * What a job costs besides the run, whatever its size: written to a socket, another process woken, its answer read.
   * Measured at 0.1 to 0.2 ms of processor time for both sides together.
   */
  hopMs: number;
};

/** Under this share of its cost saved, a batch only delays its first request. Above the second, batching returns. */
const GAIN_OFF = 0.08;
const GAIN_ON = 0.12;
/** A batch need not grow beyond the size where what all runs share is this little of an item's own cost. */
const SATURATED = 0.05;
/** The first batch of a shape whose cost is unknown; each later one may be twice the largest before. */
const FIRST_BATCH = 4;

/**
 * Whether batching gains: what an endless batch saves of a lone request's cost, (a + hop) / (a + hop + b).
 *   tiny MLP      a 0.015, b 0.001, hop 0.15: 99 %, gains
 *   MiniLM        a 3, b 9.5:                 25 %, gains
 *   OCR, 1 thread a 0, b 45:                 0.3 %, does not
 * A shape of which one size was seen may gain.
 */
export const gains = (cost: Cost, policy: Policy, before: boolean): boolean => {
  if (!cost.apart) return true;
  const shared = cost.a + policy.hopMs;
  return shared / (shared + cost.b) >= (before ? GAIN_OFF : GAIN_ON);
};

/**
 * The most items that a batch should have. At n items the shared part is (a + hop) / n for each.
 *   tiny MLP  0.165 / (0.05 · 0.001) = 3,300: the policy's maximum
 *   MiniLM    3.15 / (0.05 · 9.5) = 6.6: 7, and the 8th would wait for nothing
 */
export const usefulSize = (cost: Cost, policy: Policy): number => {
  let size = Math.min(policy.maxBatch, Math.max(FIRST_BATCH, 2 * cost.largest));
  if (cost.apart && cost.b > 0) size = Math.min(size, Math.ceil((cost.a + policy.hopMs) / (SATURATED * cost.b)));
  if (cost.b > 0) size = Math.min(size, Math.floor((policy.longestRunMs - cost.a) / cost.b));
  return Math.max(1, size);
};

/** What waits with one key, and the shards. */
export type Waiting = {
  items: number;
  requests: number;
  /** When the oldest came. */
  oldestAt: number;
  /** The most items of a batch; 1 where requests must run apart. */
  size: number;
  cost: Cost;
  freeShards: number;
  /** When the first busy shard is expected to be free; Infinity where none is busy. */
  busyUntil: number;
};

/** Begin a batch of at most `items` now, or decide again at `wakeAt` if nothing else happened. */
export type Decision = { items: number } | { wakeAt: number };

/**
 * What to do with a free shard. "job" is what one more job costs whatever its size: hop + a.
 *
 * 1. Requests that run apart go to any free shard: OCR at 45 ms on two shards keeps both busy with batches of 1.
 * 2. Joining the batch that a busy shard will take next saves one job and costs the wait. While that wait is at most a
 *    job, requests stay. Tiny MLP: a job is 0.165 ms and a run of 8 takes 0.173, so one shard takes all, in batches, and
 *    a second only what a full batch leaves. MiniLM: a job is 3.15 ms of 12.7 for one item, so a free shard begins
 *    unless the other is nearly done. A shard that is late by more than a job is waited for no longer.
 * 3. --max-delay holds a batch that is not full.
 * 4. What waits is divided among free shards while that ends the whole sooner by more than the job it adds: from k to
 *    k + 1 parts it saves b·items / (k·(k + 1)). MiniLM, 8 items, two free: 38 ms saved for 3.15: 4 + 4. Tiny MLP, 32
 *    items: 0.016 saved for 0.165: all in one. 784-1024³-10 MLP (a 0.57, b 0.08), 32 items: 1.28 for 0.72: 16 + 16.
 */
export const dispatch = (waiting: Waiting, policy: Policy, now: number): Decision => {
  const { items, size, cost, freeShards, busyUntil } = waiting;
  if (size === 1) return { items: 1 };
  const job = policy.hopMs + cost.a;
  if (items < size) {
    if (cost.runs > 0 && busyUntil - now <= job && now <= busyUntil + job) return { wakeAt: busyUntil + job };
    if (now < waiting.oldestAt + policy.maxDelayMs) return { wakeAt: waiting.oldestAt + policy.maxDelayMs };
  }
  const parts = shareOut(cost, policy, items, Math.min(freeShards, waiting.requests));
  return { items: Math.min(size, Math.ceil(items / parts)) };
};

/** Into how many runs on `most` shards so many items are best divided. */
export const shareOut = (cost: Cost, policy: Policy, items: number, most: number): number => {
  let parts = 1;
  while (parts < most && (cost.b * items) / (parts * (parts + 1)) > policy.hopMs + cost.a) parts++;
  return parts;
};
