import { randomUUID } from "node:crypto";
import type { Logger } from "pino";
import { KubeError, NOT_LEADING } from "../kube/errors.ts";
import type { ObjectKey } from "../kube/objects.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import type { Reconcile } from "./result.ts";
import { createStaleKeys, type StaleKeys } from "./stale-keys.ts";
import { createWorkQueue, type Priority, type QueueObserver, systemTimers, type WorkQueue } from "./work-queue.ts";

/** A pass is some twenty requests of milliseconds; one that takes this long is ended. */
const RECONCILE_TIMEOUT_MS = 120_000;
/** One that takes so long waits for a webhook, or a pod: its worker goes on with others. */
const HELD_UP_MS = 2_000;
/** So many are held up beside the workers, at most: their objects and requests stay in memory. */
const MOST_HELD_UP = 500;

export type Controller = {
  name: string;
  /** For the sources: what happens to a key's objects makes the key due. */
  add(key: ObjectKey, priority?: Priority): void;
  /** Works until the signal; resolves once the last reconcile has returned. */
  run(signal: AbortSignal): Promise<void>;
};

export type ControllerOptions = {
  name: string;
  /** Passes at one time, but for those that are held up. */
  workers: number;
  reconcile: Reconcile;
  /** From then on a pass is held up. Default 2 000. */
  heldUpMs?: number;
  /** Bounds one reconcile; it is tried again with backoff. Default 120 000. */
  timeoutMs?: number;
  /** The kinds whose caches have yet to see what was written for this key; empty: they have seen it all. */
  behind(key: ObjectKey): readonly string[];
  log: Logger;
  metrics: Metrics;
};

export const createController = (options: ControllerOptions): Controller => {
  const { name, workers, metrics } = options;
  const queue = createWorkQueue(systemTimers, queueObserver(name, metrics));
  metrics.queue.watchHeld(name, queue.held);
  const labels = { controller: name };
  metrics.reconcile.maxConcurrent.set(labels, workers);
  metrics.reconcile.activeWorkers.set(labels, 0);
  metrics.reconcile.errors.inc(labels, 0);
  metrics.reconcile.terminalErrors.inc(labels, 0);
  metrics.reconcile.panics.inc(labels, 0);
  metrics.reconcile.timeouts.inc(labels, 0);
  metrics.reconcile.staleSkips.inc(labels, 0);
  for (const result of ["success", "error", "requeue", "requeue_after"]) {
    metrics.reconcile.total.inc({ ...labels, result }, 0);
  }

  const stale = createStaleKeys(systemTimers.now, (what) =>
    options.log.warn(
      { controller: name, ...what },
      "the caches have not seen the operator's own writes yet: these objects wait",
    ),
  );
  const passOf = async (key: ObjectKey, signal: AbortSignal): Promise<void> => {
    try {
      const result = await processKey(key, queue, stale, options, signal);
      metrics.reconcile.total.inc({ ...labels, result });
    } finally {
      queue.done(key);
    }
  };
  const heldUp = new Set<Promise<void>>();
  const work = async (signal: AbortSignal): Promise<void> => {
    for (let key = await queue.take(); key !== undefined; key = await queue.take()) {
      metrics.reconcile.activeWorkers.inc(labels);
      const pass = passOf(key, signal);
      if (!(await endsWithin(pass, options.heldUpMs ?? HELD_UP_MS))) {
        heldUp.add(pass);
        void pass.finally(() => heldUp.delete(pass));
        if (heldUp.size > MOST_HELD_UP) await pass;
      }
      metrics.reconcile.activeWorkers.dec(labels);
    }
  };
  return {
    name,
    add: queue.add,
    async run(signal) {
      const stop = () => queue.shutDown();
      if (signal.aborted) stop();
      signal.addEventListener("abort", stop, { once: true });
      await Promise.all(Array.from({ length: workers }, () => work(signal)));
      await Promise.all(heldUp);
    },
  };
};

const endsWithin = async (pass: Promise<void>, ms: number): Promise<boolean> => {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
  });
  return await Promise.race([pass.then(() => true), late]).finally(() => clearTimeout(timer));
};

/** One reconcile and what becomes of its key. Never rejects: whatever is thrown is logged, counted and tried again. */
const processKey = async (
  key: ObjectKey,
  queue: WorkQueue,
  stale: StaleKeys,
  options: ControllerOptions,
  signal: AbortSignal,
) => {
  const { name, metrics, reconcile, behind, timeoutMs = RECONCILE_TIMEOUT_MS } = options;
  const wait = stale.look(key, behind(key));
  if (wait !== undefined) {
    metrics.reconcile.staleSkips.inc({ controller: name });
    queue.addAfter(key, wait);
    return "requeue";
  }
  const reconcileID = randomUUID();
  const log = options.log.child({ controller: name, ...key, reconcileID });
  const stopTimer = metrics.reconcile.seconds.startTimer({ controller: name });
  const deadline = new AbortController();
  const timer = setTimeout(() => deadline.abort(new Error(`not done within ${timeoutMs / 1000} s`)), timeoutMs);
  try {
    const { requeueAfterMs } = await reconcile(key, { log, reconcileID, signal: deadline.signal });
    queue.forget(key);
    if (requeueAfterMs === undefined) return "success";
    queue.addAfter(key, requeueAfterMs);
    return "requeue_after";
  } catch (error) {
    metrics.reconcile.errors.inc({ controller: name });
    if (deadline.signal.aborted) metrics.reconcile.timeouts.inc({ controller: name });
    else if (!(error instanceof KubeError)) metrics.reconcile.panics.inc({ controller: name });
    const isTerminal = error instanceof KubeError && error.kind === "terminal";
    if (isTerminal) {
      metrics.reconcile.terminalErrors.inc({ controller: name });
      queue.forget(key);
    } else {
      queue.retry(key);
    }
    // A conflict is the everyday way to learn that somebody else wrote first, an aborted call that we are stopping, and without
    // the lease this process is about to end.
    const isExpected =
      signal.aborted || (error instanceof KubeError && (error.kind === "conflict" || error.reason === NOT_LEADING));
    log[isExpected ? "debug" : "error"]({ err: error, retry: !isTerminal }, "reconcile failed");
    return "error";
  } finally {
    clearTimeout(timer);
    stopTimer();
  }
};

const queueObserver = (controller: string, { queue }: Metrics): QueueObserver => {
  const labels = { name: controller, controller };
  queue.depth.set(labels, 0);
  queue.adds.inc(labels, 0);
  queue.retries.inc(labels, 0);
  return {
    depth: (due) => queue.depth.set(labels, due),
    added: () => queue.adds.inc(labels),
    retried: () => queue.retries.inc(labels),
    taken: (waited) => queue.waitSeconds.observe(labels, waited / 1000),
    finished: (worked) => queue.workSeconds.observe(labels, worked / 1000),
  };
};
