/** What all parts of a namespace's router have in common. */
import { API_VERSION, KIND, type ModelDeployment, ROUTER_NAME, routerLabels } from "../../../api/v1alpha1/index.ts";
import type { ObjectMeta } from "../../../platform/kube/objects.ts";

/**
 * `users`: the ModelDeployments that need it. All of them own it and none controls it, so that it goes with the last one even
 * while no operator runs.
 */
export type RouterOwner = { namespace: string; users: readonly ModelDeployment[] };

export const routerMeta = ({ namespace, users }: RouterOwner): ObjectMeta & { namespace: string } => ({
  name: ROUTER_NAME,
  namespace,
  labels: routerLabels,
  ownerReferences: users
    .map(({ metadata: { name, uid = "" } }) => ({ apiVersion: API_VERSION, kind: KIND, name, uid }))
    .toSorted((one, other) => (one.name < other.name ? -1 : 1)),
});
