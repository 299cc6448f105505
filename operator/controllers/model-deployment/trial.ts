/** A revision on trial, as the status has it, and its assignment. Pure. Its next step: `advance.ts`. */
import { isScaled, type RolloutStatus } from "../../api/v1alpha1/index.ts";
import { type Assignment, assign, type Situation } from "../../domain/rollout/assignment.ts";
import { SWAP_STEPS } from "../../domain/rollout/capacity.ts";
import { isOver, type Rollout, START } from "../../domain/rollout/machine.ts";
import { type RolloutSettings, rolloutSettings } from "../../domain/rollout/settings.ts";
import { evidenceStep, type Step } from "../../domain/rollout/steps.ts";
import { appliedOf, type Capacity, capacityOf, isFollowed, isTotal, servingOf } from "./applied.ts";
import type { Observed } from "./observed.ts";
import type { Revision } from "./revision.ts";
import type { Roles } from "./revision-roles.ts";
import { sharedRoom } from "./shared-room.ts";
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
  /** Who has how many pods and which share of the requests; undefined as long as `capacity` is. */
  assignment: Assignment | undefined;
  /** Somebody has ordered a pause, and the step's weight is not there yet: it stays away. */
  isHeld: boolean;
};

/** The trial of the candidate as the status has it; a new one where it has none. */
const begun = (
  { modelDeployment }: Observed,
  candidate: Revision,
  settings: RolloutSettings,
  newName: (revision: string) => string,
): Trial => {
  const before = modelDeployment.status?.rollout;
  const isKnown = before?.revision === candidate.name && before.phase !== "retreating";
  // the steps of another strategy are other steps
  const isUnderWay = isKnown && before.strategy === settings.strategy;
  const capacity = isUnderWay ? capacityOf(before) : undefined;
  const known = isUnderWay ? stepsOf(before, settings) : undefined;
  return {
    name: isKnown && before.name !== undefined ? before.name : newName(candidate.name),
    revision: candidate,
    settings,
    steps: capacity?.plan === "swap" ? SWAP_STEPS : (known ?? settings.steps),
    capacity,
    assignment: undefined,
    isHeld: false,
    state: isUnderWay ? stateOf(before) : START,
  };
};

/**
 * Undefined: no revision is on trial, since there is none, no stable one beside it, its strategy is another, or the one before it
 * still gives its share back.
 * @param newName of a rollout that begins
 */
export const trialOf = (
  observed: Observed,
  { candidate, stable }: Roles,
  isGivingBack: boolean,
  newName: (revision: string) => string,
): Trial | undefined => {
  if (candidate === undefined || stable === undefined || isGivingBack) return undefined;
  const settings = rolloutSettings(observed.modelDeployment.spec);
  return settings && begun(observed, candidate, settings, newName);
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

/** What the assignment follows from; undefined until the capacity is chosen. */
const situationOf = (
  { capacity, isHeld, revision, settings, state, steps = [] }: Trial,
  observed: Observed,
  acknowledged: Acknowledged,
): Situation | undefined =>
  capacity && {
    ...{ plan: capacity.plan, state, steps },
    ...sharedRoom(capacity, observed),
    isTotal: isTotal(observed),
    isScaled: isScaled(observed.modelDeployment.spec),
    isHeld: isHeld || isPausedBySpec({ settings, state }),
    // a slower one needs more than its share of stable's pods, where there is room for them
    demand: observed.canaryReplicas ?? 0,
    ready: servingOf(observed, revision),
    applied: appliedOf(observed, capacity, revision.name),
    isFollowed: isFollowed(observed, revision.name, acknowledged),
  };

/** What a person has promoted goes on. */
export const isPausedBySpec = ({ settings, state }: Pick<Trial, "settings" | "state">): boolean =>
  settings.isPaused && !(state.phase === "finishing" && state.by === "command");

/** The same trial with its assignment, and with the capacity that follows from it. */
export const assigned = (trial: Trial, observed: Observed, acknowledged: Acknowledged, now: number): Trial => {
  const situation = situationOf(trial, observed, acknowledged);
  if (trial.capacity === undefined || situation === undefined) return trial;
  const assignment = assign(situation);
  // what has ended leaves pods and requests as they are: what follows is the next pass's
  if (isOver(trial.state)) return { ...trial, assignment };
  const [stable, canary] = [assignment.stable.replicas, assignment.candidate.replicas];
  const isSame = canary === trial.capacity.canary && stable === trial.capacity.stable;
  return {
    ...trial,
    assignment,
    capacity: isSame ? trial.capacity : { ...trial.capacity, canary, stable, since: now },
  };
};

/** Of the canary, in percent. */
export const trialWeight = ({ assignment }: Trial): number => assignment?.candidate.weight ?? 0;

/** The share of the requests that it gets, and of which it gets copies; undefined: it is none of the routers' business. */
export const shareOf = ({ assignment, revision, settings }: Trial): Share | undefined => {
  if (assignment === undefined || !assignment.isRouted) return undefined;
  const { candidate, isAlone } = assignment;
  return {
    ...{ revision: revision.name, isAlone, weight: candidate.weight },
    shadow: isAlone ? 0 : settings.shadow,
  };
};
