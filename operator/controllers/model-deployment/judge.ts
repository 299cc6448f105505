/** A trial's next step, by what the routers say and have counted, what its pods do, and what the nodes have left. */
import { DEFAULT_MAX_WAIT, parseDuration, progressDeadlineOf } from "../../api/v1alpha1/index.ts";
import type { Survey } from "../../cluster/capacity/survey.ts";
import type { AskRouters } from "../../cluster/routers/routers.ts";
import { explain, givenUp } from "../../domain/diagnosis/explain.ts";
import { fits } from "../../domain/placement/fits.ts";
import { rivalOf } from "../../domain/placement/rival.ts";
import { inSlices } from "../../domain/placement/slices.ts";
import type { Observation, Observer } from "../../domain/rollout/observation.ts";
import { stepsFor } from "../../domain/rollout/steps.ts";
import { isAcknowledged, isCounted } from "../../domain/traffic/acknowledged.ts";
import { advance, isOverdue, mustPlanAgain, planned, swapDeadlineOf } from "./advance.ts";
import { writtenWeight } from "./applied.ts";
import { faultOf } from "./faults.ts";
import { lacksRoom, podsOf, progressMs, stableByStatus, startMsOf } from "./findings.ts";
import { leftRollout } from "./giving-back.ts";
import type { Observed } from "./observed.ts";
import { brokenAt, SILENT_INTERVALS } from "./outage.ts";
import { commandFor, memoryOf } from "./record.ts";
import type { Roles } from "./revision-roles.ts";
import { askedAgainAt, withRoom } from "./shared-room.ts";
import { subjectOf } from "./subject.ts";
import { type Acknowledged, mustAsk } from "./traffic.ts";
import type { Trial } from "./trial.ts";

/** A capacity check that failed or found no room is made again so soon; no watch event would requeue us. */
export const SURVEY_AGAIN_MS = 15_000;
/** The rate of requests is taken over some seconds. */
const RATE_MS = 5_500;

/** `ahead`: the epoch of a later table than that of the status, which a router follows: somebody has put the status back. */
export type Followed = { acknowledged: Acknowledged; ahead?: number };

/** Whether the routers follow the table of the status, where something waits for that. */
export const acknowledgement = async (ask: AskRouters, observed: Observed, roles: Roles): Promise<Followed> => {
  const { rollout, traffic: table } = observed.modelDeployment.status ?? {};
  if (table === undefined) return { acknowledged: undefined };
  const isMoving =
    rollout?.phase === "shifting" ||
    rollout?.capacity?.plan === "handover" ||
    leftRollout(observed, roles) !== undefined;
  // routers may follow a later table than the one that somebody has put back
  if (observed.isDoubted !== true && !mustAsk(observed, roles, isMoving)) return { acknowledged: undefined };
  const reports = await ask(observed.owner);
  const ahead = Math.max(0, ...reports.filter(isCounted).map(({ epoch }) => epoch));
  return ahead > table.epoch ? { acknowledged: false, ahead } : { acknowledged: isAcknowledged(reports, table) };
};

export type Judged = {
  trial: Trial | undefined;
  observation?: Observation | undefined;
  againAfterMs?: number | undefined;
};

/** Takes the candidate's trial one step on, by what the routers have counted and what its pods do. */
export const judge = async (
  observer: Observer,
  survey: Survey,
  observed: Observed,
  before: Trial | undefined,
  acknowledged: Acknowledged,
  now: number,
): Promise<Judged> => {
  const observation = await observationOf(observer, observed, before, now);
  if (before === undefined) return { trial: undefined };
  const { owner } = observed;
  const rate = before.steps === undefined ? await observer.rate(owner, now) : undefined;
  const steps = before.steps ?? (rate === undefined ? undefined : stepsFor(rate, before.settings.minMs));
  const begun = { ...before, steps };
  const isCramped = mustPlanAgain(begun, observed, now);
  const serving = stableByStatus(observed);
  const brokenFrom = brokenAt(observed, serving);
  const brokenForMs = now >= (brokenFrom ?? Number.POSITIVE_INFINITY) ? progressMs(observed) : undefined;
  const placed =
    begun.capacity === undefined || isCramped
      ? planned(begun, observed, { ...(await roomOf(survey, observed, begun, now)), brokenForMs }, now)
      : begun;
  const ready = { ...placed, capacity: placed.capacity && withRoom(placed.capacity, observed, before.revision, now) };
  const { silent } = observation ?? {};
  const findings = {
    ...{ acknowledged, ...troubleOf(ready, observed, now), command: commandFor(observed, before) },
    verdict: observation?.verdict,
    isSplitRight: observation?.isSplitRight ?? true,
    isAnswering: (silent?.canary ?? 0) === 0,
    isStableBroken: brokenForMs !== undefined || (silent?.stable ?? 0) >= SILENT_INTERVALS,
  };
  const trial = advance(ready, observed, findings, now);
  const waits = [
    observation?.againAfterMs ?? (steps === undefined ? RATE_MS : undefined),
    [before.revision, serving].some((one) => one !== undefined && lacksRoom(observed, one))
      ? SURVEY_AGAIN_MS
      : undefined,
    // what is past was acted on in this pass, as far as it could be
    ...[swapDeadlineOf(ready, observed, now), brokenFrom, ready.capacity?.retryAt, askedAgainAt(ready.capacity)].map(
      (at) => (at === undefined || at <= now ? undefined : at - now),
    ),
  ].filter((wait) => wait !== undefined);
  return { trial, observation, againAfterMs: waits.length === 0 ? undefined : Math.min(...waits) };
};

/** What the routers have counted of it, where it is in their table. */
const observationOf = (observer: Observer, observed: Observed, trial: Trial | undefined, now: number) => {
  const weight = trial && writtenWeight(observed, trial.revision.name);
  const stable = observed.modelDeployment.status?.stable?.revision;
  const isTried = trial !== undefined && stable !== undefined && weight !== undefined;
  return observer.look(
    observed.owner,
    isTried ? { stable, weight, canary: trial.revision.name, ...analysisOf(trial) } : undefined,
    now,
    trial && memoryOf(observed, trial),
  );
};

/** Nothing serves beside a revision that stable has made room for, so that there is nothing to compare. */
const analysisOf = ({ capacity, settings }: Trial): Pick<Trial["settings"], "analysis" | "analysisKey"> =>
  capacity?.plan === "swap" ? { analysis: { levels: settings.analysis.levels }, analysisKey: "swap" } : settings;

/** What keeps its pods from being ready, and whose fault that is. */
const troubleOf = (trial: Trial, observed: Observed, now: number) => {
  const known = explain(subjectOf(observed, trial.revision, now));
  const isLate = isOverdue(trial, observed, now);
  const fault = faultOf(known, podsOf(observed, trial.revision), isLate);
  if (fault !== "revision" || !isLate) return { cause: known, fault };
  const { readyWithinMs } = trial.capacity ?? {};
  const isSwap = swapDeadlineOf(trial, observed, now) !== undefined && readyWithinMs !== undefined;
  const within = isSwap
    ? `${Math.ceil(readyWithinMs / 1000)} s (spec.traffic.queue.maxWait, less the start time of stable's pods)`
    : `${progressDeadlineOf(observed.modelDeployment.spec)} (spec.rollout.progressDeadline)`;
  return { cause: givenUp(known, within), fault };
};

/** What is known of the room for a canary's pods, when it begins. */
const roomOf = async (survey: Survey, observed: Observed, { revision, settings }: Trial, now: number) => {
  const { owner, modelDeployment, replicas } = observed;
  const { spec } = revision.template;
  const surveyed = settings.capacity === "surge" ? undefined : await survey(now);
  const serving = stableByStatus(observed);
  const empty = surveyed?.rooms.map((room) => ({ ...room, free: room.total }));
  return {
    isNowhere: empty !== undefined && spec !== undefined && (await inSlices(fits(empty, spec, 1))) === 0,
    fits:
      surveyed === undefined || spec === undefined ? undefined : await inSlices(fits(surveyed.rooms, spec, replicas)),
    rival: surveyed === undefined || spec === undefined ? undefined : await inSlices(rivalOf(surveyed, spec, owner)),
    startMs: serving && startMsOf(observed, serving),
    maxWaitMs: parseDuration(modelDeployment.spec.traffic?.queue?.maxWait ?? DEFAULT_MAX_WAIT),
  };
};
