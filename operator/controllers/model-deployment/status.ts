/** What the user sees, by the kstatus contract: Ready always, Reconciling and Stalled only while True. Pure. */
import {
  devicesOf,
  executionProviderOf,
  type FetchProgress,
  findCondition,
  type Mark,
  type ModelDeploymentStatus,
  progressDeadlineOf,
  type Reason,
  type RevisionStatus,
  ROUTER_NAME,
  serviceName,
  serviceUrl,
  toConditions,
} from "../../api/v1alpha1/index.ts";
import { type Obstacle, othersInWords } from "../../apply/obstacle.ts";
import { type Cause, oneLine } from "../../domain/diagnosis/cause.ts";
import { explain, givenUp } from "../../domain/diagnosis/explain.ts";
import { refusalOf } from "../../domain/diagnosis/refusal.ts";
import type { Room } from "../../domain/placement/room.ts";
import { rejected as rejectedInWords } from "../../domain/rollout/words.ts";
import type { Scale } from "../../domain/scaling/scale.ts";
import { writtenWeight } from "./applied.ts";
import { aspects } from "./aspects.ts";
import type { Owner } from "./children/owner.ts";
import { type EndedIn, endedBatchingMarks } from "./ended-batching.ts";
import {
  deadlineOf,
  deploymentOf,
  isAvailable,
  isServing,
  named,
  placedOf,
  podsOf,
  progressMs,
  readyOf,
  routedPort,
  wantedOf,
} from "./findings.ts";
import { type GivingBack, givingBackInWords, shareLeft } from "./giving-back.ts";
import type { Observed } from "./observed.ts";
import { pinOf } from "./pin.ts";
import { progress } from "./progress.ts";
import { restartOf } from "./restart.ts";
import type { Revision } from "./revision.ts";
import type { Roles } from "./revision-roles.ts";
import { mayKeepShare, rolloutStatus } from "./rollout-status.ts";
import { isAsleep, isWaking, scaleStatus, signalMarks } from "./scale.ts";
import { subjectOf } from "./subject.ts";
import { type Share, trafficOf, wantsRouter } from "./traffic.ts";
import { shareOf, type Trial } from "./trial.ts";
import { stepInWords } from "./trial-words.ts";
import { unrecordedMarks } from "./unrecorded.ts";

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

/** `reconciling` and `stalled` exclude each other; neither means Ready. */
type Verdict = {
  reason: Reason;
  message: string;
  ready: "True" | "False" | "Unknown";
  reconciling?: Reason;
  stalled?: true;
};

const stalled = (reason: Reason, message: string): Verdict => ({ reason, message, ready: "False", stalled: true });
const working = (reason: Reason, message: string): Verdict => ({
  reason,
  message,
  ready: "Unknown",
  reconciling: reason,
});

/** Of the newest recorded revision: what is wrong with it, and how far its model is fetched. */
type Newest = {
  cause: Cause | undefined;
  fetch: FetchProgress | undefined;
  trial: Trial | undefined;
  evidence: string | undefined;
  givingBack: GivingBack | undefined;
  scale: Scale | undefined;
  router: Cause | undefined;
};

const judge = (
  observed: Observed,
  roles: Roles,
  obstacle: Obstacle | undefined,
  { cause, evidence, fetch, givingBack, router, scale, trial }: Newest,
  now: number,
): Verdict => {
  const { candidate, refusal, rejected, stable, superseded, unrecorded } = roles;
  const still = stable === undefined ? "" : `; ${stable.name} ${stillInWords(observed, stable)}`;
  if (refusal !== undefined) return stalled(refusal.reason, refusal.message + still);
  if (obstacle !== undefined) return hindered(observed.owner, obstacle, still);
  if (rejected !== undefined) return rolledBack(rejected.name, rejected.message, still);
  if (givingBack !== undefined) return working("RollingOut", oneLine(givingBackInWords(givingBack) + still));
  if (trial !== undefined && candidate !== undefined) {
    const { revision, state } = trial;
    if (state.phase === "rejected") return rolledBack(revision.name, rejectedInWords(state.rejection), still);
    if (isAvailable(observed, candidate) && router !== undefined)
      return failing(router, `; ${revision.name} waits for them${still}`);
    if (isAvailable(observed, candidate))
      return working(
        "RollingOut",
        oneLine(`${stepInWords(trial)}${evidence === undefined ? "" : `; ${evidence}`}${still}`),
      );
  }
  const starting = candidate ?? unrecorded;
  if (starting !== undefined) {
    // a trial has deadlines of its own, and ends with them
    const isOverdue = trial === undefined && now >= (deadlineOf(observed, starting) ?? Number.POSITIVE_INFINITY);
    const known = starting === candidate ? cause : undefined;
    const told = isOverdue
      ? givenUp(known, `${progressDeadlineOf(observed.modelDeployment.spec)} (spec.rollout.progressDeadline)`)
      : known;
    // a trial that goes on is not beyond hope: what ends it is told as its rejection
    if (told !== undefined)
      return failing({ ...told, stalled: told.stalled && trial === undefined }, roomInWords(told, trial) + still);
    const reason = fetch !== undefined ? "Fetching" : stable === undefined ? "Starting" : "Updating";
    return working(reason, progress(observed, starting, fetch) + still);
  }
  if (stable === undefined) return working("Starting", "Berth creates the first revision");
  if (scale !== undefined && isAsleep(observed, stable)) return asleep(stable, scale);
  const restart = restartOf(observed, stable);
  if (restart !== undefined && readyOf(observed, stable) >= Math.max(1, wantedOf(observed, stable) - 1))
    return { reason: "Serving", message: restartInWords(observed, stable, restart, cause), ready: "True" };
  // pods come and go with the load: that is no news of the ModelDeployment, unless none is left
  if (
    readyOf(observed, stable) < wantedOf(observed, stable) &&
    (scale === undefined || readyOf(observed, stable) === 0)
  ) {
    if (cause !== undefined) return failing(cause, "");
    if (scale !== undefined)
      return {
        reason: "Starting",
        message: `${progress(observed, stable, fetch)}; the routers hold requests until a pod is ready`,
        ready: "True",
      };
    return working(fetch === undefined ? "Starting" : "Fetching", progress(observed, stable, fetch));
  }
  const retiring = superseded.find((revision) => deploymentOf(observed, revision) !== undefined);
  if (retiring !== undefined) {
    return working(
      "Retiring",
      `${stable.name} serves; ${retiring.name} stays until every node routes to its successor`,
    );
  }
  if (wantsRouter(observed) && routedPort(observed) === undefined && router !== undefined)
    return failing(router, `; ${stable.name} ${unroutedInWords(observed)} they are ready`);
  if (wantsRouter(observed) && routedPort(observed) === undefined)
    return working("Routing", `${stable.name} ${unroutedInWords(observed)} the routers of this namespace are ready`);
  if (!wantsRouter(observed) && !isServing(observed, stable))
    return working("Updating", `Berth switches the Service to ${stable.name}`);
  const [ready, count] = [readyOf(observed, stable), wantedOf(observed, stable)];
  const pods =
    ready < count ? `${ready} of ${count} pods serve` : `${count} ${count === 1 ? "pod serves" : "pods serve"}`;
  return {
    reason: "Serving",
    message: `${pods} ${stable.name}${scale?.shortage === undefined ? "" : `; ${scale.shortage}`}`,
    ready: "True",
  };
};

const unroutedInWords = ({ owner, services }: Observed): string =>
  named(services, serviceName(owner.name)) === undefined ? "is ready and gets requests when" : "serves directly until";

const restartInWords = (
  observed: Observed,
  stable: Revision,
  { done, of }: { done: number; of: number },
  cause: Cause | undefined,
): string => {
  const wait = cause === undefined ? "" : `; it waits: ${cause.message}`;
  return oneLine(
    `${readyOf(observed, stable)} pods serve ${stable.name}; restart: ${done} of ${of} pods are new${wait}`,
  );
};

const asleep = ({ name }: Revision, { shortage }: Scale): Verdict =>
  shortage === undefined
    ? { reason: "ScaledToZero", message: `${name} is scaled to zero: the next request starts a pod`, ready: "True" }
    : failing({ reason: "DevicesTaken", message: `${name} cannot be started: ${shortage}`, stalled: false }, "");

/** Why a rollout waits for room, where its pods do. */
const roomInWords = ({ reason }: Cause, trial: Trial | undefined): string =>
  reason === "Unschedulable" && trial?.capacity !== undefined
    ? `; rollout capacity ${trial.capacity.plan}: ${trial.capacity.why}`
    : "";

/** What becomes of the requests meanwhile. */
const stillInWords = (observed: Observed, stable: Revision): string => {
  if (wantedOf(observed, stable) === 0) return "is scaled to zero to make room for it";
  return readyOf(observed, stable) > 0 ? "still serves" : "should serve, but has no ready pod";
};

const rolledBack = (revision: string, why: string, still: string): Verdict =>
  stalled("RolledBack", oneLine(`${revision} was rolled back: ${why}`) + still);

const hindered = ({ name }: Owner, obstacle: Obstacle, still: string): Verdict => {
  switch (obstacle.kind) {
    case "stranger": {
      const { objects } = obstacle;
      const [exist, them] = objects.length === 1 ? ["exists and belongs", "it"] : ["exist and belong", "them"];
      const cure =
        name === ROUTER_NAME
          ? "rename this ModelDeployment: the routers of its namespace need this name"
          : `delete ${them}, or rename this ModelDeployment`;
      return stalled("NotOwned", `${listed(objects)} ${exist} to something else; ${cure}${still}`);
    }
    case "refused": {
      const { reason = "WriteRefused", message } = refusalOf(obstacle.message);
      const told = oneLine(`the API server refused a write: ${message}`) + othersInWords(obstacle.others);
      return failing({ reason, message: told, stalled: obstacle.isHopeless }, still);
    }
    case "unanswered": {
      const { message } = refusalOf(obstacle.message);
      const told = oneLine(`the API server has not answered a write: ${message}`) + othersInWords(obstacle.others);
      return failing({ reason: "WriteRefused", message: told, stalled: false }, still);
    }
    case "leaving":
      return working(
        "Starting",
        `${obstacle.object} of a deleted ModelDeployment of this name still exists; Berth waits until Kubernetes has removed it`,
      );
  }
};

const listed = (objects: readonly string[]): string =>
  objects.length < 2 ? objects.join() : `${objects.slice(0, -1).join(", ")} and ${objects.at(-1)}`;

const failing = ({ reason, message, stalled: hopeless }: Cause, still: string): Verdict =>
  hopeless
    ? stalled(reason, message + still)
    : { reason, message: message + still, ready: "False", reconciling: "ProgressingWithRetry" };

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
