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

type ElectionState = ElectionOptions & {
  /** What the lease was when it was seen last, and since when. */
  observed: Observed | undefined;
  /** When it was renewed by us last, on the clock `monotonic`; undefined: it never was, or is given up. */
  renewedAt: number | undefined;
  /** For people to read, as the Lease has them. */
  acquiredAt: string;
  transitions: number;
};

const monotonic = (): number => performance.now();

export const createLeaderElection = (options: ElectionOptions): LeaderElection => {
  const state: ElectionState = {
    ...options,
    observed: undefined,
    renewedAt: undefined,
    acquiredAt: "",
    transitions: 0,
  };
  return {
    prepare: (signal) => prepare(state, signal),
    acquire: (signal) => acquire(state, signal),
    hold: (signal) => hold(state, signal),
    release: () => release(state),
    isLeader: () => isLeader(state),
  };
};

const isLeader = ({ renewedAt, times }: ElectionState): boolean => isValid(renewedAt, monotonic(), times);

/** As a leader's is between two renewals. */
const isFresh = ({ renewedAt, times }: ElectionState): boolean =>
  renewedAt !== undefined && monotonic() - renewedAt < times.retryMs;

const see = (state: ElectionState, lease: Lease): Observed => {
  const { holderIdentity = "", leaseDurationSeconds = 0, leaseTransitions = 0 } = lease.spec ?? {};
  const claim = {
    holder: holderIdentity,
    durationMs: leaseDurationSeconds * 1000,
    resourceVersion: lease.metadata.resourceVersion ?? "",
  };
  const observed = observe(state.observed, claim, monotonic());
  state.transitions = leaseTransitions;
  state.observed = observed;
  return observed;
};

/** The resourceVersion makes the write fail with a conflict when anybody else wrote since. */
const write = async (
  state: ElectionState,
  holderIdentity: string,
  durationMs: number,
  resourceVersion: string | undefined,
): Promise<number> => {
  const { acquiredAt, annotations, client, clock, name, namespace, transitions } = state;
  const spec = {
    holderIdentity,
    leaseDurationSeconds: durationMs / 1000,
    acquireTime: acquiredAt,
    renewTime: microTime(clock()),
    leaseTransitions: transitions,
  };
  const metadata = { namespace, name, annotations, ...(resourceVersion === undefined ? {} : { resourceVersion }) };
  const lease: Lease = { apiVersion: LEASES.apiVersion, kind: LEASES.kind, metadata, spec };
  const options = { fieldManager: FIELD_MANAGER };
  // The time before the request, for the lease may have started to run when it arrived.
  const at = monotonic();
  const isNew = resourceVersion === undefined;
  see(state, await (isNew ? client.create(LEASES, lease, options) : client.apply(LEASES, lease, options)));
  return at;
};

const read = async (state: ElectionState, signal: AbortSignal): Promise<Observed | undefined> => {
  const { client, name, namespace } = state;
  try {
    return see(state, await client.get(LEASES, { namespace, name }, signal));
  } catch (error) {
    if (error instanceof KubeError && error.kind === "notFound") return undefined;
    throw error;
  }
};

const take = async (state: ElectionState, current: Observed | undefined): Promise<void> => {
  const { clock, identity, times } = state;
  state.acquiredAt = microTime(clock());
  if (current !== undefined && current.claim.holder !== identity) state.transitions++;
  state.renewedAt = await write(state, identity, times.leaseMs, current?.claim.resourceVersion);
};

const prepare = async (state: ElectionState, signal: AbortSignal): Promise<void> => {
  try {
    const current = await read(state, signal);
    if (current?.claim.holder === state.identity) await take(state, current);
  } catch (error) {
    state.log.debug(
      { err: error },
      "the lease could not be read before the caches synced; it is read again when they have",
    );
  }
};

const acquire = async (state: ElectionState, signal: AbortSignal): Promise<boolean> => {
  const { identity, log, name, namespace } = state;
  log.info({ lease: `${namespace}/${name}`, identity }, "waiting for the lease");
  while (!signal.aborted) {
    try {
      if (isFresh(state) || (await tryAcquire(state, signal))) {
        log.info({ lease: `${namespace}/${name}`, identity }, "leading");
        return true;
      }
    } catch (error) {
      const lostRace = error instanceof KubeError && error.kind === "conflict";
      if (!signal.aborted && !lostRace) log.warn({ err: error }, "the lease is not available yet");
    }
    await pause(state, signal);
  }
  return false;
};

const tryAcquire = async (state: ElectionState, signal: AbortSignal): Promise<boolean> => {
  const current = await read(state, signal);
  if (current !== undefined && !mayClaim(current, state.identity, monotonic())) return false;
  await take(state, current);
  return true;
};

const hold = async (state: ElectionState, signal: AbortSignal): Promise<boolean> => {
  for (;;) {
    await pause(state, signal);
    if (signal.aborted) return true;
    try {
      if ((await renew(state, signal)) === "lost") return false;
    } catch (error) {
      state.log.warn({ err: error }, "the lease was not renewed");
    }
    if (!isLeader(state)) return signal.aborted;
  }
};

const renew = async (state: ElectionState, signal: AbortSignal): Promise<"renewed" | "lost"> => {
  const { identity, observed, times } = state;
  try {
    state.renewedAt = await write(state, identity, times.leaseMs, observed?.claim.resourceVersion);
    return "renewed";
  } catch (error) {
    if (!(error instanceof KubeError) || error.kind !== "conflict") throw error;
    // Somebody wrote: perhaps we ourselves, in a renewal whose answer was lost, and then the next one succeeds.
    const current = await read(state, signal);
    if (current !== undefined && current.claim.holder !== identity) return "lost";
    throw error;
  }
};

const pause = ({ times }: ElectionState, signal: AbortSignal): Promise<void> =>
  sleep(retryAfter(Math.random(), times), undefined, { signal }).catch(() => undefined);

const release = async (state: ElectionState): Promise<void> => {
  if (!isLeader(state)) return;
  state.renewedAt = undefined;
  await write(state, "", 1000, state.observed?.claim.resourceVersion);
  state.log.info("released the lease");
};
