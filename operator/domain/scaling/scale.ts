/** What the autoscaler is asked about a ModelDeployment, and what it answers. */

import type { ObjectKey } from "../../platform/kube/objects.ts";
import type { PodSpec } from "../placement/request.ts";
import type { Why } from "./decide.ts";
import type { Wish } from "./settings.ts";
import type { RunCurve } from "./signals.ts";

/** Of one start, in seconds: what is not known is left out. */
export type Phases = { schedule?: number; pull?: number; fetch?: number; load?: number };

/** A ModelDeployment whose number of pods follows the load. */
export type Subject = {
  wish: Wish;
  /** Of the spec that the wish is from. */
  generation: number;
  /** Who gets the requests: the one that serves, and after it the one that is on trial. */
  revisions: readonly string[];
  /** A revision is to be proved, for which a pod is needed. */
  isProving: boolean;
  /** All of clients' requests come through the routers. */
  isCounted: boolean;
  /** Pods that its Deployment is to have now; undefined where there is none yet. */
  replicas: number | undefined;
  /** Of a pod; undefined where something else than the nodes' room says whether there may be one: a queue. */
  template: PodSpec | undefined;
  /** Of each pod. */
  devices: { resource: string; count: number } | undefined;
  /** Milliseconds since 1970. */
  createdAt: number;
  learnt: Learnt | undefined;
};

/** What is known of the pods, from status to status. */
export type Learnt = {
  startSeconds: number;
  curve: RunCurve | undefined;
  /** Of the last start. */
  phases?: Phases;
};

export type Scale = {
  /** Pods that the revision that serves is to have: enough for all requests, for they may come back to it at any moment. */
  wanted: number;
  /** Pods that the one on trial needs for the requests that it gets; undefined where there is none. */
  canary: number | undefined;
  why: Why | "devices" | "blind";
  words: string;
  learnt: Learnt | undefined;
  /** What is missing for the pods that the load asks for beyond these. */
  shortage: string | undefined;
  /** Which router is not heard, and why. */
  deaf: string | undefined;
};

export type Scaler = {
  /** What was decided last. `subject` undefined: its number of pods does not follow the load. */
  look(key: ObjectKey, subject: Subject | undefined, now: number): Scale | undefined;
  /** One look at all of them; connections to routers last until the signal. */
  tick(signal: AbortSignal): Promise<void>;
  /** Looks once a second until the signal. */
  run(signal: AbortSignal): Promise<void>;
};
