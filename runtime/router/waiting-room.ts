/** The requests of one revision that wait for a pod, bounded in number, in bytes and in time. */
import type { After } from "../event-loop/after.ts";
import { createHold, type Hold, isBefore, type Limits, type Place, type Waiting } from "./hold.ts";
import type { Protocol } from "./message.ts";

/** What a pod must be able to do for one who waits; they do not stand in each other's way. */
export type Lane = `${Protocol}${"" | "-pinned"}`;

const LANES: readonly Lane[] = ["http", "grpc", "http-pinned", "grpc-pinned"];

export const protocolOf = (lane: Lane): Protocol => (lane.startsWith("grpc") ? "grpc" : "http");
/** Whether another revision may answer it. */
export const isPinned = (lane: Lane): boolean => lane.endsWith("-pinned");

export type Waiter = {
  lane: Lane;
  bytes: number;
  /** A pod may be free: it tries again, and comes back if none is. */
  go(): void;
  /** It has waited for as long as it may. */
  expire(): void;
};

export type Ticket = { place: Place; withdraw(): void };

export type WaitingRoom = {
  /** One who comes back has its `place` before all who came later, and is not turned away. */
  enter(waiter: Waiter, place?: Place): Ticket | "requests" | "bytes";
  /** Lets the oldest of those lanes go that `may`, and so on; a lane whose oldest comes back at once has to wait. */
  release(may: (lane: Lane) => boolean): void;
  /** Lets all go: what they wait for is no more. */
  empty(): void;
  size(): number;
};

export const createWaitingRoom = (limits: () => Limits, now: () => number, after: After): WaitingRoom => {
  const lanes = LANES.map((lane) => ({ lane, hold: createHold<Waiter>() }));
  let orders = 0;
  let size = 0;
  let alarm: { dueAt: number; close(): void } | undefined;

  const holdOf = (lane: Lane): Hold<Waiter> | undefined => lanes.find((one) => one.lane === lane)?.hold;
  const bytes = (): number => lanes.reduce((sum, { hold }) => sum + hold.bytes(), 0);
  const leave = (waiting: Waiting<Waiter>): void => {
    if (!waiting.isHere) return;
    holdOf(waiting.who.lane)?.leave(waiting);
    size--;
    if (size > 0) return;
    alarm?.close();
    alarm = undefined;
  };
  const oldest = (may: (lane: Lane) => boolean): Waiting<Waiter> | undefined => {
    let first: Waiting<Waiter> | undefined;
    for (const { hold, lane } of lanes) {
      const here = hold.oldest();
      if (here === undefined || (first !== undefined && isBefore(first.place, here.place)) || !may(lane)) continue;
      first = here;
    }
    return first;
  };
  const all = (): boolean => true;

  const expireSome = (): void => {
    alarm = undefined;
    for (;;) {
      const first = oldest(all);
      if (first === undefined || now() - first.place.since < limits().maxWaitMs) break;
      leave(first);
      first.who.expire();
    }
    schedule();
  };
  const schedule = (): void => {
    const first = oldest(all);
    if (first === undefined) return;
    const dueAt = first.place.since + limits().maxWaitMs;
    if (alarm !== undefined && alarm.dueAt <= dueAt) return;
    alarm?.close();
    // a timer may come a little early
    const timer = after(Math.max(0, Math.ceil(dueAt - now())) + 1, expireSome);
    alarm = { dueAt, close: () => timer.close() };
  };

  return {
    enter(waiter, place) {
      const { maxBytes, maxRequests } = limits();
      if (place === undefined && size >= maxRequests) return "requests";
      if (place === undefined && bytes() + waiter.bytes > maxBytes) return "bytes";
      const mine = place ?? { since: now(), order: ++orders };
      const waiting = holdOf(waiter.lane)?.enter(mine, waiter.bytes, waiter);
      size++;
      schedule();
      return { place: mine, withdraw: () => waiting !== undefined && leave(waiting) };
    },
    release(may) {
      const stuck = new Set<Lane>();
      const goes = (lane: Lane): boolean => !stuck.has(lane) && may(lane);
      for (let left = size; left > 0; left--) {
        const first = oldest(goes);
        if (first === undefined) return;
        const { lane } = first.who;
        leave(first);
        first.who.go();
        if (holdOf(lane)?.oldest()?.place === first.place) stuck.add(lane);
      }
    },
    empty() {
      const here: Waiting<Waiter>[] = [];
      for (let first = oldest(all); first !== undefined; first = oldest(all)) {
        leave(first);
        here.push(first);
      }
      for (const { who } of here) who.go();
    },
    size: () => size,
  };
};
