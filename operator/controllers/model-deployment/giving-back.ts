/**
 * A revision that another one is wanted instead of, in the middle of its rollout: its share and its pods go back to stable before
 * anything else begins, so that no request meets fewer pods than its share needs. Pure.
 */
import { giveBack } from "../../domain/rollout/assignment.ts";
import { rolloutSettings } from "../../domain/rollout/settings.ts";
import { appliedOf, type Capacity, capacityOf, isFollowed, isTotal, servingOf } from "./applied.ts";
import { availableOf, deploymentOf, progressMs } from "./findings.ts";
import type { Observed } from "./observed.ts";
import type { Revision } from "./revision.ts";
import type { Roles } from "./revision-roles.ts";
import { sharedRoom, withRoom } from "./shared-room.ts";
import type { Acknowledged, Share } from "./traffic.ts";

export type GivingBack = {
  /** Of its ModelRollout. */
  name: string;
  revision: Revision;
  strategy: "canary" | "shadow" | "blueGreen";
  /** As it is next. */
  capacity: Capacity;
  /** In percent, as the table has it next. */
  weight: number;
  /** Stable answers nobody, and it does: it takes over, though another one is wanted by now. */
  isRescue: boolean;
  /** It is to take over at once, and begins anew when stable has its room back: it has no pod and no request any more. */
  isLeaving: boolean;
};

/** Whether the status has a rollout that is not the candidate's: the routers are asked about its table. */
export const leftRollout = ({ modelDeployment, revisions, ...observed }: Observed, { candidate, stable }: Roles) => {
  const { rollout } = modelDeployment.status ?? {};
  const capacity = rollout && capacityOf(rollout);
  const revision = revisions.find(({ name }) => name === rollout?.revision);
  if (rollout?.name === undefined || rollout.strategy === undefined || capacity === undefined) return undefined;
  if (stable === undefined || revision === undefined || revision.name === stable.name) return undefined;
  const all = { modelDeployment, revisions, ...observed };
  if (deploymentOf(all, revision) === undefined) return undefined;
  // a swap's way back is stable's start, whoever comes next; the same revision must make room for it, unless it serves by now
  const isWanted = candidate?.name === revision.name && rolloutSettings(modelDeployment.spec) === undefined;
  if (capacity.plan === "swap" && (!isWanted || availableOf(all, revision) >= Math.max(1, capacity.canary)))
    return undefined;
  const isUnderWay =
    rollout.phase !== "retreating" &&
    candidate?.name === revision.name &&
    rolloutSettings(modelDeployment.spec)?.strategy === rollout.strategy;
  return isUnderWay ? undefined : { name: rollout.name, revision, strategy: rollout.strategy, capacity, isWanted };
};

/** What it gives back next; undefined where nothing is left, or its time is over and stable serves. */
export const givingBackOf = (
  observed: Observed,
  roles: Roles,
  acknowledged: Acknowledged,
  isStableBroken: boolean,
  now: number,
): GivingBack | undefined => {
  const left = leftRollout(observed, roles);
  if (left === undefined) return undefined;
  const { isWanted, name, revision, strategy } = left;
  // the numbers may be as old as the step that it leaves
  const isNew = observed.modelDeployment.status?.rollout?.phase !== "retreating";
  const capacity = withRoom({ ...left.capacity, ...(isNew ? { since: now } : {}) }, observed, revision, now);
  const applied = appliedOf(observed, capacity, revision.name);
  const isTableFollowed = isFollowed(observed, revision.name, acknowledged);
  const ready = servingOf(observed, revision);
  const isLate = now >= capacity.since + progressMs(observed);
  const next = giveBack({
    ...{ plan: capacity.plan, isTotal: isTotal(observed), ready },
    ...sharedRoom(capacity, observed),
    ...{ applied, isFollowed: isTableFollowed },
  });
  const rejected = observed.modelDeployment.status?.rollout?.rejected ?? [];
  const isPaused = rolloutSettings(observed.modelDeployment.spec)?.isPaused === true;
  const isRejected = rejected.some((one) => one.revision === revision.name);
  // stable may never come back: one that nobody wants any more does not hold up the next one for that
  const mayEnd = ready.stable > 0 || isRejected || capacity.plan === "swap";
  if (next === undefined || (isLate && mayEnd)) {
    // with all of its pods it takes over at once; with fewer it would only keep stable from having its own
    if (!isWanted || availableOf(observed, revision) >= observed.replicas) return undefined;
    const isFree = applied.weight === 0 && isTableFollowed;
    const apart = isFree ? { ...capacity, stable: Math.max(1, observed.replicas), canary: 0 } : capacity;
    const isLeaving = isFree && applied.candidate === 0;
    return { ...{ name, revision, strategy, isLeaving }, capacity: apart, weight: 0, isRescue: false };
  }
  const [stable, canary] = [next.stable.replicas, next.candidate.replicas];
  const isSame = stable === capacity.stable && canary === capacity.canary;
  return {
    ...{ name, revision, strategy, weight: next.candidate.weight, isLeaving: false },
    capacity: isSame ? capacity : { ...capacity, stable, canary, since: now },
    isRescue: isStableBroken && ready.candidate > 0 && !isRejected && !isPaused,
  };
};

export const shareLeft = ({ revision, weight }: GivingBack): Share | undefined =>
  weight === 0 ? undefined : { revision: revision.name, weight, shadow: 0, isAlone: false };

/** `digits-2 gives its pods back to stable before anything else begins: 3 beside 1, 25 % of the requests` */
export const givingBackInWords = ({ capacity, revision, weight }: GivingBack): string =>
  `${revision.name} is shifting traffic back to stable: it still has ${weight} % of the requests and ` +
  `${capacity.canary} of the pods, stable ${capacity.stable}`;
