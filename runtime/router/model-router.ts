/** The router of one ModelDeployment: its table, its revisions and pods, and its port. */
import { type After, after as afterMs } from "../event-loop/after.ts";
import type { Times } from "../transport/http/times.ts";
import { createPace, type Pace } from "../transport/pace.ts";
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

export const createModelRouter = (
  model: string,
  initial: Settings,
  options: RouterOptions,
  wanted: (arm: Arm) => void,
): ModelRouter => {
  const {
    after = afterMs,
    cap,
    judging = createJudging(),
    kept,
    maxHeldBytes,
    maxStreams = cap,
    now,
    pace = createPace(),
    random,
    times,
  } = options;
  let settings = initial;
  let table: Table | undefined;
  let lastRequest = Number.NEGATIVE_INFINITY;
  const fleet = createFleet({
    limits: () => ({ ...settings, maxBytes: maxHeldBytes }),
    connect: (place: PodPlace) => createPodClient(place, now),
    ...{ cap, maxStreams, now, after },
  });
  const timeoutMs = (): number => settings.requestTimeoutMs;
  const shadow = createShadow({
    ...{ cap, fleet, judging, kept, random, timeoutMs },
    table: () => table,
    tolerances: () => settings.tolerances,
  });
  const port: Port = {
    ...{ model, fleet, now, after, random, wanted, timeoutMs },
    streams: createStreamSlots(),
    idleMs: () => settings.streamIdleMs ?? STREAM_IDLE_MS,
    table: () => table,
    wakes: () => settings.wakes === true,
    shortage: () => settings.shortage,
    answered: shadow.answered,
    freed: kept.freed,
  };
  const door = {
    ...{ kept, times, pace, now, after, closing: options.closing },
    isTrusted: options.isTrusted ?? (() => false),
    serve: (message: Message, reply: Reply, client: Client) => {
      lastRequest = now();
      return startExchange(port, message, reply, client);
    },
  };
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
    lastRequest: () => lastRequest,
    table: () => table,
    offer(offered) {
      const next = nextTable(table, offered);
      if ("refused" in next) return next;
      table = next;
      for (const { revision } of next.routes) fleet.arm(revision);
      fleet.keepOnly(new Set(next.routes.map(({ revision }) => revision)));
      return undefined;
    },
    configure: (next) => {
      settings = next;
    },
    settings: () => settings,
    sweep: (time) => fleet.sweep(time),
  };
};
