/** Whether a plan brings something back that was there before. */
import { networkPolicyName, serviceName } from "../../api/v1alpha1/index.ts";
import type { Action } from "../../apply/actions.ts";
import { CONFIG_MAPS } from "../../platform/kube/resources.ts";
import type { Observed } from "./observed.ts";

/**
 * Somebody has deleted a child, or the ModelDeployment is gone with its children and its cache has yet to hear of it: then what is
 * made for it now would only be collected again, and might be in its successor's way. Only the API server knows which. Pure.
 */
export const isRepair = ({ modelDeployment, owner }: Observed, actions: readonly Action[]): boolean => {
  const { stable, canary } = modelDeployment.status ?? {};
  const revisions = [stable, canary].filter((revision) => revision !== undefined);
  const known = new Set([
    ...revisions.map(({ revision }) => revision),
    ...(revisions.length > 0 ? [serviceName(owner.name), networkPolicyName(owner.name)] : []),
  ]);
  // A pin comes when a pod has proved it: a revision that is known has none at first.
  const pinned = new Set(
    revisions.flatMap(({ revision, modelDigest }) => (modelDigest === undefined ? [] : [revision])),
  );
  return actions.some(
    (action) =>
      // adopted by one that is gone, they would be collected
      action.verb === "mark" ||
      (action.verb === "create" &&
        (action.resource.kind === CONFIG_MAPS.kind ? pinned : known).has(action.object.metadata.name)),
  );
};
