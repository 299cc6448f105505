/**
 * What the operator scales by: lines of JSON over one connection that stays open, once a second where something has happened, and at once
 * where a request waits for a revision without a pod. Counters only grow, so that a line that is lost is no loss.
 */
import type { ServerResponse } from "node:http";
import { after as afterMs } from "../event-loop/after.ts";
import { takeCrowd } from "./demand.ts";
import type { Arm } from "./fleet.ts";
import type { NamespaceRouter } from "./namespace-router.ts";

/** Of one revision; `crowd`: the most requests that came within a tenth of a second since the last line of a whole second. */
export type ArmSignals = { arrived: number; crowd: number; waiting: number; inFlight: number };

export type SignalsLine = {
  /** Changes with each start of the router, and with it the counters begin at 0. RFC 3339. */
  started: string;
  /** Those of which there is news, by revision; with the first line of a connection, all. */
  models: Record<string, Record<string, ArmSignals>>;
};

export type Signals = {
  /** Answers with lines until the client leaves. */
  stream(response: ServerResponse): void;
  /** A request of the model has to wait. */
  waits(model: string, arm: Arm): void;
  close(): void;
};

const EVERY_MS = 1000;
/** Lines without news, so that both sides know that the other is there. */
const BEAT_EVERY = 5;
/** More requests of a crowd are there by then: it is told twice. */
export const CROWD_MS = 100;
/** Of one caller: the leader's, and that of its last connection, which it may have left without a word. */
const MOST_OF_CALLER = 2;
const MOST_STREAMS = 16;

/**
 * Which stream makes room for one more of `caller`: its own oldest where it has its share; where there are too many, the oldest of the
 * caller with the most. So whoever opens many, or leaves them open, keeps nobody else out. `callers`: the oldest stream first.
 */
export const makesRoom = (callers: readonly string[], caller: string): number | undefined => {
  const count = (one: string): number => callers.filter((other) => other === one).length;
  if (count(caller) >= MOST_OF_CALLER) return callers.indexOf(caller);
  if (callers.length < MOST_STREAMS) return undefined;
  const most = callers.reduce((best, one) => (count(one) > count(best) ? one : best));
  return callers.indexOf(most);
};

type State = {
  readonly router: NamespaceRouter;
  readonly started: string;
  readonly after: typeof afterMs;
  /** With the address of their reader, the oldest first. */
  readonly callers: Map<ServerResponse, string>;
  /** What was last told of each model, to know news. */
  readonly told: Map<string, string>;
  /** Models of which a line was sent at once, until the next may be. */
  readonly pushed: Map<string, { close(): void }>;
  beats: number;
};

export const createSignals = (router: NamespaceRouter, started: string, after = afterMs): Signals => {
  const state: State = { router, started, after, callers: new Map(), told: new Map(), pushed: new Map(), beats: 0 };
  const timer = after(EVERY_MS, () => {
    timer.refresh();
    if (state.callers.size > 0) tell(state);
  });
  return {
    stream: (response) => stream(state, response),
    waits: (model, arm) => waits(state, model, arm),
    close() {
      timer.close();
      for (const one of state.pushed.values()) one.close();
      for (const caller of state.callers.keys()) caller.destroy();
    },
  };
};

const armsOf = (router: NamespaceRouter, name: string, crowdOf: (arm: Arm) => number): Record<string, ArmSignals> =>
  Object.fromEntries(
    (router.served().get(name)?.router.fleet.arms() ?? []).map((arm) => [
      arm.revision,
      {
        ...{ arrived: arm.demand.arrived, crowd: crowdOf(arm), waiting: arm.room.size() },
        inFlight: arm.pods.reduce((sum, { outstanding }) => sum + outstanding, 0),
      },
    ]),
  );

const crowdNow = ({ demand }: Arm): number => demand.crowd;
const crowdTaken = ({ demand }: Arm): number => takeCrowd(demand);

const write = (response: ServerResponse, { started }: State, models: SignalsLine["models"]): void => {
  // whoever is behind hears of it with the next line
  if (!response.writableNeedDrain) response.write(`${JSON.stringify({ started, models } satisfies SignalsLine)}\n`);
};

/** The line of a whole second, with what has changed since the last one. */
const tell = (state: State): void => {
  const models: SignalsLine["models"] = {};
  for (const name of state.router.served().keys()) {
    const arms = armsOf(state.router, name, crowdTaken);
    const text = JSON.stringify(
      Object.values(arms).map(({ arrived, inFlight, waiting }) => [arrived, inFlight, waiting]),
    );
    const isQuiet = Object.values(arms).every(({ inFlight, waiting }) => inFlight === 0 && waiting === 0);
    if (isQuiet && state.told.get(name) === text) continue;
    state.told.set(name, text);
    models[name] = arms;
  }
  state.beats = Object.keys(models).length > 0 ? 0 : state.beats + 1;
  if (state.beats % BEAT_EVERY === 0) for (const caller of state.callers.keys()) write(caller, state, models);
};

const stream = (state: State, response: ServerResponse): void => {
  const { callers, router } = state;
  const caller = response.req.socket.remoteAddress ?? "";
  const leaves = makesRoom([...callers.values()], caller);
  const left = leaves === undefined ? undefined : [...callers.keys()][leaves];
  if (left !== undefined) {
    callers.delete(left);
    left.destroy();
  }
  response.writeHead(200, { "content-type": "application/x-ndjson", "cache-control": "no-store" });
  callers.set(response, caller);
  response.on("close", () => callers.delete(response));
  response.on("error", () => callers.delete(response));
  const all = [...router.served().keys()].map((name) => [name, armsOf(router, name, crowdNow)] as const);
  write(response, state, Object.fromEntries(all));
};

const push = (state: State, model: string): void => {
  const arms = armsOf(state.router, model, crowdNow);
  for (const caller of state.callers.keys()) write(caller, state, { [model]: arms });
};

/** At once, a second time when the crowd is there, and then not for a second. */
const waits = (state: State, model: string, arm: Arm): void => {
  const { after, callers, pushed } = state;
  if (pushed.has(model) || callers.size === 0 || arm.pods.some(({ isReady }) => isReady)) return;
  push(state, model);
  const again = after(CROWD_MS, () => {
    push(state, model);
    pushed.set(
      model,
      after(EVERY_MS, () => pushed.delete(model)),
    );
  });
  pushed.set(model, again);
};
