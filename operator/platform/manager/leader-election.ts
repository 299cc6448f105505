import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import { microTime } from "../controller/events.ts";
import type { Client } from "../kube/client.ts";
import { KubeError } from "../kube/errors.ts";
import type { Lease } from "../kube/objects.ts";
import { LEASES } from "../kube/resources.ts";
import { type ElectionTimes, isValid, mayClaim, type Observed, observe, retryAfter } from "./election.ts";

const FIELD_MANAGER = "berth-leader-election";

export type LeaderElection = {
  /**
   * Before this process can work: reads the lease, which begins the wait for another's, and takes it once where it is ours already,
   * as after a restart; nobody else could have it yet. It is not renewed, so that one that never gets ready keeps nobody out. Never rejects.
   */
  prepare(signal: AbortSignal): Promise<void>;
  /** Resolves once we lead, or to false when the signal ended the wait. */
  acquire(signal: AbortSignal): Promise<boolean>;
  /** Renews until the signal; resolves to true then, and to false as soon as the lease is lost. */
  hold(signal: AbortSignal): Promise<boolean>;
  /** Gives the lease up, so that a standby follows at once. Only after the last write of this leader. */
  release(): Promise<void>;
  /** Whether our last renewal is recent enough to write; false too for a process that was paused meanwhile. */
  isLeader(): boolean;
};

export type ElectionOptions = {
  /** With a connection and a timeout of its own: a busy operator must not lose its lease in its own queue. */
  client: Client;
  namespace: string;
  name: string;
  /** Unique for each process that ever runs, such as the pod's name with its uid. */
  identity: string;
  times: ElectionTimes;
  /** On the lease, for other releases to read. */
  annotations: Record<string, string>;
  /** What is written into the Lease for people to read; nothing is decided by it. Milliseconds since 1970. */
  clock: () => number;
  log: Logger;
};

export const createLeaderElection = (options: ElectionOptions): LeaderElection => {
  const { annotations, client, clock, namespace, name, identity, times, log } = options;
  const key = { namespace, name };
  const now = () => performance.now();
  let observed: Observed | undefined;
  let renewedAt: number | undefined;
  let acquiredAt = "";
  let transitions = 0;

  const see = (lease: Lease): Observed => {
    const { holderIdentity = "", leaseDurationSeconds = 0, leaseTransitions = 0 } = lease.spec ?? {};
    const claim = {
      holder: holderIdentity,
      durationMs: leaseDurationSeconds * 1000,
      resourceVersion: lease.metadata.resourceVersion ?? "",
    };
    transitions = leaseTransitions;
    observed = observe(observed, claim, now());
    return observed;
  };

  /** The resourceVersion makes the write fail with a conflict when anybody else wrote since. */
  const write = async (holderIdentity: string, durationMs: number, resourceVersion: string | undefined) => {
    const spec = {
      holderIdentity,
      leaseDurationSeconds: durationMs / 1000,
      acquireTime: acquiredAt,
      renewTime: microTime(clock()),
      leaseTransitions: transitions,
    };
    const metadata = { ...key, annotations, ...(resourceVersion === undefined ? {} : { resourceVersion }) };
    const lease: Lease = { apiVersion: LEASES.apiVersion, kind: LEASES.kind, metadata, spec };
    const options = { fieldManager: FIELD_MANAGER };
    // The time before the request, for the lease may have started to run when it arrived.
    const at = now();
    see(
      await (resourceVersion === undefined
        ? client.create(LEASES, lease, options)
        : client.apply(LEASES, lease, options)),
    );
    return at;
  };

  const read = async (signal: AbortSignal): Promise<Observed | undefined> => {
    try {
      return see(await client.get(LEASES, key, signal));
    } catch (error) {
      if (error instanceof KubeError && error.kind === "notFound") return undefined;
      throw error;
    }
  };

  const take = async (current: Observed | undefined): Promise<void> => {
    acquiredAt = microTime(clock());
    if (current !== undefined && current.claim.holder !== identity) transitions++;
    renewedAt = await write(identity, times.leaseMs, current?.claim.resourceVersion);
  };
  const tryAcquire = async (signal: AbortSignal): Promise<boolean> => {
    const current = await read(signal);
    if (current !== undefined && !mayClaim(current, identity, now())) return false;
    await take(current);
    return true;
  };
  /** As a leader's is between two renewals. */
  const isFresh = () => renewedAt !== undefined && now() - renewedAt < times.retryMs;

  const renew = async (signal: AbortSignal): Promise<"renewed" | "lost"> => {
    try {
      renewedAt = await write(identity, times.leaseMs, observed?.claim.resourceVersion);
      return "renewed";
    } catch (error) {
      if (!(error instanceof KubeError) || error.kind !== "conflict") throw error;
      // Somebody wrote: perhaps we ourselves, in a renewal whose answer was lost, and then the next one succeeds.
      const current = await read(signal);
      if (current !== undefined && current.claim.holder !== identity) return "lost";
      throw error;
    }
  };

  const pause = (signal: AbortSignal) =>
    sleep(retryAfter(Math.random(), times), undefined, { signal }).catch(() => undefined);
  return {
    async prepare(signal) {
      try {
        const current = await read(signal);
        if (current?.claim.holder === identity) await take(current);
      } catch (error) {
        log.debug(
          { err: error },
          "the lease could not be read before the caches synced; it is read again when they have",
        );
      }
    },
    async acquire(signal) {
      log.info({ lease: `${namespace}/${name}`, identity }, "waiting for the lease");
      while (!signal.aborted) {
        try {
          if (isFresh() || (await tryAcquire(signal))) {
            log.info({ lease: `${namespace}/${name}`, identity }, "leading");
            return true;
          }
        } catch (error) {
          const lostRace = error instanceof KubeError && error.kind === "conflict";
          if (!signal.aborted && !lostRace) log.warn({ err: error }, "the lease is not available yet");
        }
        await pause(signal);
      }
      return false;
    },
    async hold(signal) {
      for (;;) {
        await pause(signal);
        if (signal.aborted) return true;
        try {
          if ((await renew(signal)) === "lost") return false;
        } catch (error) {
          log.warn({ err: error }, "the lease was not renewed");
        }
        if (!isValid(renewedAt, now(), times)) return signal.aborted;
      }
    },
    async release() {
      if (!isValid(renewedAt, now(), times)) return;
      renewedAt = undefined;
      await write("", 1000, observed?.claim.resourceVersion);
      log.info("released the lease");
    },
    isLeader: () => isValid(renewedAt, now(), times),
  };
};
