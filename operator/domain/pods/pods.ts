/** What a pod's status says, in one word each. Pure. */
import { z } from "zod";
import { FETCH_CONTAINER, REVISION_LABEL, type TerminationMessage } from "../../api/v1alpha1/index.ts";
import type { Pod } from "../../platform/kube/objects.ts";

export type ContainerStatus = NonNullable<NonNullable<Pod["status"]>["containerStatuses"]>[number];

export const revisionOf = ({ metadata }: Pod): string | undefined => metadata.labels?.[REVISION_LABEL];

export const isReady = ({ metadata, status }: Pod): boolean =>
  metadata.deletionTimestamp === undefined &&
  (status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") ?? false);

/** Ended for good: it holds no device, and its Deployment replaces it. */
export const isOver = ({ status }: Pod): boolean => status?.phase === "Failed" || status?.phase === "Succeeded";

/** Kubelets end what is left when a pod's grace period is over, within this time (ms). */
const LEAVING_MS = 60_000;

/**
 * Should be gone: its deletion's time, which includes its grace period, is long past. So it is on a node that died, where it stays until
 * somebody removes the node. The scheduler goes on counting what it holds, so that nothing is given away twice.
 */
export const isLost = ({ metadata }: Pod, now: number): boolean =>
  metadata.deletionTimestamp !== undefined && now > Date.parse(metadata.deletionTimestamp) + LEAVING_MS;

const scheduled = ({ status }: Pod) => status?.conditions?.find(({ type }) => type === "PodScheduled");

/** The scheduler's words on a pod that it has not placed, for this reason. */
export const unscheduled = (pod: Pod, reason: "Unschedulable" | "SchedulingGated"): string | undefined => {
  const condition = scheduled(pod);
  return condition?.status === "False" && condition.reason === reason ? (condition.message ?? "") : undefined;
};

/** Since when (ms since 1970) it waits for a node; undefined where it does not. */
export const unscheduledSince = (pod: Pod): number | undefined => {
  if (unscheduled(pod, "Unschedulable") === undefined) return undefined;
  return Date.parse(String(scheduled(pod)?.lastTransitionTime)) || 0;
};

/** Kept from the scheduler, by Kueue or another gatekeeper. */
export const isGated = (pod: Pod): boolean => unscheduled(pod, "SchedulingGated") !== undefined;

/** When (ms since 1970) it was placed on a node. */
export const placedAt = (pod: Pod): number | undefined => {
  const condition = scheduled(pod);
  const at = Date.parse(condition?.lastTransitionTime ?? "");
  return condition?.status !== "True" || Number.isNaN(at) ? undefined : at;
};

/** The scheduler has not said anything about it: it may not even look at it yet. */
export const isUntold = (pod: Pod): boolean => pod.spec?.nodeName === undefined && scheduled(pod) === undefined;

const code = z.enum([
  "ModelNotFound",
  "ModelForbidden",
  "CredentialsNotForHost",
  "ModelUnreachable",
  "ModelUriInvalid",
  "ChecksumMismatch",
  "ModelChanged",
  "DiskFull",
  "ModelInvalid",
  "ExecutionProviderUnavailable",
  "WarmUpFailed",
]);

const terminationMessage: z.ZodType<TerminationMessage> = z.discriminatedUnion("outcome", [
  z.object({
    outcome: z.literal("fetched"),
    digest: z.string().regex(/^sha256:[0-9a-f]{64}$/),
    bytes: z.number(),
  }),
  z.object({ outcome: z.literal("failed"), code, message: z.string() }),
]);

/** What the runtime wrote when it ended; undefined for anything else, such as the last lines of a crash. */
export const parseTermination = (message: string | undefined): TerminationMessage | undefined => {
  try {
    return terminationMessage.safeParse(JSON.parse(message ?? "")).data;
  } catch {
    return undefined;
  }
};

/** `sha256:<hex>` of the model that the pod's init container fetched; undefined if it has not (yet). */
export const fetchedDigest = ({ status }: Pod): string | undefined => {
  const fetch = status?.initContainerStatuses?.find(({ name }) => name === FETCH_CONTAINER);
  const message = parseTermination(fetch?.state?.terminated?.message);
  return message?.outcome === "fetched" ? message.digest : undefined;
};
