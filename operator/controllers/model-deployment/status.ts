/** What the user sees, by the kstatus contract: Ready always, Reconciling and Stalled only while True. Pure. */
import {
  devicesOf,
  executionProviderOf,
  type FetchProgress,
  findCondition,
  type Mark,
  type ModelDeploymentStatus,
  type RevisionStatus,
  serviceUrl,
  toConditions,
} from "../../api/v1alpha1/index.ts";
import type { Obstacle } from "../../apply/obstacle.ts";
import type { Cause } from "../../domain/diagnosis/cause.ts";
import { explain } from "../../domain/diagnosis/explain.ts";
import type { Room } from "../../domain/placement/room.ts";
import type { Scale } from "../../domain/scaling/scale.ts";
import { writtenWeight } from "./applied.ts";
import { aspects } from "./aspects.ts";
import { type EndedIn, endedBatchingMarks } from "./ended-batching.ts";
import { placedOf, podsOf, progressMs, readyOf, wantedOf } from "./findings.ts";
import { type GivingBack, shareLeft } from "./giving-back.ts";
import type { Observed } from "./observed.ts";
import { pinOf } from "./pin.ts";
import type { Revision } from "./revision.ts";
import type { Roles } from "./revision-roles.ts";
import { mayKeepShare, rolloutStatus } from "./rollout-status.ts";
import { isAsleep, isWaking, scaleStatus, signalMarks } from "./scale.ts";
import { subjectOf } from "./subject.ts";
import { type Share, trafficOf } from "./traffic.ts";
import { shareOf, type Trial } from "./trial.ts";
import { unrecordedMarks } from "./unrecorded.ts";
import { judge, type Verdict } from "./verdict.ts";

/** Roles as they are once this status is written: a promotion is nothing but that. */
export const promotedTo = ({ candidate, stable, superseded, ...rest }: Roles, revision: Revision): Roles => ({
  ...rest,
  stable: revision,
  ...(candidate === undefined || candidate === revision ? {} : { candidate }),
  superseded: [...superseded.filter((one) => one !== revision), ...(stable === undefined ? [] : [stable])],
});

/** Of the newest revision, what the caches do not hold. */
export type Asked = {
  /** How far its model is fetched, where that takes its time. */
  fetch?: FetchProgress | undefined;
  /** What the nodes have left, where its pods wait for that. */
  rooms?: readonly Room[] | undefined;
  /** The candidate's, as this pass leaves it, and its evidence in words. */
  trial?: Trial | undefined;
  evidence?: string | undefined;
  /** A revision that another one is wanted instead of, while it has a share. */
  givingBack?: GivingBack | undefined;
  /** What the load asks for, where the number of pods follows that. */
  scale?: Scale | undefined;
  /** What is in the way of the namespace's routers, where something waits for them. */
  router?: Cause | undefined;
  /** In which pods batching has ended. */
  endedIn?: EndedIn;
  /** The epoch of a later table that routers follow. */
  ahead?: number | undefined;
};

/** The new status. `obstacle`: what kept this pass from doing all that it had planned. */
export const statusOf = (
  observed: Observed,
  roles: Roles,
  obstacle: Obstacle | undefined,
  now: number,
  { ahead, endedIn = () => undefined, evidence, fetch, givingBack, rooms, router, scale, trial }: Asked = {},
): ModelDeploymentStatus => {
  const { modelDeployment, owner } = observed;
  const { candidate, stable } = roles;
  const newest = candidate ?? stable;
  const cause = newest && explain(subjectOf(observed, newest, now, rooms));
  const newestOf = { cause, fetch, trial, evidence, givingBack, scale, router };
  const verdict = judge(observed, roles, obstacle, newestOf, now);
  const isSwapped = stable !== undefined && wantedOf(observed, stable) === 0;
  const shown = isSwapped ? (candidate ?? stable) : (stable ?? candidate);
  const generation = modelDeployment.metadata.generation ?? 0;
  const previous = modelDeployment.status?.conditions ?? [];
  const devices = shown && devicesHeld(observed, shown);
  const share = sharedWith(observed, roles, trial, givingBack);
  const traffic = trafficOf(observed, stable, share, now, ahead);
  const rollout = rolloutStatus(observed, { trial, givingBack }, evidence, now);
  return {
    observedGeneration: generation,
    phase: verdict.stalled ? "Degraded" : verdict.reconciling ? "Progressing" : "Healthy",
    message: verdict.message,
    url: serviceUrl(owner.name, owner.namespace),
    ...(devices === undefined ? {} : { devices }),
    ...(shown === undefined ? {} : { pods: `${readyOf(observed, shown)}/${wantedOf(observed, shown)}` }),
    conditions: toConditions(
      [
        ...marksOf(verdict),
        availability(observed, shown, verdict, now),
        ...aspects(observed, newest, cause, scale?.shortage),
        ...signalMarks(observed, scale, now),
        ...endedBatchingMarks(observed, [stable, candidate], endedIn),
        ...unrecordedMarks(observed, roles),
      ],
      previous,
      generation,
      new Date(now).toISOString().replace(/\.\d+Z$/, "Z"),
    ),
    ...(traffic === undefined ? {} : { traffic }),
    ...(rollout === undefined ? {} : { rollout }),
    scale: scaleStatus(observed, scale),
    ...(stable === undefined ? {} : { stable: revisionStatus(observed, stable) }),
    ...(candidate === undefined ? {} : { canary: revisionStatus(observed, candidate) }),
  };
};

/** Whoever gets requests beside stable. */
const sharedWith = (
  observed: Observed,
  { candidate }: Roles,
  trial: Trial | undefined,
  givingBack: GivingBack | undefined,
): Share | undefined => {
  if (givingBack !== undefined) return shareLeft(givingBack);
  if (trial === undefined || candidate === undefined) return undefined;
  if (!mayKeepShare(trial)) return shareOf(trial);
  const weight = writtenWeight(observed, trial.revision.name) ?? 0;
  return weight === 0 ? undefined : { revision: trial.revision.name, weight, shadow: 0, isAlone: false };
};

const marksOf = ({ message, ready, reason, reconciling, stalled }: Verdict): Mark[] => [
  { type: "Ready", status: ready, reason, message },
  ...(reconciling === undefined
    ? []
    : [{ type: "Reconciling", status: "True", reason: reconciling, message } as const]),
  ...(stalled === undefined ? [] : [{ type: "Stalled", status: "True", reason, message } as const]),
];

const availability = (observed: Observed, shown: Revision | undefined, verdict: Verdict, now: number): Mark =>
  shown !== undefined && readyOf(observed, shown) > 0
    ? { type: "Available", status: "True", reason: "Serving", message: `${shown.name} answers requests` }
    : shown !== undefined &&
        ((verdict.ready === "True" && (isAsleep(observed, shown) || isWaking(observed, shown))) ||
          isWoken(observed, shown, now))
      ? {
          type: "Available",
          status: "True",
          reason: "ScaledToZero",
          message: "the routers hold requests until a pod is ready",
        }
      : { type: "Available", status: "False", reason: "NoPodReady", message: "no pod is ready to answer requests" };

/** It slept until a rollout asked for a pod of it: one that starts, as long as it may and nothing is wrong with it, is no outage. */
const isWoken = (observed: Observed, revision: Revision, now: number): boolean => {
  const before = findCondition(observed.modelDeployment.status?.conditions, "Available");
  if (before?.reason !== "ScaledToZero" || !isWaking(observed, revision)) return false;
  const started = podsOf(observed, revision).map(({ metadata }) => Date.parse(String(metadata.creationTimestamp)) || 0);
  const deadline = Math.min(now, ...started) + progressMs(observed);
  return now < deadline && explain(subjectOf(observed, revision, now)) === undefined;
};

const devicesHeld = (observed: Observed, revision: Revision): string | undefined => {
  const devices = devicesOf(revision.spec);
  if (devices === undefined) return undefined;
  const held = placedOf(observed, revision).length * devices.count;
  const wanted = wantedOf(observed, revision) * devices.count;
  return `${held === wanted ? wanted : `${held}/${wanted}`} ${devices.resource}`;
};

const revisionStatus = (observed: Observed, revision: Revision): RevisionStatus => {
  const modelDigest = pinOf(observed, revision);
  return {
    revision: revision.name,
    ...(modelDigest === undefined ? {} : { modelDigest }),
    executionProvider: executionProviderOf(revision.spec),
    replicas: wantedOf(observed, revision),
    ready: readyOf(observed, revision),
  };
};
