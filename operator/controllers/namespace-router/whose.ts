/** Whose an object is that has the name of the namespace's routers. Pure. */
import { KIND, MANAGED_BY, MANAGED_BY_LABEL, ROUTER_LABEL } from "../../api/v1alpha1/index.ts";
import type { Obstacle } from "../../apply/obstacle.ts";
import type { KubeObject } from "../../platform/kube/objects.ts";

/**
 * Ours: owned by ModelDeployments, of which none controls it; or with the routers' labels, and nobody's, as after a restore from a
 * backup. A child of a ModelDeployment of this very name has a controller, and no label of the routers.
 */
export const isRouterPart = ({ metadata: { labels = {}, ownerReferences = [] } }: KubeObject): boolean => {
  if (ownerReferences.some(({ controller }) => controller === true)) return false;
  const isMarked = labels[MANAGED_BY_LABEL] === MANAGED_BY && labels[ROUTER_LABEL] === "true";
  return isMarked || ownerReferences.some(({ kind }) => kind === KIND);
};

/** What stands in the way where something of that name exists already; undefined: it is ours. */
export const obstacleOf = (existing: KubeObject): Obstacle | undefined =>
  isRouterPart(existing) ? undefined : { kind: "stranger", objects: [`${existing.kind} ${existing.metadata.name}`] };
