/**
 * Where the pods of a new revision find room, and how many pods each of the two has meanwhile. Pure.
 *
 *   surge      all pods of the new revision beside all of the stable one's
 *   handover   the stable one gives its pods up, one after the other, as the new one's are ready
 *   swap       the stable one's go first; requests are held until the new one's are ready
 */
import type { Rollout } from "./machine.ts";
import type { Strategy } from "./settings.ts";
import type { Step } from "./steps.ts";

export type Plan = "surge" | "handover" | "swap";

export type Situation = {
  /** `spec.rollout.capacity`. */
  wanted: "auto" | Plan;
  strategy: Strategy;
  /** Of the stable revision, at least 1. */
  replicas: number;
  /** Pods of the new revision that the nodes would take beside what they have; undefined: that is not known. */
  fits: number | undefined;
  /** From its node to ready, what a pod of stable has taken; undefined: that is not known. Milliseconds. */
  startMs: number | undefined;
  /** `spec.traffic.queue.maxWait`. */
  maxWaitMs: number;
  /** A pod of somebody else that waits for the same resources, and would have them before ours has. */
  rival: string | undefined;
  /** `replicas` are those of both revisions together: somebody else says how many there are. */
  isTotal?: boolean;
};

/** `spare`: pods that fit beside stable's. `readyWithinMs`: of a swap; after that there is just time for the way back. */
export type Chosen = { plan: Plan; why: string; spare: number; readyWithinMs?: number };

/** A pod that starts for the second time on a node may take a little longer. */
const SLACK = 1.25;

/** Before anything is created. */
export const choosePlan = (situation: Situation): Chosen => {
  const { fits, isTotal, maxWaitMs, replicas, rival, startMs, strategy, wanted } = situation;
  const spare = Math.min(fits ?? replicas, replicas);
  const back = startMs === undefined ? maxWaitMs / 2 : Math.min(startMs * SLACK, maxWaitMs / 2);
  const swap = (why: string): Chosen => ({ plan: "swap", why, spare: 0, readyWithinMs: Math.round(maxWaitMs - back) });
  if (wanted === "swap") return swap("spec.rollout.capacity");
  if (wanted !== "auto")
    return { plan: wanted, why: "spec.rollout.capacity", spare: wanted === "surge" ? replicas : spare };
  if (isTotal && strategy === "canary" && replicas > 1)
    return { plan: "handover", why: "spec.replicas is the number of pods of both revisions", spare: 0 };
  const surge = (why: string): Chosen => ({ plan: "surge", why, spare: replicas });
  if (fits === undefined) return surge("what the nodes have left is not known");
  if (fits >= replicas) return surge(`there is room for ${replicas} more`);
  const lack = `there is room for ${fits} of ${replicas} more`;
  if (strategy === "canary" && replicas > 1) return { plan: "handover", why: lack, spare };
  if (strategy === "shadow" || replicas > 1)
    return surge(`${lack}; strategy ${strategy} needs both revisions whole, and waits for it`);
  if (rival !== undefined) return surge(`${lack}; it waits, since ${rival} would take what stable gives up`);
  if (startMs === undefined) return surge(`${lack}; it waits, since it is not known how long a pod takes to start`);
  if (startMs * SLACK * 2 > maxWaitMs)
    return surge(
      `${lack}; it waits, since a start and the way back take ${seconds(startMs * SLACK * 2)}, more than requests are held (traffic.queue.maxWait, ${seconds(maxWaitMs)})`,
    );
  return swap(`${lack}, and a pod starts in ${seconds(startMs)}: requests are held meanwhile`);
};

const seconds = (ms: number): string => `${Math.ceil(ms / 1000)} s`;

/** Of a swap: nothing serves beside the new revision, so that only its pods can tell. */
export const SWAP_STEPS: readonly Step[] = [{ weight: 100, pause: false, proof: "health" }];

export type Replicas = { stable: number; canary: number };

/**
 * What the rollout needs of the new revision in this state, before it goes on.
 *
 * @param isScaled the number of pods follows the load: then its pods come with its weight
 */
export const neededPods = (
  { plan }: { plan: Plan },
  state: Rollout,
  steps: readonly Step[],
  replicas: number,
  isScaled: boolean,
): number => {
  switch (plan) {
    case "surge": {
      const weight = "step" in state ? (steps[state.step]?.weight ?? 100) : 100;
      // without weight it gets copies of requests, perhaps of all
      return isScaled && weight > 0 ? Math.max(1, Math.ceil((replicas * weight) / 100)) : replicas;
    }
    case "swap":
      return state.phase === "preparing" || state.phase === "shifting" ? 0 : replicas;
    case "handover": {
      const weight = "step" in state ? (steps[state.step]?.weight ?? 100) : 100;
      // the last pod of stable goes when the new revision is stable
      return Math.min(Math.max(Math.ceil((replicas * weight) / 100), 1), Math.max(replicas - 1, 1));
    }
  }
};

/**
 * The replicas to have next. A handover moves as many pods at a time as there is spare room, so that none is missing, and one where
 * there is none: 4 pods, none spare, a step of 50 %: 3 and 1, and once that one is ready, 2 and 2.
 *
 * @param ready pods of the new revision
 */
export const nextReplicas = (
  chosen: Pick<Chosen, "plan" | "spare">,
  needed: number,
  replicas: number,
  ready: number,
): Replicas => {
  switch (chosen.plan) {
    case "surge":
      return { stable: replicas, canary: needed };
    case "swap":
      return { stable: needed === 0 ? replicas : 0, canary: needed };
    case "handover": {
      const canary = Math.min(needed, ready + Math.max(1, chosen.spare));
      return { stable: Math.min(replicas, replicas + chosen.spare - canary), canary };
    }
  }
};

/** A handover moves the weight with the pods once the steps are done; `atLeast`: that of the last step. In percent. */
export const movedWeight = (atLeast: number, ready: number, replicas: number): number =>
  Math.max(atLeast, Math.min(99, Math.floor((100 * ready) / replicas)));
