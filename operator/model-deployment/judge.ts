/** A trial's next step, by what the routers say and have counted, what its pods do, and what the nodes have left. */
import { DEFAULT_MAX_WAIT, parseDuration, progressDeadlineOf } from "../api/v1alpha1/index.ts";
import { fits } from "../placement/fits.ts";
import { rivalOf } from "../placement/rival.ts";
import { inSlices } from "../placement/slices.ts";
import type { Survey } from "../placement/survey.ts";
import type { Observation, Observer } from "../rollout/observer.ts";
import { stepsFor } from "../rollout/steps.ts";
import { isAcknowledged } from "../traffic/acknowledged.ts";
import type { AskRouters } from "../traffic/routers.ts";
import { explain, givenUp } from "./explain/explain.ts";
import { isAvailable, startMsOf } from "./findings.ts";
import type { Observed } from "./observe.ts";
import { commandFor, memoryOf } from "./record.ts";
import type { Roles } from "./roles.ts";
import { subjectOf } from "./subject.ts";
import { type Acknowledged, mustAsk } from "./traffic.ts";
import {
  advance,
  analysisOf,
  planned,
  swapDeadlineOf,
  type Trial,
  trialDeadlineOf,
  waitsForRoom,
  writtenWeight,
} from "./trial.ts";

/** A survey that failed, or told of no room; nothing else would bring the pass in which it does. */
export const SURVEY_AGAIN_MS = 15_000;
/** The rate of requests is taken over some seconds. */
const RATE_MS = 5_500;

/** Whether the routers follow the table of the status, where something waits for that. */
export const acknowledgement = async (
  ask: AskRouters,
  observed: Observed,
  roles: Roles,
  trial: Trial | undefined,
): Promise<Acknowledged> => {
  const table = observed.modelDeployment.status?.traffic;
  if (table === undefined || !mustAsk(observed, roles, trial?.state.phase === "shifting")) return undefined;
  return isAcknowledged(await ask(observed.owner), table);
};

/** Takes the candidate's trial one step on, by what the routers have counted and what its pods do. */
export const judge = async (
  observer: Observer,
  survey: Survey,
  observed: Observed,
  before: Trial | undefined,
  acknowledged: Acknowledged,
  now: number,
): Promise<{ trial: Trial | undefined; observation?: Observation | undefined; againAfterMs?: number | undefined }> => {
  const { owner } = observed;
  const weight = before && writtenWeight(observed, before);
  const stable = observed.modelDeployment.status?.stable?.revision;
  const isTried = before !== undefined && stable !== undefined && weight !== undefined;
  const observation = await observer.look(
    owner,
    isTried ? { stable, weight, canary: before.revision.name, ...analysisOf(before) } : undefined,
    now,
    before && memoryOf(observed, before),
  );
  if (before === undefined) return { trial: undefined };
  const rate = before.steps === undefined ? await observer.rate(owner, now) : undefined;
  const steps = before.steps ?? (rate === undefined ? undefined : stepsFor(rate, before.settings.minMs));
  const begun = { ...before, steps };
  const isCramped = waitsForRoom(begun, observed);
  const ready =
    begun.capacity === undefined || isCramped
      ? planned(begun, observed, await situationOf(survey, observed, begun, now), now)
      : begun;
  const subject = subjectOf(observed, before.revision, now);
  const swapDeadline = swapDeadlineOf(ready, observed);
  const isOverdue = now >= Math.min(trialDeadlineOf(ready, observed), swapDeadline ?? Number.POSITIVE_INFINITY);
  const isUnready = !isAvailable(observed, before.revision);
  const known = explain(subject);
  const cause = isUnready && isOverdue ? givenUp(known, progressDeadlineOf(observed.modelDeployment.spec)) : known;
  const findings = {
    ...{ acknowledged, cause, isOverdue: isUnready && isOverdue },
    verdict: observation?.verdict,
    isSplitRight: observation?.isSplitRight ?? true,
    command: commandFor(observed, before),
  };
  const trial = advance(ready, observed, findings, now);
  const waits = [
    observation?.againAfterMs ?? (steps === undefined ? RATE_MS : undefined),
    isCramped ? SURVEY_AGAIN_MS : undefined,
    swapDeadline === undefined ? undefined : Math.max(1, swapDeadline - now),
  ].filter((wait) => wait !== undefined);
  return { trial, observation, againAfterMs: waits.length === 0 ? undefined : Math.min(...waits) };
};

/** What is known of the room for a canary's pods, when it begins. */
const situationOf = async (survey: Survey, observed: Observed, { revision, settings }: Trial, now: number) => {
  const { owner, modelDeployment, replicas } = observed;
  const { spec } = revision.template;
  const surveyed = settings.capacity === "surge" ? undefined : await survey(now);
  const serving = observed.revisions.find(({ name }) => name === modelDeployment.status?.stable?.revision);
  return {
    fits: surveyed === undefined || spec === undefined ? undefined : fits(surveyed.rooms, spec, replicas),
    rival: surveyed === undefined || spec === undefined ? undefined : await inSlices(rivalOf(surveyed, spec, owner)),
    startMs: serving && startMsOf(observed, serving),
    maxWaitMs: parseDuration(modelDeployment.spec.traffic?.queue?.maxWait ?? DEFAULT_MAX_WAIT),
  };
};
