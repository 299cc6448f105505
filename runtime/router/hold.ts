/**
 * Requests that wait for a pod: bounded in number, in bytes and in time, and let go in the order in which they came. Pure: a
 * hold is replaced by each step, and each step says what became of whom.
 */

export type Limits = {
  /** `spec.traffic.queue.maxRequests`. */
  maxRequests: number;
  /** Of all bodies that are kept meanwhile, together. */
  maxBytes: number;
  /** `spec.traffic.queue.maxWait`, in milliseconds. */
  maxWaitMs: number;
};

/** `since` in milliseconds of a clock that only goes forward. */
export type Waiting = { id: number; bytes: number; since: number };

/** The first came first. */
export type Hold = { waiting: readonly Waiting[]; bytes: number };

export const EMPTY: Hold = { waiting: [], bytes: 0 };

export type Offered = { hold: Hold; refused?: "requests" | "bytes" };

/** A request that finds the hold full is turned away at once: those that wait have a better claim to the next pod. */
export const offer = (hold: Hold, request: Waiting, { maxBytes, maxRequests }: Limits): Offered => {
  if (hold.waiting.length >= maxRequests) return { hold, refused: "requests" };
  if (hold.bytes + request.bytes > maxBytes) return { hold, refused: "bytes" };
  return { hold: holdOf([...hold.waiting, request]) };
};

export type Left = { hold: Hold; left: readonly Waiting[] };

/** Up to `count` of them go to pods. */
export const release = ({ waiting }: Hold, count: number): Left => ({
  hold: holdOf(waiting.slice(count)),
  left: waiting.slice(0, count),
});

/** Those that have waited for as long as they may. */
export const expire = ({ waiting }: Hold, { maxWaitMs }: Limits, now: number): Left => {
  const isOver = ({ since }: Waiting) => now - since >= maxWaitMs;
  return { hold: holdOf(waiting.filter((each) => !isOver(each))), left: waiting.filter(isOver) };
};

/** A client that has gone does not wait any more. */
export const withdraw = (hold: Hold, id: number): Hold => holdOf(hold.waiting.filter((each) => each.id !== id));

/** Milliseconds until the next one has waited for as long as it may; undefined where none waits. */
export const nextExpiry = ({ waiting }: Hold, { maxWaitMs }: Limits, now: number): number | undefined =>
  // one that comes back has waited before
  waiting.length === 0 ? undefined : Math.max(0, Math.min(...waiting.map(({ since }) => since)) + maxWaitMs - now);

const holdOf = (waiting: readonly Waiting[]): Hold => ({
  waiting,
  bytes: waiting.reduce((sum, { bytes }) => sum + bytes, 0),
});
