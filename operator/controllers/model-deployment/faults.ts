/** Whose fault it is that a revision on trial is not ready: its own ends the rollout, the cluster's holds it. Pure. */
import type { Reason } from "../../api/v1alpha1/index.ts";
import type { Cause } from "../../domain/diagnosis/cause.ts";
import { type ContainerStatus, isOver, isReady } from "../../domain/pods/pods.ts";
import type { Pod } from "../../platform/kube/objects.ts";

/** What the cluster lacks, forbids or has lost; another revision would meet the same. */
const OF_THE_CLUSTER: ReadonlySet<Reason> = new Set([
  "Unschedulable",
  "SchedulingGated",
  "QuotaExceeded",
  "AdmissionDenied",
  "PodsRefused",
  "ClaimsUnsupported",
  "DeviceUnavailable",
  "ImageUnavailable",
  "Evicted",
]);

/** Ends of a container that are told of as the model's own, once there are enough of them. */
const ENDS: ReadonlySet<Reason> = new Set(["CrashLooping", "OutOfMemory"]);
/** One end is no loop: a node that was short of memory, a request of death. Several of one pod are, or those of two pods. */
const LOOP_RESTARTS = 3;
const LOOP_PODS = 2;

export type Fault =
  /** Nothing is wrong, or not for long enough. */
  | "none"
  /** Waiting helps, or somebody who looks after the cluster. */
  | "cluster"
  /** The revision will not do. */
  | "revision";

/**
 * @param cause what keeps its pods from being ready
 * @param isOverdue it had its time to become ready
 */
export const faultOf = (cause: Cause | undefined, pods: readonly Pod[], isOverdue: boolean): Fault => {
  // one that its node gave up (evicted, preempted) is replaced, and stays to be read: it tells of the node
  const live = pods.filter((pod) => pod.metadata.deletionTimestamp === undefined && !isOver(pod));
  if (live.some(hasLostNode)) return "cluster";
  // a pod without a node has not begun yet: whatever holds it up knows nothing of the revision
  if (cause === undefined) return !isOverdue ? "none" : live.some(hasBegun) ? "revision" : "cluster";
  if (OF_THE_CLUSTER.has(cause.reason)) return "cluster";
  if (ENDS.has(cause.reason)) return isLooping(live) || isOverdue ? "revision" : "none";
  return cause.stalled || isOverdue ? "revision" : "none";
};

const hasBegun = (pod: Pod): boolean => pod.spec?.nodeName !== undefined && !isReady(pod);

const isLooping = (pods: readonly Pod[]): boolean => {
  const ended = pods.flatMap(({ status }) => {
    const statuses = [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])];
    return statuses.some(hasFailed) ? [Math.max(...statuses.map(({ restartCount }) => restartCount))] : [];
  });
  return ended.length >= LOOP_PODS || ended.some((restarts) => restarts >= LOOP_RESTARTS);
};

const hasFailed = (status: ContainerStatus): boolean => {
  const ended = status.state?.terminated ?? status.lastState?.terminated;
  return !status.ready && ended !== undefined && ended.exitCode !== 0 && !isReboot(ended);
};

/** The kubelet's mark of a container that was lost with its node's last boot: it saw no end of it. */
const isReboot = ({ exitCode, reason }: { exitCode: number; reason?: string | undefined }): boolean =>
  exitCode === 255 && reason === "Unknown";

/** Its containers were ready when last heard of, and its node is not heard of since. */
const hasLostNode = ({ status }: Pod): boolean => {
  const ready = status?.conditions?.find(({ type }) => type === "Ready");
  const containers = status?.containerStatuses ?? [];
  return (
    ready?.status === "False" &&
    ready.reason === undefined &&
    containers.length > 0 &&
    containers.every((one) => one.ready && one.state?.running !== undefined)
  );
};
