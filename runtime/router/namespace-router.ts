/** The router of a namespace: one port for each ModelDeployment, as the watched objects say. */
import { type Asker, createAsker } from "./ask.ts";
import type { Listener } from "./doors/listener.ts";
import type { Arm, Seen } from "./fleet.ts";
import { createModelRouter, type ModelRouter, type RouterOptions } from "./model-router.ts";
import type { RevisionPods } from "./watch/endpoint-slices.ts";
import type { Wanted } from "./watch/model-deployments.ts";

export type Served = {
  router: ModelRouter;
  asker: Asker;
  /** Where it is to listen. */
  port: number | undefined;
  /** Why it does not listen there. */
  problem: string | undefined;
};

export type NamespaceRouter = {
  setModels(models: ReadonlyMap<string, Wanted>, changed: ReadonlySet<string>): void;
  setSlices(slices: ReadonlyMap<string, RevisionPods>, changed: ReadonlySet<string>): void;
  /** Both have been seen at least once. */
  synced(): boolean;
  served(): ReadonlyMap<string, Served>;
  sweep(now: number): void;
  /** Tells clients to leave, takes no more, and resolves when the last one has gone or after `graceMs`. */
  drain(times: { quietMs: number; graceMs: number }): Promise<void>;
  close(): void;
};

export type NamespaceOptions = RouterOptions & {
  host: string;
  /** A request of this model waits for a pod of that revision. */
  waits(model: string, arm: Arm): void;
  log: { info(message: string): void; warn(message: string): void };
};

/** On a pod's HTTP port: 200 once it can be asked (Open Inference Protocol). */
const READY_PATH = "/v2/health/ready";
/** A port that is no longer wanted goes on for so long: clients must first learn of the other one. */
const OLD_PORT_MS = 60_000;
const DRAIN_TICK_MS = 50;

type RouterState = {
  readonly options: NamespaceOptions;
  readonly served: Map<string, Served>;
  /** By slice: a revision with many pods has several. Undefined until they have been seen. */
  slices: ReadonlyMap<string, RevisionPods> | undefined;
  readonly revisionOfSlice: Map<string, string>;
  hasModels: boolean;
  isDraining: boolean;
  /** Listeners whose clients still get the answers that they wait for. */
  readonly retired: Set<Listener>;
};

export const createNamespaceRouter = (options: NamespaceOptions): NamespaceRouter => {
  const state: RouterState = {
    ...{ options, served: new Map(), slices: undefined, revisionOfSlice: new Map() },
    ...{ hasModels: false, isDraining: false, retired: new Set() },
  };
  return {
    setModels: (models, changed) => setModels(state, models, changed),
    setSlices: (slices, changed) => setSlices(state, slices, changed),
    synced: () => state.hasModels && state.slices !== undefined,
    served: () => state.served,
    sweep: (time) => sweep(state, time),
    drain: (times) => drain(state, times),
    close: () => close(state),
  };
};

const setModels = (state: RouterState, models: ReadonlyMap<string, Wanted>, changed: ReadonlySet<string>): void => {
  state.hasModels = true;
  for (const name of changed) {
    const wanted = models.get(name);
    const known = state.served.get(name);
    if (wanted !== undefined) apply(state, name, wanted);
    else if (known !== undefined) remove(state, name, known);
  }
};

const apply = (state: RouterState, name: string, wanted: Wanted): void => {
  const one = state.served.get(name) ?? create(state, name, wanted);
  const { router } = one;
  router.configure(wanted.settings);
  const before = new Set(router.fleet.arms().map(({ revision }) => revision));
  const refusal = router.offer(wanted.table);
  if (refusal !== undefined && refusal.refused !== "empty") state.options.log.warn(`${name}: ${refusal.message}`);
  for (const { revision } of router.fleet.arms())
    if (!before.has(revision)) router.fleet.setPods(revision, podsOf(state, revision));
  one.port = wanted.port;
  void listen(state, one);
};

const create = ({ options, served }: RouterState, name: string, { settings }: Wanted): Served => {
  const router = createModelRouter(name, settings, options, (arm) => {
    one.asker.wanted(arm);
    options.waits(name, arm);
  });
  const one: Served = { router, asker: createAsker(router.fleet, READY_PATH), port: undefined, problem: undefined };
  served.set(name, one);
  return one;
};

/** The ModelDeployment is gone: whoever still comes is told so by the port's end. */
const remove = (state: RouterState, name: string, { asker, router }: Served): void => {
  state.served.delete(name);
  asker.stop();
  router.listener.stop();
  retire(state, router.listener, router.settings().requestTimeoutMs);
  for (const { revision } of router.fleet.arms()) router.fleet.setPods(revision, []);
  state.options.log.info(`${name}: deleted; its port is closed`);
};

/** Listens where it should, if it does not yet. */
const listen = async (state: RouterState, one: Served): Promise<void> => {
  const { host, log } = state.options;
  const { port, router } = one;
  const bound = router.listener.port();
  if (port === undefined || port === bound || state.isDraining) return;
  if (bound !== undefined) {
    // clients must first learn of the other port
    retire(state, router.listener, OLD_PORT_MS);
    router.renewListener();
  }
  try {
    await router.listener.listen(port, host);
    one.problem = undefined;
    log.info(`${router.model}: listening on port ${port}`);
  } catch (error) {
    const problem = `port ${port} cannot be opened: ${error instanceof Error ? error.message : String(error)}`;
    if (one.problem !== problem) log.warn(`${router.model}: ${problem}; trying again every second`);
    one.problem = problem;
  }
};

/** Its clients get the answers that they wait for, and go. */
const retire = ({ retired }: RouterState, listener: Listener, afterMs: number): void => {
  retired.add(listener);
  listener.leave(afterMs);
  const timer = setTimeout(() => {
    listener.close();
    retired.delete(listener);
  }, afterMs);
  timer.unref();
};

const setSlices = (
  state: RouterState,
  slices: ReadonlyMap<string, RevisionPods>,
  changed: ReadonlySet<string>,
): void => {
  const { revisionOfSlice, served } = state;
  state.slices = slices;
  const revisions = new Set<string>();
  for (const name of changed) {
    const before = revisionOfSlice.get(name);
    const after = slices.get(name)?.revision;
    if (before !== undefined) revisions.add(before);
    if (after !== undefined) revisions.add(after);
    if (after === undefined) revisionOfSlice.delete(name);
    else revisionOfSlice.set(name, after);
  }
  for (const { router } of served.values())
    for (const { revision } of router.fleet.arms())
      if (revisions.has(revision)) router.fleet.setPods(revision, podsOf(state, revision));
};

const podsOf = ({ slices }: RouterState, revision: string): readonly Seen[] => {
  const pods = new Map<string, Seen>();
  for (const slice of slices?.values() ?? []) {
    if (slice.revision !== revision) continue;
    for (const pod of slice.pods) {
      const known = pods.get(pod.name);
      pods.set(pod.name, known === undefined ? pod : asOne(known, pod));
    }
  }
  return [...pods.values()];
};

const sweep = (state: RouterState, time: number): void => {
  for (const one of state.served.values()) {
    one.router.sweep(time);
    if (one.problem !== undefined) void listen(state, one);
  }
};

const drain = async (state: RouterState, { graceMs, quietMs }: { quietMs: number; graceMs: number }): Promise<void> => {
  const { now } = state.options;
  state.isDraining = true;
  const started = now();
  const all = (): ModelRouter[] => [...state.served.values()].map(({ router }) => router);
  const lastRequest = (): number => Math.max(started, ...all().map((router) => router.lastRequest()));
  // others must first hear that this router leaves; until then requests come, and are answered
  while (now() - lastRequest() < quietMs && now() - started < graceMs) await tick();
  for (const router of all()) {
    router.listener.stop();
    router.listener.leave(Math.max(0, graceMs - (now() - started)));
  }
  while (all().some(({ listener }) => listener.connections() > 0) && now() - started < graceMs) await tick();
};

const close = ({ retired, served }: RouterState): void => {
  for (const listener of retired) listener.close();
  for (const { asker, router } of served.values()) {
    asker.stop();
    router.listener.close();
  }
};

/**
 * A pod is in several slices where its Service has addresses of both families, and while it goes from one slice to another: it is reached
 * at one of them, the same whichever slice changes.
 */
const asOne = (one: Seen, other: Seen): Seen => {
  const isTerminating = one.isTerminating || other.isTerminating;
  const isReady = (one.isReady || other.isReady) && !isTerminating;
  return { ...(isBefore(one.host, other.host) ? one : other), isReady, isTerminating };
};

/** IPv4 first: in a cluster of both each node has it. */
const isBefore = (one: string, other: string): boolean =>
  one.includes(":") === other.includes(":") ? one <= other : !one.includes(":");

const tick = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, DRAIN_TICK_MS));
