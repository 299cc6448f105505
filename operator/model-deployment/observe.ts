/** Everything that one reconcile looks at, read from the caches at its start. */
import type { ModelDeployment, ModelRollout } from "../api/v1alpha1/index.ts";
import type { Store } from "../cache/store.ts";
import type {
  ConfigMap,
  ControllerRevision,
  Deployment,
  NetworkPolicy,
  ObjectKey,
  Pod,
  PodDisruptionBudget,
  Service,
} from "../kube/objects.ts";
import { needsRouter } from "../traffic/plan.ts";
import type { Neighbour } from "../traffic/port.ts";
import { type Owner, ownerOf } from "./children/owner.ts";
import { fixedReplicas } from "./external.ts";
import { parseRevision, type Revision } from "./revision.ts";

export type Stores = {
  modelDeployments: Store<ModelDeployment>;
  deployments: Store<Deployment>;
  services: Store<Service>;
  controllerRevisions: Store<ControllerRevision>;
  configMaps: Store<ConfigMap>;
  disruptionBudgets: Store<PodDisruptionBudget>;
  networkPolicies: Store<NetworkPolicy>;
  modelRollouts: Store<ModelRollout>;
  /** By MODEL_DEPLOYMENT_LABEL. */
  pods: Store<Pod>;
};

/** Plain data. All but the pods are controlled by the ModelDeployment; the pods are told by their label. */
export type Observed = {
  modelDeployment: ModelDeployment;
  owner: Owner;
  revisions: Revision[];
  controllerRevisions: ControllerRevision[];
  deployments: Deployment[];
  services: Service[];
  configMaps: ConfigMap[];
  disruptionBudgets: PodDisruptionBudget[];
  networkPolicies: NetworkPolicy[];
  modelRollouts: ModelRollout[];
  pods: Pod[];
  /** The others of its namespace that have a port on the routers; only where it matters to this one. */
  neighbours: Neighbour[];
  /** Pods that whoever serves is to have: what the spec says, where nothing else says it. */
  replicas: number;
  /** Pods that a revision on trial needs for its own requests, where that is known; a step of its rollout may ask for more. */
  canaryReplicas?: number;
};

/** Undefined if the ModelDeployment is gone or going: its children go with it, by their owner reference. */
export const observe = (stores: Stores, key: ObjectKey): Observed | undefined => {
  const modelDeployment = stores.modelDeployments.get(key);
  if (modelDeployment === undefined || modelDeployment.metadata.deletionTimestamp !== undefined) return undefined;
  const owner = ownerOf(modelDeployment);
  const deployments = stores.deployments.ownedBy(owner.uid);
  const controllerRevisions = stores.controllerRevisions.ownedBy(owner.uid);
  return {
    modelDeployment,
    owner,
    revisions: controllerRevisions.flatMap((one) => parseRevision(one) ?? []),
    controllerRevisions,
    deployments,
    services: stores.services.ownedBy(owner.uid),
    configMaps: stores.configMaps.ownedBy(owner.uid),
    disruptionBudgets: stores.disruptionBudgets.ownedBy(owner.uid),
    networkPolicies: stores.networkPolicies.ownedBy(owner.uid),
    modelRollouts: stores.modelRollouts.ownedBy(owner.uid),
    pods: stores.pods.labelled(key),
    replicas: fixedReplicas(modelDeployment, deployments),
    neighbours: needsRouter(modelDeployment) ? neighboursOf(stores, modelDeployment) : [],
  };
};

const neighboursOf = ({ modelDeployments }: Stores, { metadata }: ModelDeployment): Neighbour[] =>
  [...modelDeployments.list()].flatMap((other) => {
    const { creationTimestamp: createdAt = "", namespace, uid = "" } = other.metadata;
    const port = other.status?.traffic?.port;
    return namespace !== metadata.namespace || uid === metadata.uid || port === undefined
      ? []
      : [{ uid, port, createdAt }];
  });
