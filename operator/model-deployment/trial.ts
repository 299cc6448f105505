/** A canary on trial: between what the status says of it and the state machine of rollouts. Pure. */
import type { Reason, RolloutStatus } from "../api/v1alpha1/index.ts";
import type { Verdict } from "../rollout/evidence/verdict.ts";
import { type Command, next, type Rollout, START, weightOf } from "../rollout/machine.ts";
import { type RolloutSettings, rolloutSettings } from "../rollout/settings.ts";
import type { Step } from "../rollout/steps.ts";
import { rejected } from "../rollout/words.ts";
import { type Cause, oneLine } from "./explain/cause.ts";
import { isAvailable, routedPort } from "./findings.ts";
import type { Observed } from "./observe.ts";
import type { Revision } from "./revision.ts";
import type { Roles } from "./roles.ts";
import type { Acknowledged } from "./traffic.ts";

export type Trial = {
  /** Of its ModelRollout. */
  name: string;
  revision: Revision;
  settings: RolloutSettings;
  /** Of the steps; undefined while they are to follow from a traffic that is not known yet. */
  weights: readonly number[] | undefined;
  state: Rollout;
};

/** What a pass has found out about it. */
export type Findings = {
  acknowledged: Acknowledged;
  verdict: Verdict | undefined;
  isSplitRight: boolean;
  /** What keeps its pods from being ready. */
  cause: Cause | undefined;
  /** It had its time to become ready. */
  isOverdue: boolean;
  command: Command | undefined;
};

/**
 * Faults that no evidence is needed for, besides those that will not pass by themselves. A probe that fails is none of them: a busy
 * node is enough for that, and what is not ready in time is told by the deadline.
 */
const FATAL: ReadonlySet<Reason> = new Set(["CrashLooping", "OutOfMemory"]);

/**
 * Undefined: no canary is on trial, since there is none, no stable one beside it, or its strategy is another.
 * @param newName of a rollout that begins
 */
export const trialOf = (
  { modelDeployment }: Observed,
  { candidate, stable }: Roles,
  newName: (revision: string) => string,
): Trial | undefined => {
  if (candidate === undefined || stable === undefined) return undefined;
  const settings = rolloutSettings(modelDeployment.spec);
  if (settings === undefined) return undefined;
  const before = modelDeployment.status?.rollout;
  const isKnown = before?.revision === candidate.name;
  const weights = isKnown ? (before.weights ?? settings.weights) : settings.weights;
  const name = isKnown && before.name !== undefined ? before.name : newName(candidate.name);
  return { name, revision: candidate, settings, weights, state: isKnown ? stateOf(before) : START };
};

const stateOf = ({ pausedBy = "spec", phase, since, step = 0 }: RolloutStatus): Rollout => {
  const began = Date.parse(since ?? "") || 0;
  switch (phase) {
    case "shifting":
      return { phase, step };
    case "observing":
      return { phase, step, since: began };
    case "paused":
      return { phase, step, since: began, by: pausedBy, done: false };
    default:
      return { phase: "preparing", step };
  }
};

const stepsOf = ({ weights = [] }: Trial): Step[] => weights.map((weight) => ({ weight, pause: false }));

/** One step on. It waits for the weights, and for the routers to be in the clients' way. */
export const advance = (trial: Trial, observed: Observed, findings: Findings, now: number): Trial => {
  const { acknowledged, cause, command, isOverdue, isSplitRight, verdict } = findings;
  const { isPaused, maxMs, minMs, onInconclusive } = trial.settings;
  const fatal =
    cause !== undefined && (isOverdue || cause.stalled || FATAL.has(cause.reason))
      ? `${cause.reason}: ${cause.message}`
      : undefined;
  const isReady =
    trial.weights !== undefined && routedPort(observed) !== undefined && isAvailable(observed, trial.revision);
  const state = next(trial.state, {
    ...{ now, minMs, maxMs, onInconclusive, isReady, isSplitRight, verdict, steps: stepsOf(trial) },
    isAcknowledged: acknowledged === true,
    isPausedBySpec: isPaused,
    ...(fatal === undefined ? {} : { fatal }),
    ...(command === undefined ? {} : { command }),
  });
  return { ...trial, state };
};

/** Of the canary, in percent. */
export const trialWeight = (trial: Trial): number => weightOf(trial.state, stepsOf(trial));

/** What the status says of it; `words`: of its evidence. Undefined where there is nothing to say. */
export const rolloutStatus = (
  { modelDeployment }: Observed,
  trial: Trial | undefined,
  words: string | undefined,
  retried: ReadonlySet<string>,
): RolloutStatus | undefined => {
  const known = modelDeployment.status?.rollout?.rejected ?? [];
  const before = known.filter((one) => !retried.has(one.revision));
  const rejections = trial?.state.phase === "rejected" ? [rejectionOf(trial, words), ...before].slice(0, 10) : before;
  const list = rejections.length === 0 ? {} : { rejected: rejections };
  if (trial === undefined || trial.state.phase === "rejected" || trial.state.phase === "promoted")
    return rejections.length === 0 ? undefined : list;
  const { name, revision, state, weights } = trial;
  return {
    name,
    revision: revision.name,
    phase: state.phase,
    step: state.step,
    ...(weights === undefined ? {} : { weights: [...weights] }),
    ...("since" in state ? { since: new Date(state.since).toISOString() } : {}),
    ...(state.phase === "paused" && state.by !== "step" ? { pausedBy: state.by } : {}),
    ...(words === undefined ? {} : { evidence: oneLine(words) }),
    ...list,
  };
};

type Rejected = NonNullable<RolloutStatus["rejected"]>[number];

const rejectionOf = ({ revision, settings, state }: Trial, words: string | undefined): Rejected => {
  const why = state.phase === "rejected" ? rejected(state.rejection) : "";
  const told = state.phase === "rejected" && state.rejection.why === "harm" && words !== undefined ? `; ${words}` : "";
  return { revision: revision.name, analysis: settings.analysisKey, message: oneLine(why + told) };
};

/** Why this revision is not taken, if it was rejected, and by the very analysis that holds now. */
export const rejectedBefore = (
  { spec, status }: Observed["modelDeployment"],
  revision: string | undefined,
): string | undefined => {
  if (revision === undefined) return undefined;
  const key = rolloutSettings(spec)?.analysisKey;
  return status?.rollout?.rejected?.find((one) => one.revision === revision && one.analysis === key)?.message;
};

/** Of the table that was written: what the routers send the canary, if they follow it. */
export const writtenWeight = ({ modelDeployment }: Observed, { revision }: Trial): number =>
  modelDeployment.status?.traffic?.routes.find((route) => route.revision === revision.name)?.weight ?? 0;

/** `step 2 of 3: 25 % of the requests go to digits-2` */
export const stepInWords = (trial: Trial): string => {
  const { revision, state, weights } = trial;
  if (weights === undefined) return `the steps of ${revision.name} wait for some seconds of traffic`;
  const step = "step" in state ? state.step + 1 : weights.length;
  const by = state.phase === "paused" && state.by === "spec" ? "spec.rollout.paused" : "a command";
  const paused = state.phase === "paused" ? `, paused by ${by}` : "";
  return `step ${step} of ${weights.length}${paused}: ${trialWeight(trial)} % of the requests go to ${revision.name}`;
};
