/** What is said of a ModelDeployment in one sentence, and whether that is ready, in progress or stalled. Pure. */
import {
  type FetchProgress,
  progressDeadlineOf,
  type Reason,
  ROUTER_NAME,
  serviceName,
} from "../../api/v1alpha1/index.ts";
import { type Obstacle, othersInWords } from "../../apply/obstacle.ts";
import { type Cause, oneLine } from "../../domain/diagnosis/cause.ts";
import { givenUp } from "../../domain/diagnosis/explain.ts";
import { refusalOf } from "../../domain/diagnosis/refusal.ts";
import { rejected as rejectedInWords } from "../../domain/rollout/words.ts";
import type { Scale } from "../../domain/scaling/scale.ts";
import type { Deployment } from "../../platform/kube/objects.ts";
import type { Owner } from "./children/owner.ts";
import { deadlineOf, deploymentOf, isAvailable, isServing, named, readyOf, routedPort, wantedOf } from "./findings.ts";
import { type GivingBack, givingBackInWords } from "./giving-back.ts";
import type { Observed } from "./observed.ts";
import { progress } from "./progress.ts";
import { restartOf } from "./restart.ts";
import type { Revision } from "./revision.ts";
import type { Roles } from "./revision-roles.ts";
import { isAsleep } from "./scale.ts";
import { wantsRouter } from "./traffic.ts";
import type { Trial } from "./trial.ts";
import { stepInWords } from "./trial-words.ts";

/** `reconciling` and `stalled` exclude each other; neither means Ready. */
export type Verdict = {
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
export type Newest = {
  cause: Cause | undefined;
  fetch: FetchProgress | undefined;
  trial: Trial | undefined;
  evidence: string | undefined;
  givingBack: GivingBack | undefined;
  scale: Scale | undefined;
  router: Cause | undefined;
};

export const judge = (
  observed: Observed,
  roles: Roles,
  obstacle: Obstacle | undefined,
  newest: Newest,
  now: number,
): Verdict => {
  const { candidate, refusal, rejected, stable, unrecorded } = roles;
  const { givingBack, scale, trial } = newest;
  const still = stable === undefined ? "" : `; ${stable.name} ${stillInWords(observed, stable)}`;
  if (refusal !== undefined) return stalled(refusal.reason, refusal.message + still);
  if (obstacle !== undefined) return hindered(observed.owner, obstacle, still);
  if (rejected !== undefined) return rolledBack(rejected.name, rejected.message, still);
  if (givingBack !== undefined) return working("RollingOut", oneLine(givingBackInWords(givingBack) + still));
  const tried = trial && candidate && ofTrial(observed, trial, candidate, newest, still);
  if (tried !== undefined) return tried;
  const starting = candidate ?? unrecorded;
  if (starting !== undefined) return ofStart(observed, roles, starting, newest, still, now);
  if (stable === undefined) return working("Starting", "Berth creates the first revision");
  if (scale !== undefined && isAsleep(observed, stable)) return asleep(stable, scale);
  return ofPods(observed, stable, newest) ?? ofWay(observed, roles, stable, newest) ?? serving(observed, stable, scale);
};

/** Undefined while its revision is not available: that is told as of any that starts. */
const ofTrial = (
  observed: Observed,
  trial: Trial,
  candidate: Revision,
  { evidence, router }: Newest,
  still: string,
): Verdict | undefined => {
  const { revision, state } = trial;
  if (state.phase === "rejected") return rolledBack(revision.name, rejectedInWords(state.rejection), still);
  if (!isAvailable(observed, candidate)) return undefined;
  if (router !== undefined) return failing(router, `; ${revision.name} waits for them${still}`);
  const known = evidence === undefined ? "" : `; ${evidence}`;
  return working("RollingOut", oneLine(`${stepInWords(trial)}${known}${still}`));
};

/** A revision that is not ready yet. */
const ofStart = (
  observed: Observed,
  { candidate, stable }: Roles,
  starting: Revision,
  { cause, fetch, trial }: Newest,
  still: string,
  now: number,
): Verdict => {
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
};

/** Pods of the revision that serves which are not ready; undefined: enough are. */
const ofPods = (observed: Observed, stable: Revision, { cause, fetch, scale }: Newest): Verdict | undefined => {
  const [ready, wanted] = [readyOf(observed, stable), wantedOf(observed, stable)];
  const restart = restartOf(observed, stable);
  if (restart !== undefined && ready >= Math.max(1, wanted - 1))
    return { reason: "Serving", message: restartInWords(observed, stable, restart, cause), ready: "True" };
  // pods come and go with the load: that is no news of the ModelDeployment, unless none is left
  if (ready >= wanted || (scale !== undefined && ready > 0)) return undefined;
  if (cause !== undefined) return failing(cause, "");
  const message = progress(observed, stable, fetch);
  if (scale === undefined) return working(fetch === undefined ? "Starting" : "Fetching", message);
  return { reason: "Starting", message: `${message}; the routers hold requests until a pod is ready`, ready: "True" };
};

/** What is to be done until requests reach the revision that serves, and it alone; undefined: nothing. */
const ofWay = (
  observed: Observed,
  { superseded }: Roles,
  stable: Revision,
  { router }: Newest,
): Verdict | undefined => {
  const retiring = superseded.flatMap((revision) => deploymentOf(observed, revision) ?? [])[0];
  if (retiring !== undefined) return working("Retiring", oneLine(`${stable.name} serves; ${stayInWords(retiring)}`));
  if (!wantsRouter(observed))
    return isServing(observed, stable)
      ? undefined
      : working("Updating", `Berth switches the Service to ${stable.name}`);
  if (routedPort(observed) !== undefined) return undefined;
  const unrouted = `${stable.name} ${unroutedInWords(observed)}`;
  if (router !== undefined) return failing(router, `; ${unrouted} they are ready`);
  return working("Routing", `${unrouted} the routers of this namespace are ready`);
};

/** Why the pods of a superseded revision are still there. */
const stayInWords = ({ metadata: { deletionTimestamp, finalizers = [], name } }: Deployment): string => {
  if (deletionTimestamp === undefined) return `${name} stays until every node routes to its successor`;
  const others = finalizers.filter((one) => one !== "foregroundDeletion");
  if (others.length === 0) return `Deployment ${name} is deleted and stays until its pods are gone`;
  const [word, them] = others.length === 1 ? ["finalizer", "it"] : ["finalizers", "them"];
  const list = `${word} ${others.join(", ")}`;
  return `Deployment ${name} is deleted, but its pods stay because of ${list}; check that the controller that removes ${them} runs`;
};

const serving = (observed: Observed, stable: Revision, scale: Scale | undefined): Verdict => {
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
