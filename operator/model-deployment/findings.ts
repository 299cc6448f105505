/** What can be read off an observation, by the plan and by the status alike. Pure. */
import { minReplicasOf, revisionLabels, serviceName } from "../api/v1alpha1/index.ts";
import { covers } from "../apply/drift.ts";
import type { Deployment, KubeObject, Pod } from "../kube/objects.ts";
import { routedPortOf } from "./children/service.ts";
import type { Observed } from "./observe.ts";
import { dequeuedAt, isGated, isOver, revisionOf, unscheduled } from "./pods.ts";
import type { Revision } from "./revision.ts";

/** A revision that was not ready within this time will not be, as far as its users can tell. */
const PROGRESS_DEADLINE_MS = 600_000;

/** The object of that name, among those of one kind. */
export const named = <T extends KubeObject>(objects: T[], name: string): T | undefined =>
  objects.find(({ metadata }) => metadata.name === name);

export const deploymentOf = ({ deployments }: Observed, { name }: Revision): Deployment | undefined =>
  named(deployments, name);

export const wantedOf = ({ modelDeployment }: Observed): number => minReplicasOf(modelDeployment.spec);

export const readyOf = (observed: Observed, revision: Revision): number =>
  deploymentOf(observed, revision)?.status?.readyReplicas ?? 0;

export const podsOf = ({ pods }: Observed, { name }: Revision): Pod[] => pods.filter((pod) => revisionOf(pod) === name);

/** Pods of it that no node has room for, as far as the scheduler knows. */
export const lacksRoom = (observed: Observed, revision: Revision): boolean =>
  podsOf(observed, revision).some(
    (pod) => pod.metadata.deletionTimestamp === undefined && unscheduled(pod, "Unschedulable") !== undefined,
  );

/** Those of its pods that have a node, and with it the devices that they want. */
export const placedOf = (observed: Observed, revision: Revision): Pod[] =>
  podsOf(observed, revision).filter((pod) => pod.spec?.nodeName !== undefined && !isOver(pod));

/**
 * When (ms since 1970) an unready candidate is given up on; undefined while it has no Deployment, and while pods of
 * it wait in a queue: that is what queues are for, so the time begins again with the last pod that comes out of it.
 */
export const deadlineOf = (observed: Observed, candidate: Revision): number | undefined => {
  const pods = podsOf(observed, candidate);
  const created = Date.parse(deploymentOf(observed, candidate)?.metadata.creationTimestamp ?? "");
  if (Number.isNaN(created) || pods.some(isGated)) return undefined;
  return Math.max(created, ...pods.flatMap((pod) => dequeuedAt(pod) ?? [])) + PROGRESS_DEADLINE_MS;
};

/** The API server dropped the claims of devices from a revision's Deployment, as one older than Kubernetes 1.34 does. */
export const lacksClaims = (observed: Observed, revision: Revision): boolean => {
  const deployment = deploymentOf(observed, revision);
  const wanted = revision.template.spec?.resourceClaims !== undefined;
  return wanted && deployment !== undefined && deployment.spec?.template.spec?.resourceClaims === undefined;
};

/** The routers' port that clients' new connections go to; undefined where they go to pods. */
export const routedPort = ({ owner, services }: Observed): number | undefined => {
  const client = named(services, serviceName(owner.name));
  return client && routedPortOf(client);
};

/** Whether clients' new connections go to the pods of `revision`. */
export const isServing = ({ owner, services }: Observed, revision: Pick<Revision, "name">): boolean => {
  const selector = named(services, serviceName(owner.name))?.spec?.selector;
  return selector !== undefined && covers(revisionLabels(owner.name, revision.name), selector, "selector");
};

/** All of its pods can serve. */
export const isAvailable = (observed: Observed, revision: Revision): boolean => {
  const { metadata, spec, status } = deploymentOf(observed, revision) ?? {};
  const replicas = minReplicasOf(observed.modelDeployment.spec);
  return (
    (status?.observedGeneration ?? 0) >= (metadata?.generation ?? 1) &&
    spec?.replicas === replicas &&
    (status?.availableReplicas ?? 0) >= replicas
  );
};
