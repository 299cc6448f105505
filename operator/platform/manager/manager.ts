import type { Logger } from "pino";
import type { Caches } from "../cache/caches.ts";
import type { Controller } from "../controller/controller.ts";
import type { EventSender } from "../controller/events.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import { keepRunning } from "./contain.ts";
import type { LeaderElection } from "./leader-election.ts";
import { serveProbes } from "./probes.ts";

/** All of the stop, from the signal to the end of the process; a pod has 30 s before it is killed. */
const STOP_DEADLINE_MS = 25_000;
const SYNC_POLL_MS = 5;
const SYNC_COMPLAINT_MS = 10_000;

export type ManagerOptions = {
  caches: Caches;
  /** What works while this process leads. */
  controllers: readonly Pick<Controller, "run">[];
  election: LeaderElection;
  events: EventSender;
  /** Ends the connections to the API server. */
  disconnect(): Promise<void>;
  metrics: Metrics;
  log: Logger;
  probePort: number;
  metricsPort: number;
  /** The name under which the metrics know the lease. */
  leaseName: string;
};

/**
 * Runs the operator until the signal, in this order: probes and metrics; caches, on a standby too, while the lease is looked at;
 * leader election; controllers. Stops the other way round, and gives the lease up last. Resolves to the process's exit code:
 * 0 after the signal, 1 when the lease was lost or the stop took too long.
 */
export const runManager = async (options: ManagerOptions, stop: AbortSignal): Promise<number> => {
  const { caches, controllers, election, events, metrics, log, leaseName } = options;
  let leading = false;
  const setLeading = (value: boolean) => {
    leading = value;
    metrics.leader.set({ name: leaseName }, value ? 1 : 0);
  };
  setLeading(false);

  const servers = await serveProbes({
    probePort: options.probePort,
    metricsPort: options.metricsPort,
    live: () => (leading && !election.isLeader() ? "the lease ran out and the process did not end" : undefined),
    ready: () => (caches.hasSynced() ? undefined : `caches not synced: ${caches.missing().join(", ")}`),
    registry: metrics.registry,
  });
  const cacheStop = new AbortController();
  const caching = caches.run(cacheStop.signal);
  await Promise.all([synced(caches, log, stop), election.prepare(stop)]);

  let lost = false;
  if (!stop.aborted && (await election.acquire(stop))) {
    setLeading(true);
    const work = new AbortController();
    const renewing = new AbortController();
    const held = election.hold(renewing.signal);
    const working = Promise.all(controllers.map((controller) => keepRunning(controller, log, work.signal)));
    lost = await Promise.race([held.then((kept) => !kept), aborted(stop).then(() => false)]);
    if (!lost) {
      log.info("stopping");
      const clean = await within(STOP_DEADLINE_MS, async () => {
        work.abort();
        await working;
        await events.flush();
        renewing.abort();
        await held;
        await election.release();
      });
      if (!clean) {
        log.error(`the controllers did not stop within ${STOP_DEADLINE_MS / 1000} s`);
        return 1;
      }
    }
  }
  if (lost) {
    // Another process leads from now on: no grace for reconciles under way.
    log.fatal("lost the lease: ending the process");
    return 1;
  }
  // one that ended before it could work may have it all the same
  if (!leading) await within(STOP_DEADLINE_MS, election.release);
  setLeading(false);
  cacheStop.abort();
  await caching;
  await options.disconnect();
  await servers.close();
  return 0;
};

const synced = async (caches: Caches, log: Logger, stop: AbortSignal): Promise<void> => {
  const start = performance.now();
  let complainAt = start + SYNC_COMPLAINT_MS;
  while (!caches.hasSynced() && !stop.aborted) {
    await new Promise((resolve) => setTimeout(resolve, SYNC_POLL_MS));
    if (performance.now() < complainAt) continue;
    complainAt += SYNC_COMPLAINT_MS;
    log.warn({ missing: caches.missing() }, "the caches have not synced yet");
  }
  if (!stop.aborted) log.info({ seconds: (performance.now() - start) / 1000 }, "caches synced");
};

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) return resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });

/** Whether it was done in time. Its error, such as of a release that could not be written, counts as done. */
const within = async (ms: number, run: () => Promise<void>): Promise<boolean> => {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
  });
  const done = run().then(
    () => true,
    () => true,
  );
  return await Promise.race([done, late]).finally(() => clearTimeout(timer));
};
