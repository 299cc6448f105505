/** Of the pods that the status wants of both revisions, what can be: none that requests need is taken away by it, and none made without an end. Pure. */
import { DEFAULT_MAX_WAIT, maxReplicasOf, parseDuration, type RolloutStatus } from "../../api/v1alpha1/index.ts";
import { podsFor, shortageOf } from "../../domain/rollout/assignment.ts";
import { capacityOf, writtenWeight } from "./applied.ts";
import { deploymentOf, progressMs, stableByStatus } from "./findings.ts";
import type { Observed } from "./observed.ts";
import type { Revision } from "./revision.ts";
import { sharedRoom, withRoom } from "./shared-room.ts";

type Told = NonNullable<RolloutStatus["capacity"]>;

export const believedCapacity = (observed: Observed, told: Told, revision: Revision, now: number): Told => {
  const { fullSince, readyWithinMs, retryAt, since, ...rest } = told;
  const within = readyWithinMs ?? (rest.plan === "swap" ? readyWithinOf(observed) : undefined);
  const longest = Math.max(2 * readyWithinOf(observed), progressMs(observed));
  const times = {
    since: between(0, since, now),
    ...(fullSince === undefined ? {} : { fullSince: between(0, fullSince, now) }),
    ...(retryAt === undefined ? {} : { retryAt: between(0, retryAt, now + progressMs(observed)) }),
    ...(within === undefined ? {} : { readyWithinMs: Math.min(within, longest) }),
  };
  return { ...rest, ...times, ...podsIn(observed, { ...rest, ...times }, revision, now) };
};

/** Of a swap, where nothing tells how long a pod takes to start: half of the time that requests wait is left for the way back. */
export const readyWithinOf = ({ modelDeployment }: Observed): number =>
  parseDuration(modelDeployment.spec.traffic?.queue?.maxWait ?? DEFAULT_MAX_WAIT) / 2;

/** What the Deployments have is kept as far as the table's share needs it: no assignment takes that away. */
const podsIn = (observed: Observed, told: Told, revision: Revision, now: number): Pick<Told, "stable" | "canary"> => {
  const { scale } = observed.modelDeployment.status ?? {};
  const limit = maxReplicasOf(observed.modelDeployment.spec);
  const replicas = Math.max(1, Math.min(Math.max(limit, observed.replicas), scale?.wanted ?? observed.replicas));
  const capacity = capacityOf({ capacity: told });
  if (capacity === undefined) return told;
  const room = sharedRoom(withRoom(capacity, { ...observed, replicas }, revision, now), { replicas });
  const allowed = shortageOf({ plan: told.plan, ...room });
  const weight = writtenWeight(observed, revision.name) ?? 0;
  const serving = stableByStatus(observed);
  const [there, own] = [serving, revision].map((one) =>
    one === undefined ? 0 : (deploymentOf(observed, one)?.spec?.replicas ?? 0),
  );
  const most = Math.max(2, limit, observed.replicas, there ?? 0, own ?? 0);
  const isAlone = told.plan === "swap" && weight === 100;
  const needed = isAlone ? 0 : Math.max(1, podsFor(100 - weight, room.replicas) - allowed);
  const share = weight === 0 ? 0 : podsFor(weight, room.replicas) - allowed;
  return {
    stable: Math.min(most, Math.max(told.stable, Math.min(there ?? 0, needed))),
    canary: Math.min(most, Math.max(told.canary, Math.min(own ?? 0, share))),
  };
};

/** A time that is no later than it can be, and no earlier; one that is none is the earliest. */
export const between = (earliest: number, told: string, latest: number): string => {
  const at = Date.parse(told);
  const possible = Math.min(Math.max(Number.isNaN(at) ? 0 : at, earliest), latest);
  return possible === at ? told : new Date(possible).toISOString();
};
