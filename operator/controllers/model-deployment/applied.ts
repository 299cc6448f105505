/** What was written of a rollout: in the routing table, and of the pods that the Deployments are asked for. Pure. */
import type { RolloutStatus } from "../../api/v1alpha1/index.ts";
import type { Applied, Situation } from "../../domain/rollout/assignment.ts";
import type { Chosen } from "../../domain/rollout/capacity.ts";
import { availableOf, isReachable, stableByStatus } from "./findings.ts";
import type { Observed } from "./observed.ts";
import type { Revision } from "./revision.ts";
import type { Acknowledged } from "./traffic.ts";

/**
 * `since`: when the replicas last changed. `retryAt`: a swap found no room for the new pods, and is not tried again before. Of a handover:
 * `placed`, the most pods of both that had a node at once, and `fullSince`, when those were found to be all that there is room for. Times in
 * milliseconds since 1970.
 */
export type Capacity = Chosen & {
  stable: number;
  canary: number;
  since: number;
  retryAt?: number;
  placed?: number;
  fullSince?: number;
};

export const capacityOf = ({ capacity }: RolloutStatus): Capacity | undefined => {
  if (capacity === undefined) return undefined;
  const { fullSince, placed, readyWithinMs, retryAt, since, ...rest } = capacity;
  return {
    ...rest,
    since: Date.parse(since) || 0,
    ...(placed === undefined ? {} : { placed }),
    ...(fullSince === undefined ? {} : { fullSince: Date.parse(fullSince) || 0 }),
    ...(readyWithinMs === undefined ? {} : { readyWithinMs }),
    ...(retryAt === undefined ? {} : { retryAt: Date.parse(retryAt) || 0 }),
  };
};

export const capacityStatus = ({
  fullSince,
  retryAt,
  since,
  ...rest
}: Capacity): NonNullable<RolloutStatus["capacity"]> => ({
  ...rest,
  since: new Date(since).toISOString(),
  ...(fullSince === undefined ? {} : { fullSince: new Date(fullSince).toISOString() }),
  ...(retryAt === undefined ? {} : { retryAt: new Date(retryAt).toISOString() }),
});

/** Of the table that was written: what the routers send this revision, if they follow it; undefined: it is not in there. */
export const writtenWeight = ({ modelDeployment }: Observed, revision: string): number | undefined =>
  modelDeployment.status?.traffic?.routes.find((route) => route.revision === revision)?.weight;

/** What was written of both, in the table and in the status that the Deployments follow. */
export const appliedOf = (
  observed: Observed,
  { canary, stable }: Pick<Capacity, "canary" | "stable">,
  revision: string,
): Applied => ({ stable, candidate: canary, weight: writtenWeight(observed, revision) ?? 0 });

/** Pods of both that serve, and that requests can reach. */
export const servingOf = (observed: Observed, candidate: Revision): Situation["ready"] => {
  const stable = stableByStatus(observed);
  return {
    stable: stable === undefined ? 0 : availableOf(observed, stable),
    candidate: isReachable(observed, candidate) ? availableOf(observed, candidate) : 0,
  };
};

/** Every router follows the written table, as far as it is about this revision. */
export const isFollowed = (observed: Observed, revision: string, acknowledged: Acknowledged): boolean =>
  acknowledged === true || writtenWeight(observed, revision) === undefined;

export const isTotal = ({ modelDeployment }: Observed): boolean => modelDeployment.spec.scaling?.mode === "external";
