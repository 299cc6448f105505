/** From what the routers have counted to an interval of the evidence. Pure. */

import { addPairs, type Interval, NO_LOSSES, NO_PAIRS, type Pairs, type PodCounts } from "./evidence/arms.ts";
import type { PodCounts as Counts, RouterCounts, ShadowCounts } from "./router-counts.ts";

/** What was seen of each router when it was last asked. */
export type Known = Readonly<Record<string, RouterCounts>>;

/** `since`: when the counting began (ms since 1970): what a router counted before is no part of it. */
export type Counting = { since: number; known: Known };

/** Copies whose answers could not be compared; `reason`: what the last one that differs in more than its numbers lacked. */
export type Incomparable = { count: number; reason: string | undefined };

/** Of the routers that do not answer now, so many are remembered: they may answer again. Others are gone for good. */
const MOST_SILENT = 4;

export const startCounting = (now: number, counts: readonly RouterCounts[]): Counting => ({
  since: now,
  known: Object.fromEntries(counts.map((one) => [one.id, one])),
});

/** The last to be seen are the last in it. */
const seen = (known: Known, counts: readonly RouterCounts[], arms: readonly string[]): Known => {
  const answered = new Set(counts.map(({ id }) => id));
  const silent = Object.entries(known).filter(([id]) => !answered.has(id));
  const now = counts.map((one) => [one.id, ofArms(one, arms)] as const);
  return Object.fromEntries([...silent.slice(-MOST_SILENT), ...now]);
};

/** Nothing else is compared. What has no request counts as what is not there. */
const ofArms = (counts: RouterCounts, arms: readonly string[]): RouterCounts => {
  const revisions = Object.entries(counts.revisions).flatMap(([revision, pods]) => {
    if (!arms.includes(revision)) return [];
    const used = Object.entries(pods).filter(([, { requests }]) => requests > 0);
    return [[revision, Object.fromEntries(used)] as const];
  });
  return { ...counts, revisions: Object.fromEntries(revisions) };
};

/** A pod may be called `constructor`. */
const own = <T>(of: Readonly<Record<string, T>> | undefined, name: string): T | undefined =>
  of !== undefined && Object.hasOwn(of, name) ? of[name] : undefined;

/**
 * What was counted since the routers were last asked. A router that did not answer then is asked for both times together; one that
 * is seen for the first time, and was there before the counting began, only begins to count.
 */
export const countOn = (
  { known, since }: Counting,
  counts: readonly RouterCounts[],
  arms: { stable: string; canary: string },
): { counting: Counting; interval: Required<Interval>; incomparable: Incomparable } => {
  const grown = counts.flatMap((now): { before: RouterCounts | undefined; now: RouterCounts }[] => {
    const before = own(known, now.id);
    return before === undefined && now.startedAt < since ? [] : [{ before, now }];
  });
  const armOf = (revision: string): PodCounts[] => {
    const pods = new Map<string, PodCounts>();
    for (const { before, now } of grown)
      for (const [pod, counted] of Object.entries(own(now.revisions, revision) ?? {})) {
        const sum = added(pods.get(pod), pod, difference(own(own(before?.revisions, revision), pod), counted));
        if (sum.requests > 0) pods.set(pod, sum);
      }
    return [...pods.values()];
  };
  const sumOf = (count: (shadow: ShadowCounts) => number): number =>
    grown.reduce((sum, { before, now }) => sum + grownBy(before && count(before.shadow), count(now.shadow)), 0);
  // a copy that the canary failed to answer disagrees with stable, which has
  const failed = sumOf((shadow) => shadow.failed);
  const pairs: Pairs = {
    compared: sumOf(({ canary }) => canary.compared) + failed,
    disagreed: sumOf(({ canary }) => canary.disagreed) + failed,
  };
  const self: Pairs = {
    compared: sumOf((shadow) => shadow.self.compared),
    disagreed: sumOf((shadow) => shadow.self.disagreed),
  };
  const lossesOf = (of: "canary" | "self") => ({
    compared: sumOf(({ losses = NO_LOSSES }) => losses[of].compared),
    lost: sumOf(({ losses = NO_LOSSES }) => losses[of].lost),
  });
  const losses = { canary: lossesOf("canary"), self: lossesOf("self") };
  const incomparable = sumOf((shadow) => shadow.incomparable);
  const isNew = pairs.disagreed > 0 || incomparable > 0;
  const reason = isNew ? counts.find(({ shadow }) => shadow.reason !== undefined)?.shadow.reason : undefined;
  return {
    counting: { since, known: seen(known, counts, [arms.stable, arms.canary]) },
    interval: { stable: armOf(arms.stable), canary: armOf(arms.canary), pairs, self, losses },
    incomparable: { count: incomparable, reason },
  };
};

/** A count that has become smaller began again: what it is now has all come since. */
const grownBy = (before: number | undefined, now: number): number =>
  before === undefined || now < before ? now : now - before;

const difference = (before: Counts | undefined, now: Counts): Counts => {
  const began = before === undefined || now.requests < before.requests ? undefined : before;
  return {
    requests: grownBy(began?.requests, now.requests),
    errors: grownBy(began?.errors, now.errors),
    buckets: now.buckets.map((count, i) => grownBy(began?.buckets[i], count)),
  };
};

const added = (before: PodCounts | undefined, pod: string, more: Counts): PodCounts => ({
  pod,
  requests: (before?.requests ?? 0) + more.requests,
  errors: (before?.errors ?? 0) + more.errors,
  buckets: more.buckets.map((count, i) => count + (before?.buckets[i] ?? 0)),
});

/** All that was counted in a rollout, for people to read. */
export type Totals = { stable: ArmTotals; canary: ArmTotals; pairs: Pairs; self: Pairs; incomparable: Incomparable };
export type ArmTotals = { requests: number; errors: number };

export const NO_TOTALS: Totals = {
  stable: { requests: 0, errors: 0 },
  canary: { requests: 0, errors: 0 },
  pairs: NO_PAIRS,
  self: NO_PAIRS,
  incomparable: { count: 0, reason: undefined },
};

export const addTo = (
  totals: Totals,
  { canary, pairs, self, stable }: Required<Omit<Interval, "losses">>,
  { count, reason }: Incomparable,
): Totals => {
  const sum = (before: ArmTotals, pods: readonly PodCounts[]): ArmTotals =>
    pods.reduce(
      ({ errors, requests }, pod) => ({ requests: requests + pod.requests, errors: errors + pod.errors }),
      before,
    );
  return {
    stable: sum(totals.stable, stable),
    canary: sum(totals.canary, canary),
    pairs: addPairs(totals.pairs, pairs),
    self: addPairs(totals.self, self),
    incomparable: {
      count: totals.incomparable.count + count,
      reason: reason ?? totals.incomparable.reason,
    },
  };
};

/**
 * Whether the requests of the two arms fit a canary's weight (percent): within four standard deviations of what chance does, and
 * one percent of the requests. Clients whose requests cannot be replayed stay on stable and are not in these counts.
 */
export const fitsWeight = ({ canary, stable }: Totals, weight: number): boolean => {
  const all = canary.requests + stable.requests;
  const share = weight / 100;
  const allowed = 4 * Math.sqrt(all * share * (1 - share)) + 0.01 * all;
  return Math.abs(canary.requests - all * share) <= allowed;
};
