/** What one reconcile looks at. */

import type { ModelDeployment, ModelRollout } from "../../api/v1alpha1/index.ts";
import type { Neighbour } from "../../domain/traffic/port.ts";
import type { Store } from "../../platform/cache/store.ts";
import type {
  ConfigMap,
  ControllerRevision,
  Deployment,
  NetworkPolicy,
  Pod,
  PodDisruptionBudget,
  Service,
} from "../../platform/kube/objects.ts";
import type { Owner } from "./children/owner.ts";
import type { External } from "./external.ts";
import type { Revision } from "./revision.ts";

/** All of them by MODEL_DEPLOYMENT_LABEL. */
export type Stores = {
  modelDeployments: Store<ModelDeployment>;
  deployments: Store<Deployment>;
  services: Store<Service>;
  controllerRevisions: Store<ControllerRevision>;
  configMaps: Store<ConfigMap>;
  disruptionBudgets: Store<PodDisruptionBudget>;
  networkPolicies: Store<NetworkPolicy>;
  modelRollouts: Store<ModelRollout>;
  pods: Store<Pod>;
};

/** Plain data. All but the pods are controlled by the ModelDeployment, or orphans that it adopts; the pods have its label, and are of its Deployments by their ReplicaSet. */
export type Observed = {
  modelDeployment: ModelDeployment;
  owner: Owner;
  /** Those of the ControllerRevisions, and those of Deployments that have lost theirs. */
  revisions: Revision[];
  controllerRevisions: ControllerRevision[];
  deployments: Deployment[];
  services: Service[];
  configMaps: ConfigMap[];
  disruptionBudgets: PodDisruptionBudget[];
  networkPolicies: NetworkPolicy[];
  modelRollouts: ModelRollout[];
  pods: Pod[];
  /** Names of revisions that a deleted ModelDeployment of this name has left pods of: the garbage collector takes those last. */
  leftRevisions: ReadonlySet<string>;
  /** The others of its namespace that have a port on the routers; only where it matters to this one. */
  neighbours: Neighbour[];
  /** Pods that whoever serves is to have: what the spec says, where nothing else says it. */
  replicas: number;
  /** Where somebody else says how many pods there are. */
  external?: External;
  /** Its status cannot be as somebody has written it: see `believed.ts`. */
  isDoubted?: true;
  /** Pods that a revision on trial needs for its own requests, where that is known; a step of its rollout may ask for more. */
  canaryReplicas?: number;
};
