/**
 * Where the pods of a new revision find room. Pure. How many pods each of the two has meanwhile: `assignment.ts`.
 *
 *   surge      all pods of the new revision beside all of the stable one's
 *   handover   the stable one gives its pods up, one after the other, as the new one's are ready
 *   swap       the stable one's go first; requests are held until the new one's are ready
 */

import type { Step } from "./steps.ts";
import type { Plan, Strategy } from "./strategy.ts";

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
  /** No node would take the pod, were it empty: nothing that stable gives up helps. */
  isNowhere?: boolean;
  /** `replicas` are those of both revisions together: somebody else says how many there are. */
  isTotal?: boolean;
  /** Stable answers nobody, and its pods hold the room: nothing is lost when they go, for as long (ms) as the new ones may take. */
  brokenForMs?: number | undefined;
};

/** `spare`: pods that fit beside stable's. `readyWithinMs`: of a swap; after that there is just time for the way back. */
export type Chosen = { plan: Plan; why: string; spare: number; readyWithinMs?: number };

/** A pod that starts for the second time on a node may take a little longer. */
const SLACK = 1.25;

/** Before anything is created. */
export const choosePlan = (situation: Situation): Chosen => {
  const { brokenForMs, fits, isNowhere, isTotal, maxWaitMs, replicas, rival, startMs, strategy, wanted } = situation;
  const spare = Math.min(fits ?? replicas, replicas);
  const back = startMs === undefined ? maxWaitMs / 2 : Math.min(startMs * SLACK, maxWaitMs / 2);
  const swap = (why: string): Chosen => ({ plan: "swap", why, spare: 0, readyWithinMs: Math.round(maxWaitMs - back) });
  if (wanted === "swap") return swap("spec.rollout.capacity");
  // somebody else counts the pods: none comes on top
  if (isTotal && strategy === "canary" && replicas > 1)
    return { plan: "handover", why: "spec.replicas counts the pods of both revisions", spare: 0 };
  if (wanted !== "auto")
    return { plan: wanted, why: "spec.rollout.capacity", spare: wanted === "surge" ? replicas : spare };
  const surge = (why: string): Chosen => ({ plan: "surge", why, spare: replicas });
  // the scheduler tells, one pod after the other
  if (fits === undefined)
    return {
      plan: "surge",
      why: "the free capacity of the nodes is unknown: Berth asks for one pod at a time",
      spare: 0,
    };
  if (fits >= replicas) return surge(`there is room for ${replicas} more`);
  if (isNowhere === true)
    return { plan: "surge", why: "no node fits its pods, even without stable's: it waits for a node", spare: 0 };
  const lack = `there is room for ${fits} of ${replicas} more`;
  if (strategy === "canary" && replicas > 1) return { plan: "handover", why: lack, spare };
  if (brokenForMs !== undefined && rival === undefined)
    return { ...swap(`${lack}, and stable, which holds the rest, answers no request`), readyWithinMs: brokenForMs };
  if (strategy === "shadow" || replicas > 1)
    return surge(`${lack}; strategy ${strategy} needs all pods of both revisions, and waits for room`);
  if (rival !== undefined) return surge(`${lack}; it waits: ${rival} would be scheduled into the freed capacity`);
  if (startMs === undefined) return surge(`${lack}; it waits: the start time of a pod is unknown`);
  if (startMs * SLACK * 2 > maxWaitMs)
    return surge(
      `${lack}; it waits: startup plus rollback takes ${seconds(startMs * SLACK * 2)}, longer than requests may wait (spec.traffic.queue.maxWait, ${seconds(maxWaitMs)})`,
    );
  return swap(`${lack}, and a pod starts in ${seconds(startMs)}: the routers hold requests meanwhile`);
};

const seconds = (ms: number): string => `${Math.ceil(ms / 1000)} s`;

/** Of a swap: nothing serves beside the new revision, so that only its pods can tell. */
export const SWAP_STEPS: readonly Step[] = [{ weight: 100, pause: false, proof: "health" }];
