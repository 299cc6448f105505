/** A canary on trial: between what the status says of it and the state machine of rollouts. Pure. */
import { ACTION_ANNOTATION, isScaled, type Reason, type RolloutStatus } from "../api/v1alpha1/index.ts";
import {
  type Chosen,
  choosePlan,
  movedWeight,
  neededPods,
  nextReplicas,
  type Replicas,
  type Situation,
  SWAP_STEPS,
} from "../rollout/capacity.ts";
import type { Verdict } from "../rollout/evidence/verdict.ts";
import { type Command, next, type Rollout, START, weightOf } from "../rollout/machine.ts";
import { type RolloutSettings, rolloutSettings } from "../rollout/settings.ts";
import { evidenceStep, type Step } from "../rollout/steps.ts";
import { type Cause, oneLine } from "./explain/cause.ts";
import { deadlineOf, isAvailable, lacksRoom, progressMs, readyOf, routedPort, unreadySince } from "./findings.ts";
import type { Observed } from "./observe.ts";
import { rejectionOf, rejectionsAfter } from "./rejections.ts";
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
  /** Undefined until it is chosen: no pod of the revision is made before. */
  capacity: Capacity | undefined;
  /** Somebody has ordered a pause, and the step's weight is not there yet: it stays away. */
  isHeld: boolean;
};

/** `since`: when the replicas last changed (ms since 1970). */
export type Capacity = Chosen & Replicas & { since: number };

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
  const capacity = isUnderWay ? capacityOf(before) : undefined;
  const known = isUnderWay ? stepsOf(before, settings) : undefined;
  const steps = capacity?.plan === "swap" ? SWAP_STEPS : (known ?? settings.steps);
  const name = isKnown && before.name !== undefined ? before.name : newName(candidate.name);
  return {
    name,
    revision: candidate,
    settings,
    steps,
    capacity,
    isHeld: false,
    state: isUnderWay ? stateOf(before) : START,
  };
};

const capacityOf = ({ capacity }: RolloutStatus): Capacity | undefined => {
  if (capacity === undefined) return undefined;
  const { readyWithinMs, since, ...rest } = capacity;
  return { ...rest, since: Date.parse(since) || 0, ...(readyWithinMs === undefined ? {} : { readyWithinMs }) };
};

const stateOf = ({ pausedBy = "spec", phase, proof = "evidence", since, step = 0 }: RolloutStatus): Rollout => {
  const began = Date.parse(since ?? "") || 0;
  switch (phase) {
    case "shifting":
      return { phase, step };
    case "observing":
      return { phase, step, since: began };
    case "paused":
      return { phase, step, since: began, by: pausedBy };
    case "finishing":
      return { phase, by: proof };
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

/** One step on. It waits for the steps and the capacity, and for the routers to be in the clients' way. */
export const advance = (trial: Trial, observed: Observed, findings: Findings, now: number): Trial => {
  const { acknowledged, cause, command, isOverdue, isSplitRight, verdict } = findings;
  const { capacity, revision, settings, steps = [] } = trial;
  const { isPaused, maxMs, minMs, onInconclusive } = settings;
  const fatal =
    cause !== undefined && (isOverdue || cause.stalled || FATAL.has(cause.reason))
      ? `${cause.reason}: ${cause.message}`
      : undefined;
  const has = (state: Rollout): boolean =>
    capacity !== undefined &&
    routedPort(observed) !== undefined &&
    isAvailable(observed, revision) &&
    capacity.canary >= neededPods(capacity, state, steps, observed.replicas, isScaled(observed.modelDeployment.spec));
  const state = next(trial.state, {
    ...{ now, minMs, maxMs, onInconclusive, isSplitRight, verdict, steps },
    isReady: trial.steps !== undefined && has(trial.state),
    isComplete: has({ phase: "finishing", by: "evidence" }),
    isAcknowledged: acknowledged === true,
    isPausedBySpec: isPaused,
    ...(fatal === undefined ? {} : { fatal }),
    ...(command === undefined ? {} : { command }),
  });
  const isHeld = command === "pause" && state.phase === "preparing";
  return { ...trial, state, isHeld, capacity: capacity && scaled(capacity, observed, { ...trial, state }, now) };
};

/** The replicas that the state asks for, as far as they can be had now. */
const scaled = (
  before: Capacity,
  observed: Observed,
  { revision, state, steps = [] }: Trial,
  now: number,
): Capacity => {
  const { replicas } = observed;
  const ofStep = neededPods(before, state, steps, replicas, isScaled(observed.modelDeployment.spec));
  // a slower one needs more than its share of stable's pods, where there is room for them
  const needed = ofStep > 0 && before.plan === "surge" ? Math.max(ofStep, observed.canaryReplicas ?? 0) : ofStep;
  const { canary, stable } = nextReplicas(before, needed, replicas, readyOf(observed, revision));
  const isSame = canary === before.canary && stable === before.stable;
  return isSame ? before : { ...before, canary, stable, since: now };
};

/** It was to have room beside stable, and none of it was moved yet: another plan may do, or room has come free. */
export const waitsForRoom = ({ capacity, revision, settings, state }: Trial, observed: Observed): boolean =>
  settings.capacity === "auto" &&
  capacity?.plan === "surge" &&
  state.phase === "preparing" &&
  state.step === 0 &&
  lacksRoom(observed, revision);

/** Where its pods find room: when it begins, and again while they find none. */
export const planned = (
  trial: Trial,
  observed: Observed,
  situation: Omit<Situation, "isTotal" | "replicas" | "strategy" | "wanted">,
  now: number,
): Trial => {
  const { settings } = trial;
  const { modelDeployment, replicas } = observed;
  const chosen = choosePlan({
    ...{ ...situation, replicas, strategy: settings.strategy, wanted: settings.capacity },
    isTotal: modelDeployment.spec.scaling?.mode === "external",
  });
  const { capacity: before } = trial;
  if (before?.plan === chosen.plan) return { ...trial, capacity: { ...before, ...chosen } };
  const steps = chosen.plan === "swap" ? SWAP_STEPS : trial.steps;
  return { ...trial, steps, capacity: { ...chosen, stable: replicas, canary: 0, since: now } };
};

/**
 * When (ms since 1970) a canary that is not ready is given up on. Once it was, a pod that is replaced, or for whose probe its node is too
 * busy, has its time from then on.
 */
export const trialDeadlineOf = ({ revision, state }: Trial, observed: Observed): number => {
  const deadline = deadlineOf(observed, revision) ?? Number.POSITIVE_INFINITY;
  return state.phase === "preparing" && state.step === 0
    ? deadline
    : Math.max(deadline, unreadySince(observed, revision) + progressMs(observed));
};

/** When (ms since 1970) stable's pods are brought back, if the ones that have taken their place are not ready by then. */
export const swapDeadlineOf = ({ capacity, revision, state }: Trial, observed: Observed): number | undefined => {
  const { readyWithinMs } = capacity ?? {};
  if (readyWithinMs === undefined || state.phase !== "observing") return undefined;
  const isReady = isAvailable(observed, revision);
  return isReady ? undefined : Math.max(state.since, unreadySince(observed, revision)) + readyWithinMs;
};

/** Nothing serves beside a revision that stable has made room for, so that there is nothing to compare. */
export const analysisOf = ({ capacity, settings }: Trial): Pick<RolloutSettings, "analysis" | "analysisKey"> =>
  capacity?.plan === "swap" ? { analysis: { levels: settings.analysis.levels }, analysisKey: "swap" } : settings;

/** Of the canary, in percent, by the step that it is in. */
export const trialWeight = ({ capacity, state, steps = [] }: Trial, ready?: { pods: number; of: number }): number => {
  const weight = weightOf(state, steps);
  const moves = state.phase === "finishing" && capacity?.plan === "handover" && ready !== undefined;
  return moves ? movedWeight(weight, ready.pods, ready.of) : weight;
};

/** The share of the requests that the canary is to get, and of which it is to get copies; undefined: it is none of the routers' business. */
export const shareOf = (trial: Trial, observed: Observed): Share | undefined => {
  const { capacity, revision, settings, state } = trial;
  const isRouted = state.phase === "finishing" || ("step" in state && (state.phase !== "preparing" || state.step > 0));
  if (!isRouted) return undefined;
  const isAlone = capacity?.plan === "swap";
  const ready = { pods: readyOf(observed, revision), of: observed.replicas };
  return {
    ...{ revision: revision.name, isAlone, weight: trialWeight(trial, ready) },
    shadow: isAlone ? 0 : settings.shadow,
  };
};

/** What the status says of it; `words`: of its evidence. Undefined where there is nothing to say. */
export const rolloutStatus = (
  observed: Observed,
  trial: Trial | undefined,
  words: string | undefined,
  retried: ReadonlySet<string>,
): RolloutStatus | undefined => {
  const latest =
    trial?.state.phase === "rejected"
      ? rejectionOf(trial.revision, trial.settings.analysisKey, trial.state.rejection, words)
      : undefined;
  const rejections = rejectionsAfter(observed, retried, latest);
  const list = rejections.length === 0 ? {} : { rejected: [...rejections] };
  if (trial === undefined || trial.state.phase === "rejected" || trial.state.phase === "promoted")
    return rejections.length === 0 ? undefined : list;
  const { capacity, name, revision, settings, state, steps } = trial;
  return {
    name,
    revision: revision.name,
    strategy: settings.strategy,
    phase: state.phase,
    ...("step" in state ? { step: state.step } : { proof: state.by }),
    ...(steps === undefined
      ? {}
      : { steps: steps.map(({ pause, weight }) => ({ weight, ...(pause ? { pause } : {}) })) }),
    ...(capacity === undefined ? {} : { capacity: { ...capacity, since: new Date(capacity.since).toISOString() } }),
    ...("since" in state ? { since: new Date(state.since).toISOString() } : {}),
    ...(state.phase === "paused" ? { pausedBy: state.by } : {}),
    ...(words === undefined ? {} : { evidence: oneLine(words) }),
    ...list,
  };
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
  return `step ${step} of ${steps.length}${pausedInWords(trial)}: ${share}${copies}${capacityInWords(trial)}`;
};

/** Nothing is said of what costs nobody anything. */
const capacityInWords = ({ capacity }: Trial): string => {
  if (capacity === undefined || capacity.plan === "surge") return "";
  const { canary, plan, stable, why } = capacity;
  const told =
    plan === "swap"
      ? "its pods take the place of stable's"
      : `stable hands pods over, and has ${stable} beside ${canary}`;
  return `; capacity ${plan}: ${told} (${why})`;
};

const pausedInWords = ({ isHeld, name, state }: Trial): string => {
  if (isHeld) return ", held by the command pause";
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
