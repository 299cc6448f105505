/** Of a rollout in the status, what can be true beside the objects that there are. Pure. */
import type { RolloutStatus } from "../../api/v1alpha1/index.ts";
import { SWAP_STEPS } from "../../domain/rollout/capacity.ts";
import { rolloutSettings } from "../../domain/rollout/settings.ts";
import { believedCapacity, between, readyWithinOf } from "./believed-capacity.ts";
import { deploymentOf, progressMs, readyOf, stableByStatus } from "./findings.ts";
import type { Observed } from "./observed.ts";
import { nextName } from "./record.ts";
import { rejectionsOf } from "./rejections.ts";
import { isSameSpec, type Revision, revisionSpecOf } from "./revision.ts";

/** @param told as the status has it; the rest of the observation is believed already */
export const believedRollout = (observed: Observed, told: RolloutStatus, now: number): RolloutStatus => {
  const { rejected, retried } = told;
  const lists = { ...(rejected === undefined ? {} : { rejected }), ...(retried === undefined ? {} : { retried }) };
  const revision = observed.revisions.find(({ name }) => name === told.revision);
  if (revision === undefined || !canBe(observed, told, revision)) return { ...swapUnderWay(observed, now), ...lists };
  const { capacity, since } = told;
  const made = Date.parse(deploymentOf(observed, revision)?.metadata.creationTimestamp ?? "") || 0;
  return {
    ...told,
    ...(capacity === undefined ? {} : { capacity: believedCapacity(observed, capacity, revision, now) }),
    ...(since === undefined ? {} : { since: between(made, since, now) }),
  };
};

/** All that belongs to a rollout in that phase is there, and is about that revision. */
const canBe = (observed: Observed, told: RolloutStatus, { name }: Revision): boolean => {
  const { capacity, phase, step = 0, strategy } = told;
  if (name === observed.modelDeployment.status?.stable?.revision) return false;
  if (phase === undefined || strategy === undefined || !isRecordOf(name, told.name)) return false;
  const steps = stepsOf(told);
  if (capacity === undefined || (steps === undefined && phase !== "retreating"))
    return phase === "preparing" && step === 0;
  if (isMovedSwap(told) && !isAlone(observed, name)) return false;
  return phase === "retreating" || phase === "finishing" || step < (steps ?? 0);
};

/** A ModelRollout has the name of its revision, and a number. */
const isRecordOf = (revision: string, record = ""): boolean =>
  record.startsWith(`${revision}-`) && /^[1-9][0-9]{0,8}$/.test(record.slice(revision.length + 1));

const MOST_STEPS = { canary: Number.POSITIVE_INFINITY, shadow: 1, blueGreen: 2 } as const;

/** So many; undefined while they are to follow from the traffic. */
const stepsOf = ({ capacity, steps, strategy = "canary" }: RolloutStatus): number | undefined =>
  capacity?.plan === "swap" ? SWAP_STEPS.length : steps && Math.min(steps.length, MOST_STEPS[strategy]);

/** Stable gives its pods up for it. */
const isMovedSwap = ({ capacity, phase }: RolloutStatus): boolean =>
  capacity?.plan === "swap" && phase !== "preparing" && phase !== "shifting" && phase !== "retreating";

/** The table comes before that: nobody else is in it. */
const isAlone = ({ modelDeployment }: Observed, revision: string): boolean => {
  const { routes = [] } = modelDeployment.status?.traffic ?? {};
  return routes.length === 1 && routes[0]?.revision === revision;
};

/**
 * Of a swap that nothing tells of any more: stable has no pod left, and the pods of its successor hold the room. One that answers goes on
 * with that; one that does not gives the room back first.
 */
const swapUnderWay = (observed: Observed, now: number): RolloutStatus => {
  const stable = stableByStatus(observed);
  if (stable === undefined || deploymentOf(observed, stable)?.spec?.replicas !== 0 || observed.replicas === 0)
    return {};
  const { strategy } = rolloutSettings(observed.modelDeployment.spec) ?? {};
  const next = successorOf(observed, stable);
  if (strategy === undefined || next === undefined) return {};
  const since = new Date(now).toISOString();
  const steps = SWAP_STEPS.map(({ weight }) => ({ weight }));
  const begun = { name: nextName(observed, next.name), revision: next.name, strategy, step: 0, steps };
  const readyWithinMs = readyWithinOf(observed);
  const capacity = { plan: "swap" as const, why: "stable has given its pods up", spare: 0, since, readyWithinMs };
  if (readyOf(observed, next) === 0) {
    const retryAt = new Date(now + progressMs(observed)).toISOString();
    return { ...begun, phase: "preparing", capacity: { ...capacity, stable: observed.replicas, canary: 0, retryAt } };
  }
  const canary = deploymentOf(observed, next)?.spec?.replicas ?? 1;
  return { ...begun, phase: "observing", since, capacity: { ...capacity, stable: 0, canary } };
};

/** The revision of the spec, which has pods beside stable, and is not rejected. */
const successorOf = (observed: Observed, stable: Revision): Revision | undefined => {
  const spec = revisionSpecOf(observed.modelDeployment.spec);
  const rejected = new Set(rejectionsOf(observed).map(({ revision }) => revision));
  return observed.revisions.find(
    (one) =>
      one.name !== stable.name &&
      !rejected.has(one.name) &&
      (deploymentOf(observed, one)?.spec?.replicas ?? 0) > 0 &&
      isSameSpec(one, { spec }),
  );
};
