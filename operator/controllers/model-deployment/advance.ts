/** A trial's next step, from what a pass has found out about it. Pure. */
import { findCondition, isScaled } from "../../api/v1alpha1/index.ts";
import type { Cause } from "../../domain/diagnosis/cause.ts";
import { neededPods } from "../../domain/rollout/assignment.ts";
import { choosePlan, type Situation as Room, SWAP_STEPS } from "../../domain/rollout/capacity.ts";
import type { Verdict } from "../../domain/rollout/evidence/verdict.ts";
import { type Command, next, type Rollout } from "../../domain/rollout/machine.ts";
import { type Capacity, isTotal } from "./applied.ts";
import type { Fault } from "./faults.ts";
import {
  availableOf,
  deadlineOf,
  deploymentOf,
  isAvailable,
  isReachable,
  lacksRoom,
  placedOf,
  podsOf,
  progressMs,
  routedPort,
  unreadySince,
} from "./findings.ts";
import type { Observed } from "./observed.ts";
import { pinOf } from "./pin.ts";
import { holdersOf, roomFor, sharedRoom } from "./shared-room.ts";
import type { Acknowledged } from "./traffic.ts";
import { assigned, type Trial } from "./trial.ts";
import { UNSCALED } from "./trial-words.ts";

/** What a pass has found out about it. */
export type Findings = {
  acknowledged: Acknowledged;
  verdict: Verdict | undefined;
  isSplitRight: boolean;
  /** What keeps its pods from being ready, and whose fault that is. */
  cause: Cause | undefined;
  fault: Fault;
  /** Its pods answer with more than errors, as far as anybody has asked them. */
  isAnswering: boolean;
  isStableBroken: boolean;
  command: Command | undefined;
};

/** One step on. It waits for the steps and the capacity, and for the routers to be in the clients' way. */
export const advance = (trial: Trial, observed: Observed, findings: Findings, now: number): Trial => {
  const { acknowledged, cause, command, fault, isAnswering, isSplitRight, isStableBroken, verdict } = findings;
  const { capacity, revision, settings, steps = [] } = trial;
  const { isPaused, maxMs, minMs, onInconclusive } = settings;
  const isSwap = capacity?.plan === "swap";
  const isServing = availableOf(observed, revision) > 0;
  const isOut = isSwap && !isServing && hasMoved(trial.state);
  const isLate = isOut && now >= (swapDeadlineOf(trial, observed, now) ?? Number.POSITIVE_INFINITY);
  const fatal = fault === "revision" && cause !== undefined ? `${cause.reason}: ${cause.message}` : undefined;
  const state = next(trial.state, {
    ...{ now, minMs, maxMs, onInconclusive, isSplitRight, verdict, steps, isSwap, isStableBroken },
    isReady: trial.steps !== undefined && isReadyFor(trial, trial.state, observed, fault, now),
    isComplete: isReadyFor(trial, { phase: "finishing", by: "evidence" }, observed, fault, now),
    isServing: isServing && isAnswering,
    isSwapRoomless: isLate && fault === "cluster",
    isAcknowledged: acknowledged === true,
    isPausedBySpec: isPaused,
    ...(fatal === undefined ? {} : { fatal }),
    ...(command === undefined ? {} : { command }),
  });
  const isHeld = command === "pause" && (state.phase === "preparing" || state.phase === "finishing");
  const isBack = isLate && fault === "cluster" && state.phase === "preparing" && capacity !== undefined;
  const after = isBack
    ? { ...capacity, retryAt: now + progressMs(observed), ...(isUnscaled(trial, observed) ? { why: UNSCALED } : {}) }
    : withoutRetry(capacity, state);
  return assigned({ ...trial, state, isHeld, capacity: after }, observed, acknowledged, now);
};

const withoutRetry = (capacity: Trial["capacity"], { phase }: Rollout): Trial["capacity"] => {
  if (capacity === undefined || phase === "preparing") return capacity;
  const { retryAt: _, why, ...rest } = capacity;
  return { ...rest, why: why === UNSCALED ? "spec.rollout.capacity" : why };
};

/** Its Deployment was never asked for the pods: that write is not taken. */
const isUnscaled = ({ capacity, revision }: Trial, observed: Observed): boolean =>
  (deploymentOf(observed, revision)?.spec?.replicas ?? 0) < (capacity?.canary ?? 0);

/** Its share is in the table, or about to be: in a swap, stable's pods are gone. */
const hasMoved = (state: Rollout): boolean => state.phase === "observing" || state.phase === "paused";

/**
 * It has the pods that the state needs. Where it gets all requests already, what the cluster has no room for is none of its faults:
 * waiting for more pods would change nothing for a client.
 */
const isReadyFor = (
  { assignment, capacity, revision, state: now, steps = [] }: Trial,
  state: Rollout,
  observed: Observed,
  fault: Fault,
  time: number,
): boolean => {
  if (capacity === undefined || time < (capacity.retryAt ?? 0)) return false;
  const isRescue = now.phase === "finishing" && now.by === "rescue";
  // whoever takes over from a stable revision that answers nobody needs no router for it
  if (routedPort(observed) === undefined && !isRescue) return false;
  if (!isReachable(observed, revision)) return false;
  const { plan } = capacity;
  const situation = { plan, state, steps, ...sharedRoom(capacity, observed) };
  const needed = neededPods({ ...situation, isScaled: isScaled(observed.modelDeployment.spec) });
  const available = availableOf(observed, revision);
  const hasAll = hasAllRequests(observed, revision.name) || (assignment?.candidate.weight ?? 0) === 100;
  if (hasAll && available > 0 && fault === "cluster") return true;
  return capacity.canary >= needed && available >= needed;
};

const hasAllRequests = ({ modelDeployment }: Observed, revision: string): boolean =>
  modelDeployment.status?.traffic?.routes.some((route) => route.revision === revision && route.weight === 100) === true;

/**
 * The scheduler refuses pods that were to have room beside stable's. Before anything was moved any other plan may do; later,
 * stable's pods make room one by one. A swap that found no room is planned anew when its time has come.
 */
export const mustPlanAgain = (
  { capacity, revision, settings, state }: Trial,
  observed: Observed,
  now: number,
): boolean => {
  if (capacity === undefined) return false;
  if (isBesideTotal(capacity, settings, observed) && roomFor(observed, revision, now) > 1) return true;
  if (settings.capacity !== "auto") return false;
  if (capacity.retryAt !== undefined) return now >= capacity.retryAt;
  const isFirst = state.phase === "preparing" && state.step === 0;
  const isGrowing = state.phase === "preparing" || state.phase === "finishing";
  if (!lacksRoom(observed, revision)) return false;
  if (capacity.plan === "handover") return isFirst && roomFor(observed, revision, now) <= 1;
  return (
    capacity.plan === "surge" && (isFirst || (isGrowing && settings.strategy === "canary" && observed.replicas > 1))
  );
};

/** Somebody else has come to count more than one pod, and none comes on top of those. */
const isBesideTotal = ({ plan }: Capacity, { capacity, strategy }: Trial["settings"], observed: Observed): boolean =>
  plan === "surge" && isTotal(observed) && strategy === "canary" && capacity !== "swap" && observed.replicas > 1;

/** Where its pods find room: when it begins, and again where the scheduler says otherwise. */
export const planned = (
  trial: Trial,
  observed: Observed,
  room: Omit<Room, "isTotal" | "replicas" | "strategy" | "wanted">,
  now: number,
): Trial => {
  const { capacity: before, revision, settings } = trial;
  const replicas = roomFor(observed, revision, now);
  // what the scheduler has refused is known, whatever else is not
  const refused =
    before !== undefined && lacksRoom(observed, revision) ? placedOf(observed, revision).length : undefined;
  const fits = refused === undefined ? room.fits : Math.min(refused + (room.fits ?? 0), replicas - 1);
  const chosen = choosePlan({
    ...{ ...room, fits, replicas, strategy: settings.strategy, wanted: settings.capacity },
    isTotal: isTotal(observed),
  });
  const { retryAt: _, ...kept } = before ?? { stable: replicas, canary: 0, since: now };
  if (before?.plan === chosen.plan) return { ...trial, capacity: { ...kept, ...chosen } };
  const own = before?.plan === "swap" ? settings.steps : trial.steps;
  const steps = chosen.plan === "swap" ? SWAP_STEPS : own;
  const begun: Capacity = { ...chosen, stable: kept.stable, canary: kept.canary, since: now };
  if (chosen.plan !== "handover") return { ...trial, steps, capacity: begun };
  const isFull = replicas < observed.replicas;
  const placed = isFull ? replicas + chosen.spare : holdersOf(observed, revision).length;
  return { ...trial, steps, capacity: { ...begun, placed, ...(isFull ? { fullSince: now } : {}) } };
};

/**
 * When (ms since 1970) a canary that is not ready is given up on: while its pods are made for a step, and later where none of them
 * is ready. After the first readiness the deadline restarts whenever a pod becomes unready.
 */
const trialDeadlineOf = ({ revision, state }: Trial, observed: Observed): number => {
  const deadline = deadlineOf(observed, revision) ?? Number.POSITIVE_INFINITY;
  // it is pinned with its first pod that is ready
  return state.phase === "preparing" && state.step === 0 && pinOf(observed, revision) === undefined
    ? deadline
    : Math.max(deadline, unreadySince(observed, revision) + progressMs(observed));
};

/** It has had its time. More load than pods is no fault: once requests were moved, one pod that is ready is enough. */
export const isOverdue = (trial: Trial, observed: Observed, now: number): boolean => {
  const { phase } = trial.state;
  const isMissing =
    phase === "preparing" || phase === "finishing"
      ? !isAvailable(observed, trial.revision)
      : availableOf(observed, trial.revision) === 0;
  if (!isMissing) return false;
  const swapDeadline = swapDeadlineOf(trial, observed, now) ?? Number.POSITIVE_INFINITY;
  return now >= Math.min(trialDeadlineOf(trial, observed), swapDeadline);
};

/** When (ms since 1970) stable's pods are brought back, if none of the pods that have taken their place is ready by then. */
export const swapDeadlineOf = (
  { capacity, revision, state }: Trial,
  observed: Observed,
  now: number,
): number | undefined => {
  const { readyWithinMs } = capacity ?? {};
  if (readyWithinMs === undefined || (state.phase !== "observing" && state.phase !== "paused")) return undefined;
  if (availableOf(observed, revision) > 0) return undefined;
  const since = podsOf(observed, revision).length > 0 ? unreadySince(observed, revision) : goneSince(observed, now);
  return Math.max(state.since, since) + readyWithinMs;
};

/** Since when (ms since 1970) whoever gets all requests has no pod that is ready, where no pod is left to tell: by the status, which outlives a leader. */
const goneSince = ({ modelDeployment: { status } }: Observed, now: number): number => {
  const available = findCondition(status?.conditions, "Available");
  if (available?.status === "True" && available.reason === "Serving") return now;
  return Date.parse(available?.lastTransitionTime ?? "") || 0;
};
