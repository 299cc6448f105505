import type { Devices, Reason } from "../../api/v1alpha1/index.ts";
import type { Deployment, Pod } from "../../platform/kube/objects.ts";
import type { Room } from "../placement/room.ts";

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
  /** What the nodes have left, where pods wait for that and it could be found out. */
  rooms: readonly Room[] | undefined;
  /** Milliseconds since 1970. */
  now: number;
};

/** Longest message, in characters: `kubectl get` still shows it in one line. */
const MAX_MESSAGE = 400;
/** What to do about it stands at the end. */
const KEPT_END = 160;

/** One line without control characters, of which the middle is cut out where it is too long. */
export const oneLine = (text: string): string => {
  const line = text.replaceAll(/[\s\p{Cc}]+/gu, " ").trim();
  if (line.length <= MAX_MESSAGE) return line;
  return `${line.slice(0, MAX_MESSAGE - KEPT_END - 1)}…${line.slice(-KEPT_END)}`;
};

/** A volume that the spec asks for; `what` reads like `Secret s3-read (spec.model.credentials)`. */
export type Mount = { what: string; isClaim: boolean };
