/**
 * Children without an owner, as a restore from a backup and `kubectl delete --cascade=orphan` leave them: those with Berth's labels
 * for this very name are adopted, as a ReplicaSet adopts pods. Pure.
 */
import { MODEL_ROLLOUTS, REVISION_LABEL } from "../../api/v1alpha1/index.ts";
import { type Action, mark, nameOf } from "../../apply/actions.ts";
import type { KubeObject, Resource } from "../../platform/kube/objects.ts";
import {
  CONFIG_MAPS,
  CONTROLLER_REVISIONS,
  DEPLOYMENTS,
  NETWORK_POLICIES,
  POD_DISRUPTION_BUDGETS,
  SERVICES,
} from "../../platform/kube/resources.ts";
import { childMeta, isOwnedBy } from "./children/owner.ts";
import type { Observed } from "./observed.ts";

/** The plan with orphans adopted first: what it has for one of them waits until the adoption is seen. */
export const adopting = (observed: Observed, actions: readonly Action[]): Action[] => {
  const adoptions = adoptionsOf(observed);
  const adopted = new Set(adoptions.map(nameOf));
  return [...adoptions, ...actions.filter((action) => !adopted.has(nameOf(action)))];
};

const adoptionsOf = ({ owner, ...observed }: Observed): Action[] => {
  const marked = <T extends KubeObject>(resource: Resource<T>, objects: readonly T[]): Action[] =>
    objects
      .filter((object) => !isOwnedBy(owner, object))
      .map((object) => {
        const { labels, name } = object.metadata;
        return mark(resource, childMeta(owner, name, labels?.[REVISION_LABEL]), object);
      });
  return [
    ...marked(CONTROLLER_REVISIONS, observed.controllerRevisions),
    ...marked(DEPLOYMENTS, observed.deployments),
    ...marked(SERVICES, observed.services),
    ...marked(CONFIG_MAPS, observed.configMaps),
    ...marked(POD_DISRUPTION_BUDGETS, observed.disruptionBudgets),
    ...marked(NETWORK_POLICIES, observed.networkPolicies),
    ...marked(MODEL_ROLLOUTS, observed.modelRollouts),
  ];
};
