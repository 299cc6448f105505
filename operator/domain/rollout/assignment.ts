/**
 * The one answer to "who has how many pods, and which share of the requests". Pure.
 *
 * The routing table, the replicas of both Deployments and the status are projections of it. Its invariants are in
 * `invariants.ts`, and hold for every state, plan, number of pods, readiness and command.
 */
import { type Rollout, weightOf } from "./machine.ts";
import type { Step } from "./steps.ts";
import type { Plan } from "./strategy.ts";

export type Part = {
  /** Pods wanted. */
  replicas: number;
  /** Percent of the requests. */
  weight: number;
};

export type Assignment = {
  stable: Part;
  candidate: Part;
  /** The candidate is in the routing table, perhaps with a weight of 0: for testers and for copies of requests. */
  isRouted: boolean;
  /** Nothing else is in the table: requests wait for the candidate's pods rather than go to pods that leave. */
  isAlone: boolean;
};

/** What the routers follow, and what the Deployments are asked for. */
export type Applied = { stable: number; candidate: number; weight: number };

export type Situation = {
  plan: Plan;
  /** Pods of the candidate that fit beside all of stable's; 0 where that is not known. */
  spare: number;
  state: Rollout;
  steps: readonly Step[];
  /** Pods that all requests need together, at least 1. */
  replicas: number;
  /** `replicas` are those of both revisions: somebody else counts them. */
  isTotal: boolean;
  /** The number of pods follows the load: a candidate's pods come with its share. */
  isScaled: boolean;
  /** No weight moves: the rollout is paused. */
  isHeld: boolean;
  /** Pods that the candidate needs for the requests that it gets, where that is known. */
  demand: number;
  ready: { stable: number; candidate: number };
  applied: Applied;
  /** Every router follows the table that `applied` is about; true where the candidate has no part in it. */
  isFollowed: boolean;
};

/**
 * Pods that a share of the requests needs. Weights are whole percents, so that a share that is rounded up by less than one asks for no
 * pod more. Worked: 4 pods, 30 % → 2; 3 pods, of which 2 have 67 % → 2.
 */
export const podsFor = (weight: number, replicas: number): number =>
  weight === 0 || weight === 100 ? (weight / 100) * replicas : Math.floor(((weight - 1) * replicas) / 100) + 1;

/** Pods that change hands at a time: one, or a percent of many, which is the least that a weight can move. */
const stepOf = (replicas: number): number => Math.max(1, Math.ceil(replicas / 100));

/**
 * A revision may be that many pods short of its share while pods change hands: where there is no room for those beside the others,
 * they have to go before theirs can come.
 */
export const shortageOf = ({ plan, replicas, spare }: Pick<Situation, "plan" | "replicas" | "spare">): number =>
  plan === "handover" && spare < stepOf(replicas) ? stepOf(replicas) : 0;

/** Pods that the candidate needs before the state goes on. */
export const neededPods = (
  situation: Pick<Situation, "plan" | "state" | "steps" | "replicas" | "isScaled">,
): number => {
  const { isScaled, plan, replicas, state, steps } = situation;
  const weight = "step" in state ? (steps[state.step]?.weight ?? 100) : 100;
  switch (plan) {
    case "surge":
      // without weight it gets copies of requests, perhaps of all
      return isScaled && weight > 0 ? Math.max(1, Math.ceil((weight * replicas) / 100)) : replicas;
    case "swap":
      return state.phase === "preparing" || state.phase === "shifting" ? 0 : replicas;
    case "handover":
      // the last pod of stable goes when the new revision is stable
      return Math.min(Math.max(Math.ceil((weight * replicas) / 100), 1), Math.max(replicas - 1, 1));
  }
};

/** Who has what next. */
export const assign = (situation: Situation): Assignment => {
  const { plan, replicas: all, state } = situation;
  if (state.phase === "rejected") return onlyOne({ replicas: all, weight: 100 }, { replicas: 0, weight: 0 });
  if (state.phase === "promoted") return onlyOne({ replicas: 0, weight: 0 }, { replicas: all, weight: 100 });
  if (plan === "swap") return swap(situation);
  const weight = candidateWeight(situation);
  const replicas = plan === "surge" ? surge(situation) : handover(situation);
  const isStep = "step" in state && (state.phase !== "preparing" || state.step > 0);
  return {
    stable: { replicas: replicas.stable, weight: 100 - weight },
    candidate: { replicas: replicas.candidate, weight },
    isRouted: weight > 0 || isStep || state.phase === "finishing",
    isAlone: false,
  };
};

const onlyOne = (stable: Part, candidate: Part): Assignment => ({
  ...{ stable, candidate },
  isRouted: candidate.weight > 0,
  isAlone: false,
});

/** The table comes first: requests wait for the new pods before the old ones leave. */
const swap = ({ replicas, state }: Situation): Assignment => {
  const isBefore = state.phase === "preparing";
  // stable keeps its pods until the routers follow
  const hasMoved = !isBefore && state.phase !== "shifting";
  const weight = isBefore ? 0 : 100;
  return {
    stable: { replicas: hasMoved ? 0 : replicas, weight: 100 - weight },
    candidate: { replicas: hasMoved ? replicas : 0, weight },
    isRouted: !isBefore,
    isAlone: !isBefore,
  };
};

type Counts = { stable: number; candidate: number };

/** Where room is not known, one pod at a time: the scheduler's refusal of it tells. */
const surge = (situation: Situation): Counts => {
  const { applied, demand, ready, replicas, spare } = situation;
  const needed = Math.max(neededPods(situation), demand);
  const next = ready.candidate + Math.max(1, spare);
  const kept = Math.min(applied.candidate, podsFor(applied.weight, replicas));
  // a pod that is not ready for a moment is none that was never asked for
  return { stable: replicas, candidate: Math.max(kept, Math.min(needed, Math.max(next, applied.candidate))) };
};

/**
 * As many pods change hands at a time as there is room for beside stable's, or one; and no more than the weight that the routers
 * follow allows stable to miss. Worked, no room: 4 pods, a step of 50 %: 3 and 1 at 0 %; once that one is ready 25 %; once the
 * routers follow 2 and 2; then 50 %.
 */
const handover = (situation: Situation): Counts => {
  const { applied, isFollowed, isTotal, ready, replicas, spare } = situation;
  // a revision with a share has a pod, also where one pod is all that requests need
  const all = Math.max(isTotal ? replicas : replicas + spare, 2);
  const needed = neededPods(situation);
  const own = Math.min(podsFor(applied.weight, replicas), all - 1);
  const moved = replicas - podsFor(100 - applied.weight, replicas);
  const step = Math.min(
    ready.candidate + Math.max(stepOf(replicas), spare),
    moved + Math.max(spare, shortageOf(situation)),
  );
  const candidate = Math.max(1, own, Math.min(needed, step));
  const stable = Math.max(1, Math.min(replicas, all - candidate));
  if (isFollowed) return { stable, candidate };
  // until the routers follow, no pod is taken that requests may still go to
  const kept = Math.max(1, Math.min(applied.candidate, replicas, all - 1));
  return { stable: Math.max(1, Math.min(applied.stable, replicas), Math.min(stable, all - kept)), candidate: kept };
};

/** The table's share. In a handover it follows the pods, so that neither revision gets requests that it has no pods for. */
const candidateWeight = (situation: Situation): number => {
  const { applied, isHeld, plan, ready, replicas, state, steps } = situation;
  const byPods = Math.floor((100 * Math.min(ready.candidate, applied.candidate)) / replicas);
  switch (state.phase) {
    case "preparing": {
      const before = weightOf(state, steps);
      const target = steps[state.step]?.weight ?? before;
      if (plan === "surge") return Math.min(before, target);
      const moved = isHeld ? applied.weight : Math.max(applied.weight, byPods);
      return Math.max(before, Math.min(target, moved));
    }
    case "finishing":
      if (isHeld) return applied.weight;
      // stable answers nobody: whoever answers gets all
      if (state.by === "rescue") return ready.candidate > 0 ? 100 : ready.stable > 0 ? 0 : applied.weight;
      return plan === "surge" ? applied.weight : Math.max(applied.weight, Math.min(99, byPods));
    default:
      return weightOf(state, steps);
  }
};

/**
 * The way back of a revision that another one is wanted instead of, while it has pods that stable needs: its share goes to stable as
 * stable's pods come back. Undefined: it is over, and stable has all.
 */
export const giveBack = (
  situation: Pick<Situation, "plan" | "spare" | "replicas" | "isTotal" | "ready" | "applied" | "isFollowed">,
): Pick<Assignment, "stable" | "candidate"> | undefined => {
  const { applied, isFollowed, isTotal, plan, ready, replicas, spare } = situation;
  if (plan === "swap")
    return ready.stable > 0 && applied.candidate === 0
      ? undefined
      : { stable: { replicas, weight: 100 }, candidate: { replicas: 0, weight: 0 } };
  const back = Math.min(100, Math.floor((100 * (ready.stable + shortageOf(situation))) / replicas));
  // a candidate that has no pods any more gives back what it cannot serve
  const weight = ready.candidate === 0 ? 0 : Math.min(applied.weight, 100 - back);
  // where neither serves, whatever is wanted next may
  const mayEnd = ready.stable > 0 || ready.candidate === 0;
  if (weight === 0 && applied.weight === 0 && isFollowed && mayEnd) return undefined;
  const all = Math.max(isTotal ? replicas : replicas + spare, 2);
  const own = isFollowed
    ? Math.min(applied.candidate, Math.max(1, podsFor(applied.weight, replicas)))
    : applied.candidate;
  const stable = Math.max(Math.min(applied.stable, replicas), Math.min(replicas, all - own));
  return { stable: { replicas: stable, weight: 100 - weight }, candidate: { replicas: own, weight } };
};
