/** The requests of one revision that wait for a pod: `hold.ts` with a clock, and the requests themselves. */
import { EMPTY, expire, type Hold, type Limits, nextExpiry, offer, release, withdraw } from "./hold.ts";

export type Waiter = {
  bytes: number;
  /** A pod may be free: it tries again, and comes back if none is. */
  go(): void;
  /** It has waited for as long as it may. */
  expire(): void;
};

export type Ticket = { withdraw(): void };

export type WaitingRoom = {
  /** A request that comes back keeps its place in time by `since`. */
  enter(waiter: Waiter, since: number): Ticket | "requests" | "bytes";
  /** Lets up to `count` go. */
  release(count: number): void;
  /** Lets all go: what they wait for is no more. */
  empty(): void;
  size(): number;
};

export const createWaitingRoom = (limits: () => Limits, now: () => number): WaitingRoom => {
  let hold: Hold = EMPTY;
  let lastId = 0;
  const waiters = new Map<number, Waiter>();
  let timer: NodeJS.Timeout | undefined;

  const take = (id: number): Waiter | undefined => {
    const waiter = waiters.get(id);
    waiters.delete(id);
    return waiter;
  };
  const expireSome = (): void => {
    timer = undefined;
    const { hold: rest, left } = expire(hold, limits(), now());
    hold = rest;
    for (const { id } of left) take(id)?.expire();
    schedule();
  };
  const schedule = (): void => {
    if (timer !== undefined) return;
    const ms = nextExpiry(hold, limits(), now());
    // a timer may come a little early
    if (ms !== undefined) timer = setTimeout(expireSome, Math.ceil(ms) + 1);
  };
  const leave = (count: number): void => {
    const { hold: rest, left } = release(hold, count);
    hold = rest;
    for (const { id } of left) take(id)?.go();
    if (hold.waiting.length > 0) return;
    clearTimeout(timer);
    timer = undefined;
  };

  return {
    enter(waiter, since) {
      const id = ++lastId;
      const offered = offer(hold, { id, bytes: waiter.bytes, since }, limits());
      if (offered.refused !== undefined) return offered.refused;
      hold = offered.hold;
      waiters.set(id, waiter);
      schedule();
      return {
        withdraw: () => {
          hold = withdraw(hold, id);
          waiters.delete(id);
        },
      };
    },
    release: (count) => {
      if (count > 0 && hold.waiting.length > 0) leave(count);
    },
    empty: () => leave(hold.waiting.length),
    size: () => hold.waiting.length,
  };
};
