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

type State = {
  readonly limits: () => Limits;
  readonly now: () => number;
  readonly after: After;
  readonly lanes: readonly { lane: Lane; hold: Hold<Waiter> }[];
  orders: number;
  size: number;
  /** For the oldest of all, whose time is up first. */
  alarm: { dueAt: number; close(): void } | undefined;
  readonly onAlarm: () => void;
};

export const createWaitingRoom = (limits: () => Limits, now: () => number, after: After): WaitingRoom => {
  const state: State = {
    ...{ limits, now, after },
    lanes: LANES.map((lane) => ({ lane, hold: createHold<Waiter>() })),
    orders: 0,
    size: 0,
    alarm: undefined,
    onAlarm: () => expireSome(state),
  };
  return {
    enter: (waiter, place) => enter(state, waiter, place),
    release: (may) => release(state, may),
    empty: () => empty(state),
    size: () => state.size,
  };
};

const enter = (state: State, waiter: Waiter, place: Place | undefined): Ticket | "requests" | "bytes" => {
  const { maxBytes, maxRequests } = state.limits();
  if (place === undefined && state.size >= maxRequests) return "requests";
  if (place === undefined && bytesOf(state) + waiter.bytes > maxBytes) return "bytes";
  const mine = place ?? { since: state.now(), order: ++state.orders };
  const waiting = holdOf(state, waiter.lane)?.enter(mine, waiter.bytes, waiter);
  state.size++;
  schedule(state);
  return { place: mine, withdraw: () => waiting !== undefined && leave(state, waiting) };
};

const release = (state: State, may: (lane: Lane) => boolean): void => {
  const stuck = new Set<Lane>();
  const goes = (lane: Lane): boolean => !stuck.has(lane) && may(lane);
  for (let left = state.size; left > 0; left--) {
    const first = oldest(state, goes);
    if (first === undefined) return;
    const { lane } = first.who;
    leave(state, first);
    first.who.go();
    if (holdOf(state, lane)?.oldest()?.place === first.place) stuck.add(lane);
  }
};

const empty = (state: State): void => {
  const here: Waiting<Waiter>[] = [];
  for (let first = oldest(state, all); first !== undefined; first = oldest(state, all)) {
    leave(state, first);
    here.push(first);
  }
  for (const { who } of here) who.go();
};

const holdOf = ({ lanes }: State, lane: Lane): Hold<Waiter> | undefined => lanes.find((one) => one.lane === lane)?.hold;
const bytesOf = ({ lanes }: State): number => lanes.reduce((sum, { hold }) => sum + hold.bytes(), 0);

const leave = (state: State, waiting: Waiting<Waiter>): void => {
  if (!waiting.isHere) return;
  holdOf(state, waiting.who.lane)?.leave(waiting);
  state.size--;
  if (state.size > 0) return;
  state.alarm?.close();
  state.alarm = undefined;
};

const all = (): boolean => true;
const oldest = ({ lanes }: State, may: (lane: Lane) => boolean): Waiting<Waiter> | undefined => {
  let first: Waiting<Waiter> | undefined;
  for (const { hold, lane } of lanes) {
    const here = hold.oldest();
    if (here === undefined || (first !== undefined && isBefore(first.place, here.place)) || !may(lane)) continue;
    first = here;
  }
  return first;
};

const expireSome = (state: State): void => {
  state.alarm = undefined;
  for (;;) {
    const first = oldest(state, all);
    if (first === undefined || state.now() - first.place.since < state.limits().maxWaitMs) break;
    leave(state, first);
    first.who.expire();
  }
  schedule(state);
};

const schedule = (state: State): void => {
  const first = oldest(state, all);
  if (first === undefined) return;
  const dueAt = first.place.since + state.limits().maxWaitMs;
  if (state.alarm !== undefined && state.alarm.dueAt <= dueAt) return;
  state.alarm?.close();
  // a timer may come a little early
  const timer = state.after(Math.max(0, Math.ceil(dueAt - state.now())) + 1, state.onAlarm);
  state.alarm = { dueAt, close: () => timer.close() };
};
