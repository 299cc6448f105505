import type { Devices, Reason } from "../../api/v1alpha1/index.ts";
import type { Deployment, Pod } from "../../kube/objects.ts";
import type { Mount } from "./suspicion.ts";

/** Why a revision is not ready, for its user. */
export type Cause = {
  reason: Reason;
  /** One line: what is wrong, where, and what to do. */
  message: string;
  /** Waiting will not help: the spec, or what it names, must change. */
  stalled: boolean;
};

/** What is to be explained: one revision. */
export type Subject = {
  deployment: Deployment | undefined;
  pods: Pod[];
  /** Pods wanted. */
  wanted: number;
  devices: Devices | undefined;
  /** The API server dropped the claims of devices. */
  lacksClaims: boolean;
  /** Volumes that the spec asks for. */
  mounts: readonly Mount[];
  /** Milliseconds since 1970. */
  now: number;
};

/** Longest message, in characters: `kubectl get` still shows it in one line. */
const MAX_MESSAGE = 400;

/** One line without control characters, cut to length. */
export const oneLine = (text: string): string => {
  const line = text.replaceAll(/[\s\p{Cc}]+/gu, " ").trim();
  return line.length <= MAX_MESSAGE ? line : `${line.slice(0, MAX_MESSAGE - 1)}…`;
};
