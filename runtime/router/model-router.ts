/** The router of one ModelDeployment: its table, its revisions and pods, and its port. */
import { type After, after as afterMs } from "../event-loop/after.ts";
import type { Times } from "../transport/http/times.ts";
import { createPace, type Pace } from "../transport/pace.ts";
import type { Door } from "./doors/door.ts";
import { createListener, type Listener } from "./doors/listener.ts";
import { startExchange } from "./exchange.ts";
import { type Arm, createFleet, type Fleet, type PodPlace } from "./fleet.ts";
import type { IsTrusted } from "./forwarded.ts";
import type { KeptBytes } from "./kept-bytes.ts";
import type { Port } from "./life.ts";
import type { Message, Reply } from "./message.ts";
import type { Tolerance } from "./shadow/compare.ts";
import type { ShadowCounters } from "./shadow/counters.ts";
import { createShadow } from "./shadow/index.ts";
import { createJudging, type Judging } from "./shadow/judging.ts";
import { type Client, createStreamSlots } from "./stream-slots.ts";
import { nextTable, type Refusal, type Table } from "./table.ts";
import { createPodClient } from "./upstream/pod-client.ts";

/** What it takes from a ModelDeployment besides its table. */
export type Settings = {
  /** `spec.traffic.queue`. */
  maxRequests: number;
  maxWaitMs: number;
  /** `spec.server.requestTimeout`. */
  requestTimeoutMs: number;
  /** `spec.traffic.streamIdleTimeout`. */
  streamIdleMs?: number;
  /** Of outputs of shadowed requests, by name; others must be close, or equal where they are no numbers. */
  tolerances: ReadonlyMap<string, Tolerance>;
  /** Nobody who asks: no pods. */
  wakes?: boolean;
  /** Why it has fewer pods than it wants; undefined where it has them. */
  shortage?: string | undefined;
};

export type ModelRouter = {
  readonly model: string;
  readonly fleet: Fleet;
  readonly shadow: ShadowCounters;
  readonly listener: Listener;
  /** For another port; the one before is the caller's to close. */
  renewListener(): void;
  /** When the last request came. */
  lastRequest(): number;
  table(): Table | undefined;
  /** Undefined where it is applied, or was already. */
  offer(table: unknown): Refusal | undefined;
  configure(settings: Settings): void;
  settings(): Settings;
  sweep(now: number): void;
};

export type RouterOptions = {
  kept: KeptBytes;
  times: Times;
  /** How clients' connections are read, those of other routers among them. Default: one of its own. */
  pace?: Pace;
  /** Where pairs of answers are judged, those of other routers among them. Default: one of its own. */
  judging?: Judging;
  /** Requests under way on one pod. */
  cap: number;
  /** Streams that are open on one pod; as many as requests where it is left out. */
  maxStreams?: number;
  /** Of all requests of one revision that wait, in bytes. */
  maxHeldBytes: number;
  maxConnectionAgeMs: number;
  maxConnections: number;
  now(): number;
  after?: After;
  /** In [0, 1). */
  random(): number;
  /** Clients' addresses that may say whom they speak for. Default: none. */
  isTrusted?: IsTrusted;
  closing(): boolean;
  report(error: unknown): void;
};

/** Where nothing else is said: what Envoy and others give a stream, and longer than any model thinks before its next word. */
const STREAM_IDLE_MS = 300_000;

type State = {
  readonly options: RouterOptions & Required<Pick<RouterOptions, "after" | "maxStreams" | "pace">>;
  readonly fleet: Fleet;
  settings: Settings;
  table: Table | undefined;
  /** When the last request came, by `options.now`. */
  lastRequest: number;
};

export const createModelRouter = (
  model: string,
  settings: Settings,
  given: RouterOptions,
  wanted: (arm: Arm) => void,
): ModelRouter => {
  const { cap, after = afterMs, judging = createJudging(), kept, maxHeldBytes, now, random } = given;
  const { maxStreams = cap, pace = createPace() } = given;
  const options: State["options"] = { ...given, after, maxStreams, pace };
  const fleet = createFleet({
    limits: () => ({ ...state.settings, maxBytes: maxHeldBytes }),
    connect: (place: PodPlace) => createPodClient(place, now),
    ...{ cap, maxStreams, now, after },
  });
  const state: State = { options, fleet, settings, table: undefined, lastRequest: Number.NEGATIVE_INFINITY };
  const shadow = createShadow({
    ...{ cap, fleet, judging, kept, random },
    timeoutMs: () => state.settings.requestTimeoutMs,
    table: () => state.table,
    tolerances: () => state.settings.tolerances,
  });
  const door = doorOf(state, portOf(state, model, shadow.answered, wanted));
  let listener = createListener(door, options);
  return {
    model,
    fleet,
    shadow: shadow.counters,
    get listener() {
      return listener;
    },
    renewListener: () => {
      listener = createListener(door, options);
    },
    lastRequest: () => state.lastRequest,
    table: () => state.table,
    offer: (offered) => offer(state, offered),
    configure: (next) => {
      state.settings = next;
    },
    settings: () => state.settings,
    sweep: (time) => fleet.sweep(time),
  };
};

/** What an exchange is given. */
const portOf = (state: State, model: string, answered: Port["answered"], wanted: (arm: Arm) => void): Port => {
  const { after, kept, now, random } = state.options;
  return {
    ...{ model, fleet: state.fleet, now, after, random, wanted, answered },
    timeoutMs: () => state.settings.requestTimeoutMs,
    streams: createStreamSlots(),
    idleMs: () => state.settings.streamIdleMs ?? STREAM_IDLE_MS,
    table: () => state.table,
    wakes: () => state.settings.wakes === true,
    shortage: () => state.settings.shortage,
    freed: kept.freed,
  };
};

/** What a client's connection is given. */
const doorOf = (state: State, port: Port): Door => {
  const { after, closing, isTrusted = () => false, kept, now, pace, times } = state.options;
  return {
    ...{ kept, times, pace, now, after, closing, isTrusted },
    serve: (message: Message, reply: Reply, client: Client) => {
      state.lastRequest = now();
      return startExchange(port, message, reply, client);
    },
  };
};

const offer = (state: State, offered: unknown): Refusal | undefined => {
  const next = nextTable(state.table, offered);
  if ("refused" in next) return next;
  state.table = next;
  for (const { revision } of next.routes) state.fleet.arm(revision);
  state.fleet.keepOnly(new Set(next.routes.map(({ revision }) => revision)));
  return undefined;
};
