/**
 * What takes a moment in every pod's life, and is a cause only when it takes longer: no event and no error code tells it.
 * Pure.
 */
import type { Pod } from "../../platform/kube/objects.ts";
import { isUntold } from "../pods/pods.ts";
import type { Cause, Mount } from "./cause.ts";
import { claimedBy } from "./claims.ts";

/** `at`: from when on it is a cause, in milliseconds since 1970. */
export type Suspicion = { at: number; cause: Cause };

/** A scheduler looks at a pod within seconds, however many it has to place. */
const SCHEDULE_MS = 60_000;
/** The kubelet mounts a Secret or a ConfigMap within a second; a disk may have to leave another node first. */
const MOUNT_MS = 5_000;
const ATTACH_MS = 60_000;
/** A DRA driver sets a device up. */
const PREPARE_MS = 10_000;
/** A server that restarts a shard is not ready for a second or two. */
const UNREADY_MS = 10_000;

export const suspicionsOf = (pod: Pod, mounts: readonly Mount[]): Suspicion[] => [
  ...untold(pod),
  ...unmounted(pod, mounts),
  ...unready(pod),
];

const condition = ({ status }: Pod, type: string, value: "True" | "False") => {
  const found = status?.conditions?.find((each) => each.type === type && each.status === value);
  const at = Date.parse(found?.lastTransitionTime ?? "");
  return Number.isNaN(at) ? undefined : at;
};

/** No scheduler has said a word about it; with claims it does not look at it before they are there. */
const untold = (pod: Pod): Suspicion[] => {
  const created = new Date(pod.metadata.creationTimestamp ?? "").getTime();
  if (!isUntold(pod) || claimedBy(pod) !== undefined || Number.isNaN(created)) return [];
  const { name } = pod.metadata;
  const scheduler = pod.spec?.schedulerName ?? "default-scheduler";
  const message = `pod ${name} has no node, and ${scheduler} has not looked at it; check that it runs: kubectl get pods -n kube-system`;
  return [{ at: created + SCHEDULE_MS, cause: { reason: "Unschedulable", message, stalled: false } }];
};

/** It has its node, but no sandbox yet, which the kubelet makes once all volumes and devices are there. */
const unmounted = (pod: Pod, mounts: readonly Mount[]): Suspicion[] => {
  const placed = condition(pod, "PodScheduled", "True");
  if (placed === undefined || condition(pod, "PodReadyToStartContainers", "False") === undefined) return [];
  const devices = claimedBy(pod);
  const reason = devices === undefined || mounts.length > 0 ? "VolumeUnavailable" : "DeviceUnavailable";
  const forDevices = devices === undefined ? 0 : PREPARE_MS;
  const patience = Math.max(forDevices, mounts.some(({ isClaim }) => isClaim) ? ATTACH_MS : MOUNT_MS);
  const message = missing(pod, mounts, devices);
  return message === undefined ? [] : [{ at: placed + patience, cause: { reason, message, stalled: false } }];
};

/** Nobody but the kubelet's events says which of them it is. */
const missing = (
  { metadata, spec }: Pod,
  mounts: readonly Mount[],
  devices: string | undefined,
): string | undefined => {
  const { name } = metadata;
  const names = mounts.map(({ what }) => what);
  const volumes = `${names.length === 1 ? "" : "one of "}${names.join(", ")} does not exist or cannot be mounted`;
  const says = `kubectl describe pod ${name} says`;
  const unprepared = `node ${spec?.nodeName} has not prepared ${devices}, for example because their DRA driver does not run there`;
  if (devices === undefined && names.length === 0) return undefined;
  if (names.length === 0) return `pod ${name} waits for its devices: ${unprepared}; ${says} why`;
  if (devices !== undefined)
    return `pod ${name} waits for its volumes or devices: ${volumes}, or ${unprepared}; ${says} which`;
  return `pod ${name} waits for its volumes: ${volumes}; ${names.length === 1 ? "create it" : `${says} which`}`;
};

/** A container that has started, and does not become ready (again). */
const unready = (pod: Pod): Suspicion[] => {
  const since = condition(pod, "ContainersReady", "False");
  const failing = (pod.status?.containerStatuses ?? []).find(
    ({ ready, started, state }) => !ready && started === true && state?.running !== undefined,
  );
  if (since === undefined || failing === undefined) return [];
  const { name } = pod.metadata;
  const log = `kubectl logs ${name} -c ${failing.name}`;
  const message = `container ${failing.name} of pod ${name} runs, but its readiness probe fails; see ${log}`;
  return [{ at: since + UNREADY_MS, cause: { reason: "ProbeFailing", message, stalled: false } }];
};
