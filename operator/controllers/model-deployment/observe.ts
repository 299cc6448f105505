/** Everything that one reconcile looks at, read from the caches at its start. */
import {
  MODEL_DEPLOYMENT_LABEL,
  type ModelDeployment,
  type ModelRollout,
  minReplicasOf,
  REVISION_LABEL,
} from "../../api/v1alpha1/index.ts";
import { isReady, revisionOf } from "../../domain/pods/pods.ts";
import type { Neighbour } from "../../domain/traffic/port.ts";
import type { Store } from "../../platform/cache/store.ts";
import type {
  ConfigMap,
  ControllerRevision,
  Deployment,
  KubeObject,
  NetworkPolicy,
  ObjectKey,
  Pod,
  PodDisruptionBudget,
  Service,
} from "../../platform/kube/objects.ts";
import { isPodOf } from "../../platform/kube/pod-owner.ts";
import { needsRouter } from "../namespace-router/plan.ts";
import { isOrphan } from "./adopt.ts";
import { type Owner, ownerOf, wasOwnedByNamesake } from "./children/owner.ts";
import { type External, externalOf } from "./external.ts";
import { parseRevision, type Revision, revisionSpecOf } from "./revision.ts";
import { unrecordedIn } from "./unrecorded.ts";

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
  /** Pods that a revision on trial needs for its own requests, where that is known; a step of its rollout may ask for more. */
  canaryReplicas?: number;
};

/** Undefined if the ModelDeployment is gone or going: its children go with it, by their owner reference. */
export const observe = (stores: Stores, key: ObjectKey, now: number): Observed | undefined => {
  const modelDeployment = stores.modelDeployments.get(key);
  if (modelDeployment === undefined || modelDeployment.metadata.deletionTimestamp !== undefined) return undefined;
  const owner = ownerOf(modelDeployment);
  const childrenIn = <T extends KubeObject>(store: Store<T>): T[] => [
    ...store.ownedBy(owner.uid),
    ...store.labelled(key).filter((object) => isOrphan(owner, object)),
  ];
  const controllerRevisions = childrenIn(stores.controllerRevisions);
  const deployments = childrenIn(stores.deployments);
  // the Service of a revision has its name, and this one's is the clients'
  const isRevision = ({ metadata }: KubeObject): boolean => metadata.name !== owner.name;
  const recorded = controllerRevisions.filter(isRevision).flatMap((one) => parseRevision(one) ?? []);
  const spec = revisionSpecOf(modelDeployment.spec);
  const external = externalOf(modelDeployment, deployments, now);
  const pods = stores.pods.labelled(key).filter(isServer);
  return {
    modelDeployment,
    owner,
    revisions: [
      ...recorded,
      ...unrecordedIn(deployments.filter(isRevision), controllerRevisions, recorded, owner, spec),
    ],
    controllerRevisions,
    deployments,
    services: childrenIn(stores.services),
    configMaps: childrenIn(stores.configMaps),
    disruptionBudgets: childrenIn(stores.disruptionBudgets),
    networkPolicies: childrenIn(stores.networkPolicies),
    modelRollouts: childrenIn(stores.modelRollouts),
    pods,
    leftRevisions: leftRevisions(stores, owner, pods),
    ...(external === undefined ? {} : { external }),
    replicas: external?.replicas ?? minReplicasOf(modelDeployment.spec),
    neighbours: needsRouter(modelDeployment) ? neighboursOf(stores, modelDeployment) : [],
  };
};

/** Servers that answer, with the keys of their ModelDeployments. */
export const readyServers = (pods: Iterable<Pod>): { uid: string; address: string; key: ObjectKey }[] =>
  [...pods].flatMap((pod) => {
    const { labels = {}, namespace = "", uid = "" } = pod.metadata;
    const [address, name] = [pod.status?.podIP, labels[MODEL_DEPLOYMENT_LABEL]];
    if (address === undefined || name === undefined || !isServer(pod) || !isReady(pod)) return [];
    return [{ uid, address, key: { namespace, name } }];
  });

/** By its owner: what a pod reports is pinned, and decides who serves. */
export const isServer = (pod: Pod): boolean => isPodOf(pod, pod.metadata.labels?.[REVISION_LABEL] ?? "");

const leftRevisions = ({ deployments }: Stores, owner: Owner, pods: readonly Pod[]): ReadonlySet<string> => {
  const isLeft = (name: string): boolean => {
    const deployment = deployments.get({ namespace: owner.namespace, name });
    return deployment === undefined || wasOwnedByNamesake(owner, deployment);
  };
  return new Set(pods.flatMap((pod) => revisionOf(pod) ?? []).filter(isLeft));
};

const neighboursOf = ({ modelDeployments }: Stores, { metadata }: ModelDeployment): Neighbour[] =>
  [...modelDeployments.list()].flatMap((other) => {
    const { creationTimestamp: createdAt = "", namespace, uid = "" } = other.metadata;
    const port = other.status?.traffic?.port;
    return namespace !== metadata.namespace || uid === metadata.uid || port === undefined
      ? []
      : [{ uid, port, createdAt }];
  });
