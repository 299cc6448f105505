/** The first failing cause of a revision that is not ready. Pure. */
import type { Pod } from "../../platform/kube/objects.ts";
import { isOver, isReady } from "../pods/pods.ts";
import { type Cause, oneLine, type Subject } from "./cause.ts";
import { containerCause } from "./containers.ts";
import { refusalOf } from "./refusal.ts";
import { schedulingCause } from "./scheduling.ts";
import { suspicionsOf } from "./suspicion.ts";

/**
 * Undefined while nothing is wrong: pods are starting. What the model itself does comes before what
 * the cluster lacks, and what will not pass before what may.
 */
export const explain = (subject: Subject): Cause | undefined => {
  const pods = unready(subject.pods);
  const live = pods.filter((pod) => !isOver(pod));
  const ofContainers = live.flatMap((pod) => containerCause(pod) ?? []);
  const cause =
    dropped(subject) ??
    ofContainers.find(({ stalled }) => stalled) ??
    ofContainers[0] ??
    refused(subject) ??
    schedulingCause({ ...subject, pods: live }) ??
    live.flatMap((pod) => suspicionsOf(pod, subject.mounts)).find(({ at }) => at <= subject.now)?.cause ??
    pods.filter(isOver).flatMap((pod) => lost(pod) ?? [])[0];
  return cause && { ...cause, message: oneLine(cause.message) };
};

const unready = (pods: readonly Pod[]): Pod[] =>
  pods
    .filter((pod) => pod.metadata.deletionTimestamp === undefined && !isReady(pod))
    .toSorted((one, other) => (one.metadata.name < other.metadata.name ? -1 : 1));

/** The cause of a revision that had its time to become ready. `within`: that time, and where it comes from. */
export const givenUp = (cause: Cause | undefined, within: string): Cause => ({
  reason: cause?.reason ?? "ProgressDeadlineExceeded",
  message: oneLine(`not ready within ${within}: ${cause?.message ?? "no pod says why; see the events of its pods"}`),
  stalled: true,
});

/** Milliseconds until what only takes its time today would be a cause; undefined if nothing would. */
export const patience = ({ pods, mounts, now }: Subject): number | undefined => {
  const waits = unready(pods)
    .flatMap((pod) => suspicionsOf(pod, mounts))
    .map(({ at }) => at - now)
    .filter((wait) => wait > 0);
  return waits.length === 0 ? undefined : Math.min(...waits);
};

/** Pods would start without the devices that they were to have, so there are none. */
const dropped = ({ lacksClaims }: Subject): Cause | undefined =>
  lacksClaims
    ? {
        reason: "ClaimsUnsupported",
        message:
          "spec.accelerator.claims: this cluster's API server drops them; they need Kubernetes 1.34 or later with dynamic " +
          "resource allocation",
        stalled: true,
      }
    : undefined;

/** The API server made no pod: a quota, a missing ServiceAccount, an admission policy. */
const refused = ({ deployment }: Subject): Cause | undefined => {
  const condition = deployment?.status?.conditions?.find(({ type }) => type === "ReplicaFailure");
  if (condition?.status !== "True") return undefined;
  const { reason = "PodsRefused", message } = refusalOf(condition.message ?? "");
  return { reason, message: `the API server refuses the pods: ${message}`, stalled: false };
};

/** A pod that its node gave up. */
const lost = ({ metadata, status }: Pod): Cause | undefined => {
  const why = status?.message ?? "";
  if (status?.reason === "Evicted") {
    const message = `pod ${metadata.name} was evicted: ${why.trim().replace(/\.$/, "")}; ${afterEviction(why)}`;
    return { reason: "Evicted", message, stalled: false };
  }
  if (status?.reason === "UnexpectedAdmissionError") {
    return {
      reason: "DeviceUnavailable",
      message: `the node of pod ${metadata.name} rejected it: ${why}`,
      stalled: false,
    };
  }
  return undefined;
};

/** By the kubelet's words: a pod over a limit of its own, or a node that ran short and took the pods that used most above their requests. */
const afterEviction = (why: string): string => {
  if (/exceeds the total limit of containers|exceeded its local ephemeral storage limit/.test(why)) {
    return "raise spec.resources.limits.ephemeral-storage";
  }
  const short = /low on resource: ([^.\s]+)/.exec(why)?.[1];
  return short === undefined
    ? "another pod replaces it"
    : `set spec.resources.requests.${short} to what the model uses; another pod replaces it`;
};
