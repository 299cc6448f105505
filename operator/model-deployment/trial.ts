/** A canary on trial: between what the status says of it and the state machine of rollouts. Pure. */
import { ACTION_ANNOTATION, type Reason, type RolloutStatus } from "../api/v1alpha1/index.ts";
import type { Verdict } from "../rollout/evidence/verdict.ts";
import { type Command, next, type Rollout, START, weightOf } from "../rollout/machine.ts";
import { type RolloutSettings, rolloutSettings } from "../rollout/settings.ts";
import { evidenceStep, type Step } from "../rollout/steps.ts";
import { rejected } from "../rollout/words.ts";
import { type Cause, oneLine } from "./explain/cause.ts";
import { isAvailable, routedPort } from "./findings.ts";
import type { Observed } from "./observe.ts";
import type { Revision } from "./revision.ts";
import type { Roles } from "./roles.ts";
import type { Acknowledged, Share } from "./traffic.ts";

export type Trial = {
  /** Of its ModelRollout. */
  name: string;
  revision: Revision;
  settings: RolloutSettings;
  /** Undefined while they are to follow from a traffic that is not known yet. */
  steps: readonly Step[] | undefined;
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
  // the steps of another strategy are other steps
  const isUnderWay = isKnown && before.strategy === settings.strategy;
  const steps = isUnderWay ? (stepsOf(before, settings) ?? settings.steps) : settings.steps;
  const name = isKnown && before.name !== undefined ? before.name : newName(candidate.name);
  return { name, revision: candidate, settings, steps, state: isUnderWay ? stateOf(before) : START };
};

const stateOf = ({ pausedBy = "spec", phase, since, step = 0 }: RolloutStatus): Rollout => {
  const began = Date.parse(since ?? "") || 0;
  switch (phase) {
    case "shifting":
      return { phase, step };
    case "observing":
      return { phase, step, since: began };
    case "paused":
      return { phase, step, since: began, by: pausedBy };
    default:
      return { phase: "preparing", step };
  }
};

/** Those that the rollout began with: it does not change under way. What a step takes as a proof is the strategy's. */
const stepsOf = (
  { steps }: RolloutStatus,
  { strategy, steps: wanted }: RolloutSettings,
): readonly Step[] | undefined =>
  strategy === "canary" ? steps?.map(({ pause = false, weight }) => evidenceStep(weight, pause)) : wanted;

/** One step on. It waits for the weights, and for the routers to be in the clients' way. */
export const advance = (trial: Trial, observed: Observed, findings: Findings, now: number): Trial => {
  const { acknowledged, cause, command, isOverdue, isSplitRight, verdict } = findings;
  const { isPaused, maxMs, minMs, onInconclusive } = trial.settings;
  const fatal =
    cause !== undefined && (isOverdue || cause.stalled || FATAL.has(cause.reason))
      ? `${cause.reason}: ${cause.message}`
      : undefined;
  const isReady =
    trial.steps !== undefined && routedPort(observed) !== undefined && isAvailable(observed, trial.revision);
  const state = next(trial.state, {
    ...{ now, minMs, maxMs, onInconclusive, isReady, isSplitRight, verdict, steps: trial.steps ?? [] },
    isAcknowledged: acknowledged === true,
    isPausedBySpec: isPaused,
    ...(fatal === undefined ? {} : { fatal }),
    ...(command === undefined ? {} : { command }),
  });
  return { ...trial, state };
};

/** Of the canary, in percent. */
export const trialWeight = ({ state, steps = [] }: Trial): number => weightOf(state, steps);

/** The share of the requests that the canary is to get, and of which it is to get copies; undefined: it is none of the routers' business. */
export const shareOf = (trial: Trial): Share | undefined => {
  const { revision, settings, state } = trial;
  const isRouted = "step" in state && (state.phase !== "preparing" || state.step > 0);
  return isRouted ? { revision: revision.name, weight: trialWeight(trial), shadow: settings.shadow } : undefined;
};

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
  const { name, revision, settings, state, steps } = trial;
  return {
    name,
    revision: revision.name,
    strategy: settings.strategy,
    phase: state.phase,
    step: state.step,
    ...(steps === undefined
      ? {}
      : { steps: steps.map(({ pause, weight }) => ({ weight, ...(pause ? { pause } : {}) })) }),
    ...("since" in state ? { since: new Date(state.since).toISOString() } : {}),
    ...(state.phase === "paused" ? { pausedBy: state.by } : {}),
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

/** Of the table that was written: what the routers send the canary, if they follow it; undefined: it is not in there. */
export const writtenWeight = ({ modelDeployment }: Observed, { revision }: Trial): number | undefined =>
  modelDeployment.status?.traffic?.routes.find((route) => route.revision === revision.name)?.weight;

/** `step 2 of 3: 25 % of the requests go to digits-2` */
export const stepInWords = (trial: Trial): string => {
  const { revision, settings, state, steps } = trial;
  if (steps === undefined) return `the steps of ${revision.name} wait for some seconds of traffic`;
  const step = "step" in state ? state.step + 1 : steps.length;
  const weight = trialWeight(trial);
  const share =
    weight === 0
      ? `${revision.name} answers no client`
      : weight === 100
        ? `all requests go to ${revision.name}`
        : `${weight} % of the requests go to ${revision.name}`;
  const copies = settings.shadow === 0 || weight === 100 ? "" : `, and copies of ${settings.shadow} %`;
  return `step ${step} of ${steps.length}${pausedInWords(trial)}: ${share}${copies}`;
};

const pausedInWords = ({ name, state }: Trial): string => {
  if (state.phase !== "paused") return "";
  switch (state.by) {
    case "spec":
      return ", paused by spec.rollout.paused";
    case "command":
      return ", paused by a command";
    case "step":
      return `, safe so far and paused as its step says: it goes on with kubectl annotate modelrollout ${name} ${ACTION_ANNOTATION}=resume`;
  }
};
