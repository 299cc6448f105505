/** Everything that one reconcile looks at, read from the caches at its start. */
import {
  MODEL_DEPLOYMENT_LABEL,
  type ModelDeployment,
  minReplicasOf,
  REVISION_LABEL,
} from "../../api/v1alpha1/index.ts";
import { isReady, revisionOf } from "../../domain/pods/pods.ts";
import { needsRouter } from "../../domain/traffic/needs-router.ts";
import type { Neighbour } from "../../domain/traffic/port.ts";
import type { Store } from "../../platform/cache/store.ts";
import type { KubeObject, ObjectKey, Pod } from "../../platform/kube/objects.ts";
import { isPodOf } from "../../platform/kube/pod-owner.ts";
import { isOrphan, type Owner, ownerOf, wasOwnedByNamesake } from "./children/owner.ts";
import { externalOf } from "./external.ts";
import type { Observed, Stores } from "./observed.ts";
import { parseRevision, revisionSpecOf } from "./revision.ts";
import { unrecordedIn } from "./unrecorded.ts";

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
