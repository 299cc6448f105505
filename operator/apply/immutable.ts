/** What the API server lets nobody change: an object that differs there is made anew. Pure. */
import type { Deployment, KubeObject, PodDisruptionBudget, RoleBinding, Service } from "../platform/kube/objects.ts";
import { covers } from "./drift.ts";

/** Whether `observed` can become `intended` only by being deleted first. */
export const mustBeMadeAnew = (intended: KubeObject, observed: KubeObject): boolean =>
  FIXED[intended.kind]?.some((fixed) => fixed(intended, observed)) ?? false;

type Differs = (intended: KubeObject, observed: KubeObject) => boolean;

const FIXED: Readonly<Record<string, readonly Differs[]>> = {
  RoleBinding: [(one, other) => isBinding(one) && isBinding(other) && !covers(one.roleRef, other.roleRef)],
  Deployment: [
    (one, other) =>
      isDeployment(one) && isDeployment(other) && !covers(one.spec?.selector, other.spec?.selector, "podSelector"),
  ],
  Service: [
    // a name for something else has given its address up, and nothing of what is applied takes the name away
    (one, other) =>
      isService(one) && isService(other) && other.spec?.type === EXTERNAL && one.spec?.type !== other.spec.type,
    // headless or not
    (one, other) =>
      isService(one) && isService(other) && (one.spec?.clusterIP === "None") !== (other.spec?.clusterIP === "None"),
  ],
  // it cannot have both bounds, so ours is refused while somebody else's is there
  PodDisruptionBudget: [
    (one, other) =>
      isBudget(one) &&
      isBudget(other) &&
      one.spec?.maxUnavailable !== undefined &&
      other.spec?.minAvailable !== undefined,
  ],
};

const EXTERNAL = "ExternalName";

const isBinding = (object: KubeObject): object is RoleBinding => object.kind === "RoleBinding";
const isDeployment = (object: KubeObject): object is Deployment => object.kind === "Deployment";
const isService = (object: KubeObject): object is Service => object.kind === "Service";
const isBudget = (object: KubeObject): object is PodDisruptionBudget => object.kind === "PodDisruptionBudget";
