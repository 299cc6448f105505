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
 * or nothing is proved and the spec or a person wants it all the same.
 */
export type Proof = "evidence" | "health" | "time" | "command";

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
  | { phase: "finishing"; by: Exclude<Proof, "command"> }
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
  /** The canary has the capacity for what is being prepared, and all of its pods are ready. */
  isReady: boolean;
  /** It has the capacity to serve alone. */
  isComplete: boolean;
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
  if (command === "promote") return { phase: "promoted", by: "command" };
  if (fatal !== undefined) return reject({ why: "fault", message: fatal });
  // evidence holds at any moment: paused, or while the next step is being prepared
  if (verdict?.kind === "harm") return reject({ why: "harm", by: verdict.by });
  switch (state.phase) {
    case "preparing":
      // the command stays where it was given until the weight is there, or another one takes its place
      return isReady && command !== "pause" && mayMove(facts, state.step)
        ? { phase: "shifting", step: state.step }
        : state;
    case "shifting":
      return isAcknowledged ? { phase: "observing", step: state.step, since: now } : state;
    case "observing":
      return observe(state, facts);
    case "paused":
      return unpause(state, facts);
    case "finishing":
      return facts.isComplete ? { phase: "promoted", by: state.by } : state;
  }
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
  if (command === "pause") return pause("command");
  if (isPausedBySpec) return pause("spec");
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

const advance = (step: number, { isComplete, steps }: Facts, by: Exclude<Proof, "command">): Rollout =>
  step + 1 < steps.length
    ? { phase: "preparing", step: step + 1 }
    : isComplete
      ? { phase: "promoted", by }
      : { phase: "finishing", by };

/** The canary's share in percent, as the table is to have it. */
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
