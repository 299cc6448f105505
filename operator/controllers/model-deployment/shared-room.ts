/** How many pods both revisions of a handover have nodes for, where requests need more. Pure. */

import type { Situation } from "../../domain/rollout/assignment.ts";
import type { Pod } from "../../platform/kube/objects.ts";
import type { Capacity } from "./applied.ts";
import { lacksRoomForLong, MAKING_ROOM_MS, placedOf, stableByStatus } from "./findings.ts";
import type { Observed } from "./observed.ts";
import type { Revision } from "./revision.ts";

/** Nothing tells that nodes have come: the pods that requests need are asked for again so often, for as long as it takes to see. */
const ASK_AGAIN_MS = 300_000;

/** Pods of both that have a node, and with it what they want of it; those that leave hold it for a while. */
export const holdersOf = (observed: Observed, revision: Revision): Pod[] => {
  const stable = stableByStatus(observed);
  return [...(stable === undefined ? [] : placedOf(observed, stable)), ...placedOf(observed, revision)];
};

/**
 * Pods that requests need, or those of both revisions that have a node, where pods have found none for long: a share of what there is
 * room for is what a rollout can have.
 */
export const roomFor = (observed: Observed, revision: Revision, now: number): number => {
  const replicas = Math.max(1, observed.replicas);
  const stable = stableByStatus(observed);
  const isShort = [stable, revision].some((one) => one !== undefined && lacksRoomForLong(observed, one, now));
  return isShort ? Math.max(1, Math.min(replicas, holdersOf(observed, revision).length)) : replicas;
};

/**
 * The same capacity, with what was learnt of its room. No pod waits while only as many are asked for as have had a node, so that the
 * number is remembered. What stable lacks is not there; what only the new revision lacks may be what stable has just given up for it.
 */
export const withRoom = (capacity: Capacity, observed: Observed, revision: Revision, now: number): Capacity => {
  if (capacity.plan !== "handover") return capacity;
  const { fullSince, placed: before = capacity.stable + capacity.canary, ...rest } = capacity;
  const stable = stableByStatus(observed);
  const isStableShort = stable !== undefined && lacksRoomForLong(observed, stable, now);
  const isShort = isStableShort || lacksRoomForLong(observed, revision, now);
  const holders = holdersOf(observed, revision);
  const staying = holders.filter(({ metadata }) => metadata.deletionTimestamp === undefined).length;
  // pods that are asked for no more leave within that time
  const isLess = isStableShort && now - (fullSince ?? 0) >= MAKING_ROOM_MS;
  const placed = isLess ? Math.max(1, holders.length) : Math.max(before, staying);
  const isKnown = fullSince !== undefined && now - fullSince < ASK_AGAIN_MS;
  const since = isKnown ? fullSince : isShort ? now : undefined;
  const isFull = since !== undefined && placed < Math.max(1, observed.replicas) + capacity.spare;
  return { ...rest, placed, ...(isFull ? { fullSince: since } : {}) };
};

/** When (ms since 1970) the pods that found no node are asked for again. */
export const askedAgainAt = (capacity: Capacity | undefined): number | undefined =>
  capacity?.fullSince === undefined ? undefined : capacity.fullSince + ASK_AGAIN_MS;

/** Pods that requests can have of both revisions together, and those of them that fit beside all of stable's. */
export const sharedRoom = (
  { fullSince, placed, spare }: Capacity,
  { replicas }: Pick<Observed, "replicas">,
): Pick<Situation, "replicas" | "spare"> => {
  const needed = Math.max(1, replicas);
  if (fullSince === undefined || placed === undefined) return { replicas: needed, spare };
  // what was free when the rollout began may have been taken since
  return { replicas: Math.max(1, Math.min(needed, placed)), spare: Math.max(0, Math.min(spare, placed - needed)) };
};
