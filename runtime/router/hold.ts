/** Requests that wait, the oldest first, whenever they came in: a heap, so that each step costs the logarithm of their number at most. */

export type Limits = {
  /** `spec.traffic.queue.maxRequests`. */
  maxRequests: number;
  /** Of all bodies that are kept meanwhile, together. */
  maxBytes: number;
  /** `spec.traffic.queue.maxWait`, in milliseconds. */
  maxWaitMs: number;
};

/** Whoever comes back has the place that it had. `since` in milliseconds of a clock that only goes forward; among equals the `order`. */
export type Place = { since: number; order: number };

export type Waiting<T> = { readonly place: Place; readonly bytes: number; readonly who: T; isHere: boolean };

export type Hold<T> = {
  size(): number;
  bytes(): number;
  enter(place: Place, bytes: number, who: T): Waiting<T>;
  oldest(): Waiting<T> | undefined;
  /** It waits no more. */
  leave(waiting: Waiting<T>): void;
};

/** Those who left from the middle are swept out when they are more than those who wait, and more than this. */
const MOST_LEFT_BEHIND = 64;

export const createHold = <T>(): Hold<T> => {
  let heap: Waiting<T>[] = [];
  let size = 0;
  let bytes = 0;

  const push = (waiting: Waiting<T>): void => {
    let at = heap.length;
    heap.push(waiting);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent];
      if (above === undefined || isBefore(above.place, waiting.place)) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = waiting;
  };
  const pop = (): void => {
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      const [left, right] = [heap[2 * at + 1], heap[2 * at + 2]];
      if (left === undefined) break;
      const isRight = right !== undefined && isBefore(right.place, left.place);
      const child = isRight ? right : left;
      if (isBefore(last.place, child.place)) break;
      heap[at] = child;
      at = 2 * at + (isRight ? 2 : 1);
    }
    heap[at] = last;
  };
  const sweep = (): void => {
    while (heap[0]?.isHere === false) pop();
    if (heap.length - size <= Math.max(size, MOST_LEFT_BEHIND)) return;
    const here = heap.filter(({ isHere }) => isHere);
    heap = [];
    for (const waiting of here) push(waiting);
  };

  return {
    size: () => size,
    bytes: () => bytes,
    enter(place, count, who) {
      const waiting = { place, bytes: count, who, isHere: true };
      size++;
      bytes += count;
      push(waiting);
      return waiting;
    },
    oldest: () => heap[0],
    leave(waiting) {
      if (!waiting.isHere) return;
      waiting.isHere = false;
      size--;
      bytes -= waiting.bytes;
      sweep();
    },
  };
};

export const isBefore = (one: Place, other: Place): boolean =>
  one.since < other.since || (one.since === other.since && one.order < other.order);
