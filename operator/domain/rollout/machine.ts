/**
 * A rollout as a state machine without I/O:
 *
 *   preparing ──capacity is ready──▶ shifting ──routers follow──▶ observing ──safe──▶ preparing (next step) … finishing ──▶ promoted
 *       ▲                                                        │   ▲    │
 *       └────────────────────────── resumed ──── paused ◀────────┘   │    └──harm, a fatal fault, an abort──▶ rejected
 *                                                     └──────────────┘
 *
 * The reconciler does what the state says, and hands back what came of it.
 */
import type { Metric, Verdict } from "./evidence/verdict.ts";
import type { Step } from "./steps.ts";

/** Why a revision was not taken. */
export type Rejection =
  /** The evidence is against it. */
  | { why: "harm"; by: readonly Metric[] }
  /** What needs no evidence: a crash loop, out of memory, a model that does not load, the deadline. */
  | { why: "fault"; message: string }
  /** Nothing was decided within the step's time, and that is what the spec wants then. */
  | { why: "inconclusive" }
  | { why: "command" };

export type Pause =
  /** The step says so. */
  | "step"
  /** Somebody has said so on the ModelRollout. */
  | "command"
  /** `spec.rollout.paused`. */
  | "spec";

/**
 * By what a revision is taken: it is proved to be no worse; it kept well with all requests, where nothing is left to compare it with;
 * nothing is proved and the spec or a person wants it all the same; or stable answers nobody, and its pods do.
 */
export type Proof = "evidence" | "health" | "time" | "command" | "rescue";

/** `step`: from 0. `since` in milliseconds since 1970. */
export type Rollout =
  /** The canary gets the capacity that the step's weight needs; until then it has the weight of the step before. */
  | { phase: "preparing"; step: number }
  /** The weight is in the table, and not all routers follow it. */
  | { phase: "shifting"; step: number }
  | { phase: "observing"; step: number; since: number }
  /** The weight stays, and so does the evidence. By the step: it is done, so that the next one follows. */
  | { phase: "paused"; step: number; since: number; by: Pause }
  /** The steps are done; it gets the pods that it needs to serve alone. */
  | { phase: "finishing"; by: Proof }
  | { phase: "promoted"; by: Proof }
  | { phase: "rejected"; rejection: Rejection };

export type Command = "promote" | "abort" | "pause" | "resume";

export type Facts = {
  /** Milliseconds since 1970. */
  now: number;
  steps: readonly Step[];
  /** A step takes at least this long, in milliseconds ... */
  minMs: number;
  /** ... and after this it is decided without a verdict. */
  maxMs: number;
  onInconclusive: "hold" | "advance" | "rollback";
  /** The canary has pods that are ready for the step's share; those that the cluster has no room for excepted, once no request depends on them. */
  isReady: boolean;
  /** It has the capacity to serve alone. */
  isComplete: boolean;
  /** A pod of it is ready, and it does not answer with errors alone. */
  isServing: boolean;
  /** Stable gives its pods up before the canary has any: nothing may keep the way back from being taken. */
  isSwap: boolean;
  /** The cluster has no room for a swap's pods in time: stable takes its place back, and the revision is not blamed. */
  isSwapRoomless: boolean;
  /** Stable has had no ready pod, or has answered nothing but errors, for long enough. */
  isStableBroken: boolean;
  /** Each router follows the table that is written. */
  isAcknowledged: boolean;
  /** The requests are split as the table says, as far as can be told from what the routers counted. */
  isSplitRight: boolean;
  /** Undefined: there is no evidence yet. */
  verdict: Verdict | undefined;
  /** A fault that needs no evidence, in words. */
  fatal?: string;
  isPausedBySpec: boolean;
  command?: Command;
};

export const START: Rollout = { phase: "preparing", step: 0 };

export const isOver = ({ phase }: Rollout): boolean => phase === "promoted" || phase === "rejected";

/** What follows. Once over, nothing does: another attempt is another rollout. */
export const next = (state: Rollout, facts: Facts): Rollout => {
  const { command, fatal, isAcknowledged, isReady, now, verdict } = facts;
  if (state.phase === "promoted" || state.phase === "rejected") return state;
  if (command === "abort") return reject({ why: "command" });
  if (fatal !== undefined) return reject({ why: "fault", message: fatal });
  // evidence holds at any moment: paused, or while the next step is being prepared
  if (verdict?.kind === "harm" && command !== "promote") return reject({ why: "harm", by: verdict.by });
  if (facts.isSwapRoomless) return START;
  const shortcut = shortcutOf(state, facts);
  if (shortcut !== undefined) return shortcut;
  switch (state.phase) {
    case "preparing":
      // a pause stays pending until the step's weight is applied or another command replaces it
      return isReady && command !== "pause" && (mayMove(facts, state.step) || command === "promote")
        ? { phase: "shifting", step: state.step }
        : state;
    case "shifting":
      return isAcknowledged ? { phase: "observing", step: state.step, since: now } : state;
    case "observing":
      return observe(state, facts);
    case "paused":
      return unpause(state, facts);
    case "finishing":
      return facts.isComplete && !facts.isPausedBySpec && command !== "pause"
        ? { phase: "promoted", by: state.by }
        : state;
  }
};

/**
 * A person, or a stable revision that answers nobody, skips evidence and time; never the pods: until they are ready, the rollout
 * finishes. A swap has no pods before its share is moved, so it goes its own way until they are ready.
 */
const shortcutOf = (state: Rollout, facts: Facts): Rollout | undefined => {
  const { command, isComplete, isPausedBySpec, isServing, isStableBroken, isSwap } = facts;
  const isRescue =
    isStableBroken && isServing && !isSwap && !isPausedBySpec && command !== "pause" && state.phase !== "paused";
  const by = command === "promote" ? "command" : isRescue ? "rescue" : undefined;
  if (by === undefined) return undefined;
  if (isSwap) return isServing && state.phase !== "preparing" && isComplete ? { phase: "promoted", by } : undefined;
  if (isComplete) return { phase: "promoted", by };
  return state.phase === "finishing" && state.by === by ? state : { phase: "finishing", by };
};

/** A step without weight moves none: copies of requests, and testers, may come though the spec has paused the rollout. */
const mayMove = ({ isPausedBySpec, steps }: Facts, step: number): boolean =>
  !isPausedBySpec || steps[step]?.weight === 0;

type Of<Phase> = Extract<Rollout, { phase: Phase }>;

const reject = (rejection: Rejection): Rollout => ({ phase: "rejected", rejection });

const observe = (state: Of<"observing">, facts: Facts): Rollout => {
  const { command, isPausedBySpec, isReady, isSplitRight, maxMs, minMs, now, onInconclusive, steps, verdict } = facts;
  const { since, step } = state;
  const pause = (by: Pause): Rollout => ({ phase: "paused", step, since, by });
  // between the pods of a swap nobody serves: that is no place to stay
  const mayPause = !facts.isSwap || facts.isServing;
  if (command === "pause" && mayPause) return pause("command");
  if (isPausedBySpec && mayPause && command !== "promote") return pause("spec");
  const proof = steps[step]?.proof ?? "evidence";
  const isProved = proof === "health" ? isReady : verdict?.kind === "safe";
  const isDone = isProved && now - since >= minMs && isSplitRight;
  const isOverdue = now - since >= maxMs && !isProved;
  if (isOverdue && onInconclusive === "rollback") return reject({ why: "inconclusive" });
  if (!isDone && !(isOverdue && onInconclusive === "advance")) return state;
  return steps[step]?.pause === true ? pause("step") : advance(step, facts, isDone ? proof : "time");
};

/** A pause that a step or a person has made ends when a person says so; that of the spec, with it. */
const unpause = (state: Of<"paused">, facts: Facts): Rollout => {
  const { command, isPausedBySpec, now } = facts;
  const { by, step } = state;
  const ends = by === "spec" ? !isPausedBySpec : command === "resume" && !isPausedBySpec;
  if (!ends) return state;
  // the time of the step begins again: what was seen in the meantime stays in the evidence
  return by === "step" ? advance(step, facts, "evidence") : { phase: "observing", step, since: now };
};

const advance = (step: number, { isComplete, steps }: Facts, by: Proof): Rollout =>
  step + 1 < steps.length
    ? { phase: "preparing", step: step + 1 }
    : isComplete
      ? { phase: "promoted", by }
      : { phase: "finishing", by };

/** The share (percent) that the state stands for. What the table has meanwhile follows the pods: see `assignment.ts`. */
export const weightOf = (state: Rollout, steps: readonly Step[]): number => {
  switch (state.phase) {
    case "preparing":
      return steps[state.step - 1]?.weight ?? 0;
    case "shifting":
    case "observing":
    case "paused":
      return steps[state.step]?.weight ?? 0;
    case "finishing":
      return steps.at(-1)?.weight ?? 0;
    case "promoted":
      return 100;
    case "rejected":
      return 0;
  }
};
