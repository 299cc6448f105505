/** Causes that a container's state tells. Pure. */
import { FETCH_CONTAINER, RETRYABLE_FAILURES } from "../../api/v1alpha1/index.ts";
import type { Pod } from "../../platform/kube/objects.ts";
import { type ContainerStatus, parseTermination } from "../pods/pods.ts";
import type { Cause } from "./cause.ts";

/** A container that ended this often, without a word from it, will end again. */
const CRASH_LOOP_RESTARTS = 3;

export const containerCause = (pod: Pod): Cause | undefined => {
  const statuses = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])];
  for (const status of statuses) {
    const cause = waitingCause(pod, status) ?? endedCause(pod, status);
    if (cause !== undefined) return cause;
  }
  return undefined;
};

const waitingCause = (pod: Pod, { name, image, state }: ContainerStatus): Cause | undefined => {
  const { reason, message = "" } = state?.waiting ?? {};
  switch (reason) {
    case "ErrImagePull":
    case "ImagePullBackOff": {
      // The kubelet alternates between the two; without its back-off prefix they say the same.
      const detail = message.replace(/^Back-off pulling image "[^"]*"(: ErrImagePull: )?/, "");
      return {
        reason: "ImageUnavailable",
        message: `image ${image} cannot be pulled${detail === "" ? "" : `: ${detail}`}`,
        stalled: false,
      };
    }
    case "ErrImageNeverPull":
      return {
        reason: "ImageUnavailable",
        message: `image ${image} is not on the node of pod ${pod.metadata.name}, and its pull policy is Never`,
        stalled: true,
      };
    case "InvalidImageName":
      return {
        reason: "ImageUnavailable",
        message: `"${image}" is not a valid image name; correct the operator's --runtime-image`,
        stalled: true,
      };
    case "CreateContainerConfigError":
    case "CreateContainerError":
    case "RunContainerError":
      return {
        reason: "ContainerConfigInvalid",
        message: `container ${name} of pod ${pod.metadata.name} cannot be started: ${message}`,
        stalled: false,
      };
    default:
      return undefined;
  }
};

/**
 * The failure that a container ended with last. It stays the cause while the container is started again,
 * until the container succeeds or is ready, so that the status does not flap with each attempt.
 */
const endedCause = (pod: Pod, status: ContainerStatus): Cause | undefined => {
  const succeeded = status.state?.terminated?.exitCode === 0;
  const ended = status.state?.terminated ?? status.lastState?.terminated;
  if (status.ready || succeeded || ended === undefined) return undefined;
  if (ended.exitCode === 0) return probedCause(pod, status);
  const told = parseTermination(ended.message);
  const isFetch = status.name === FETCH_CONTAINER;
  if (told?.outcome === "failed") {
    const what = isFetch ? "the model cannot be fetched" : "the model cannot be served";
    return { reason: told.code, message: `${what}: ${told.message}`, stalled: !RETRYABLE_FAILURES.has(told.code) };
  }
  const where = `container ${status.name} of pod ${pod.metadata.name}`;
  if (ended.reason === "OOMKilled") {
    const limit = memoryLimit(pod, status.name);
    return {
      reason: "OutOfMemory",
      message: limit
        ? `${where} needed more memory than its limit of ${limit}; raise spec.resources.limits.memory`
        : `${where} was killed because its node ran out of memory; set spec.resources.requests.memory`,
      stalled: true,
    };
  }
  const last = lastLine(ended.message);
  const how = ended.signal ? `signal ${ended.signal}` : `exit code ${ended.exitCode}${KILLED[ended.exitCode] ?? ""}`;
  return {
    reason: "CrashLooping",
    message: `${where} ended with ${how}${last === "" ? "" : `, last log line "${last}"`}; see kubectl logs ${pod.metadata.name} -c ${status.name} --previous`,
    stalled: status.restartCount >= CRASH_LOOP_RESTARTS,
  };
};

/** 128 and the number of the signal, as shells have it. */
const KILLED: Record<number, string> = {
  137: " (killed, for example after a failed liveness probe)",
  139: " (segmentation fault)",
};

/** What of a log line is shown, in characters: the message has more to say. */
const MOST_OF_A_LINE = 160;

/** The kubelet puts a container's last log lines there, if it wrote no message of its own. Ours are JSON, with the text in `msg`. */
const lastLine = (message = ""): string => {
  const line = message.trimEnd().split("\n").at(-1) ?? "";
  return textOf(line).slice(0, MOST_OF_A_LINE);
};

const textOf = (line: string): string => {
  try {
    const logged: unknown = JSON.parse(line);
    const hasText = typeof logged === "object" && logged !== null && "msg" in logged;
    return hasText ? String(logged.msg) : line;
  } catch {
    return line;
  }
};

/** A server never ends by itself: the kubelet stopped it in good order, and started it again. */
const probedCause = (pod: Pod, { name, restartCount }: ContainerStatus): Cause | undefined => {
  if (name === FETCH_CONTAINER || restartCount === 0) return undefined;
  return {
    reason: "ProbeFailing",
    message:
      `container ${name} of pod ${pod.metadata.name} was restarted because its liveness or startup probe failed; ` +
      `see kubectl logs ${pod.metadata.name} -c ${name} --previous`,
    stalled: false,
  };
};

const memoryLimit = ({ spec }: Pod, container: string): string | undefined =>
  [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])].find(({ name }) => name === container)?.resources
    ?.limits?.memory;
