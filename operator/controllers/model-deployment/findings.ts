/** What can be read off an observation, by the plan and by the status alike. Pure. */
import {
  isRoutedBySpec,
  parseDuration,
  progressDeadlineOf,
  revisionLabels,
  serviceName,
} from "../../api/v1alpha1/index.ts";
import { covers } from "../../apply/drift.ts";
import { isGated, isOver, placedAt, revisionOf, unscheduled, unscheduledSince } from "../../domain/pods/pods.ts";
import type { Deployment, KubeObject, Pod } from "../../platform/kube/objects.ts";
import { routedPortOf } from "./children/service.ts";
import type { Observed } from "./observed.ts";
import type { Revision } from "./revision.ts";

/** A pod that became ready so long after it had its node was ready before, and has been unready since. */
const LONGEST_START_MS = 600_000;

/** A revision that was not ready within this time (ms) will not be, as far as its users can tell. */
export const progressMs = ({ modelDeployment }: Observed): number =>
  parseDuration(progressDeadlineOf(modelDeployment.spec));

/** The object of that name, among those of one kind. */
export const named = <T extends KubeObject>(objects: T[], name: string): T | undefined =>
  objects.find(({ metadata }) => metadata.name === name);

/** The revision that the status says is stable; undefined where none is, or the status was lost. */
export const stableByStatus = ({ modelDeployment, revisions }: Observed): Revision | undefined =>
  revisions.find(({ name }) => name === modelDeployment.status?.stable?.revision);

export const deploymentOf = ({ deployments }: Observed, { name }: Revision): Deployment | undefined =>
  named(deployments, name);

/** Pods that a revision is to have: all, unless a rollout has it share the room with another one. */
export const wantedOf = (
  { modelDeployment: { status }, replicas }: Observed,
  { name }: Pick<Revision, "name">,
): number => {
  const { capacity, revision } = status?.rollout ?? {};
  if (capacity !== undefined && name === revision) return capacity.canary;
  if (capacity !== undefined && name === status?.stable?.revision) return capacity.stable;
  return replicas;
};

export const readyOf = (observed: Observed, revision: Revision): number =>
  deploymentOf(observed, revision)?.status?.readyReplicas ?? 0;

export const podsOf = ({ pods }: Observed, { name }: Revision): Pod[] => pods.filter((pod) => revisionOf(pod) === name);

/** Pods of it that no node has room for, as far as the scheduler knows. */
export const lacksRoom = (observed: Observed, revision: Revision): boolean =>
  podsOf(observed, revision).some(
    (pod) => pod.metadata.deletionTimestamp === undefined && unscheduled(pod, "Unschedulable") !== undefined,
  );

/** The scheduler tries a pod again some seconds after another one has left, which takes its time to go itself. */
export const MAKING_ROOM_MS = 60_000;

/** Pods of it have found no room for longer than it takes one that gives its place up. */
export const lacksRoomForLong = (observed: Observed, revision: Revision, now: number): boolean =>
  podsOf(observed, revision).some(
    (pod) =>
      pod.metadata.deletionTimestamp === undefined &&
      now - (unscheduledSince(pod) ?? Number.POSITIVE_INFINITY) >= MAKING_ROOM_MS,
  );

/** Those of its pods that have a node, and with it the devices that they want. */
export const placedOf = (observed: Observed, revision: Revision): Pod[] =>
  podsOf(observed, revision).filter((pod) => pod.spec?.nodeName !== undefined && !isOver(pod));

/**
 * When (ms since 1970) an unready candidate is given up on; undefined while it has no Deployment, and while pods of
 * it wait in a queue: that is what queues are for. The time begins again with the last pod that gets its node: how long it waited for that,
 * for a gate, a claim or room, tells nothing of the revision.
 */
export const deadlineOf = (observed: Observed, candidate: Revision): number | undefined => {
  const pods = podsOf(observed, candidate);
  const created = Date.parse(deploymentOf(observed, candidate)?.metadata.creationTimestamp ?? "");
  if (Number.isNaN(created) || pods.some(isGated)) return undefined;
  const { capacity, revision } = observed.modelDeployment.status?.rollout ?? {};
  // pods that came with a later step have their time from then on
  const scaled = revision === candidate.name ? Date.parse(capacity?.since ?? "") || 0 : 0;
  return Math.max(created, scaled, ...pods.flatMap((pod) => placedAt(pod) ?? [])) + progressMs(observed);
};

/** A pod that has just lost its device to another revision of the same deployment is found one again within this time, or not at all. */
const COMING_BACK_MS = 60_000;

/** Pods that it is to have were made just now, or are about to be, and have no node yet: whoever starts beside them may take their devices. */
export const isComingBack = (observed: Observed, revision: Revision, now: number): boolean => {
  const { metadata, spec, status } = deploymentOf(observed, revision) ?? {};
  if (spec === undefined) return false;
  const isScaled = spec.replicas === wantedOf(observed, revision);
  const isSeen = (status?.observedGeneration ?? 0) >= (metadata?.generation ?? 1);
  if (!isScaled || !isSeen) return true;
  return podsOf(observed, revision).some(
    (pod) =>
      pod.spec?.nodeName === undefined &&
      pod.metadata.deletionTimestamp === undefined &&
      now - timeOf(pod.metadata.creationTimestamp) < COMING_BACK_MS,
  );
};

/** Since when (ms since 1970) a pod of it is not ready, the latest of them: one that has just been replaced has its time anew. */
export const unreadySince = (observed: Observed, revision: Revision): number =>
  Math.max(
    0,
    ...podsOf(observed, revision).map(({ metadata, status }) => {
      const ready = status?.conditions?.find(({ type }) => type === "Ready");
      if (ready?.status === "True") return 0;
      return Math.max(timeOf(metadata.creationTimestamp), timeOf(ready?.lastTransitionTime));
    }),
  );

/** From its node to ready (ms): what the quickest of its pods has taken; undefined where none is ready, or all have been unready since. */
export const startMsOf = (observed: Observed, revision: Revision): number | undefined => {
  const times = podsOf(observed, revision).flatMap(({ status }) => {
    const at = (wanted: string) =>
      timeOf(status?.conditions?.find(({ status: is, type }) => type === wanted && is === "True")?.lastTransitionTime);
    const [placed, ready] = [at("PodScheduled"), at("Ready")];
    return placed === 0 || ready === 0 || ready - placed > LONGEST_START_MS ? [] : [ready - placed];
  });
  return times.length === 0 ? undefined : Math.max(1000, Math.min(...times));
};

const timeOf = (at: Date | string | undefined): number => (at === undefined ? 0 : new Date(at).getTime() || 0);

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

/** Whether routers find its pods, where they are in the clients' way: they know them by the Service of the revision's name. */
export const isReachable = (observed: Observed, { name }: Revision): boolean => {
  const { modelDeployment, services } = observed;
  const isRouted = routedPort(observed) !== undefined || isRoutedBySpec(modelDeployment.spec);
  return !isRouted || named(services, name) !== undefined;
};

/** Pods of it that serve, and have done so for a moment. */
export const availableOf = (observed: Observed, revision: Revision): number => {
  const { spec, status } = deploymentOf(observed, revision) ?? {};
  // a Deployment that was scaled a moment ago still counts pods that are about to leave
  return Math.min(status?.availableReplicas ?? 0, spec?.replicas ?? 0);
};

/** All of its pods can serve. */
export const isAvailable = (observed: Observed, revision: Revision): boolean => {
  const { metadata, spec, status } = deploymentOf(observed, revision) ?? {};
  const replicas = wantedOf(observed, revision);
  return (
    (status?.observedGeneration ?? 0) >= (metadata?.generation ?? 1) &&
    spec?.replicas === replicas &&
    (status?.availableReplicas ?? 0) >= replicas
  );
};
