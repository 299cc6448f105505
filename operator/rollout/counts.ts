/** From what the routers have counted to an interval of the evidence. Pure. */
import type { PodCounts as Counts, RouterCounts } from "../traffic/routers.ts";
import type { Interval, Pairs, PodCounts } from "./evidence/arms.ts";

/** What was seen of each router when it was last asked. */
export type Known = Readonly<Record<string, RouterCounts>>;

/** `since`: when the counting began (ms since 1970): what a router counted before is no part of it. */
export type Counting = { since: number; known: Known };

export const startCounting = (now: number, counts: readonly RouterCounts[]): Counting => ({
  since: now,
  known: Object.fromEntries(counts.map((one) => [one.id, one])),
});

/**
 * What was counted since the routers were last asked. A router that did not answer then is asked for both times together; one that
 * is seen for the first time, and was there before the counting began, only begins to count.
 */
export const countOn = (
  { known, since }: Counting,
  counts: readonly RouterCounts[],
  arms: { stable: string; canary: string },
): { counting: Counting; interval: Interval } => {
  const grown = counts.flatMap((now): { before: RouterCounts | undefined; now: RouterCounts }[] => {
    const before = known[now.id];
    return before === undefined && now.startedAt < since ? [] : [{ before, now }];
  });
  const armOf = (revision: string): PodCounts[] => {
    const pods = new Map<string, PodCounts>();
    for (const { before, now } of grown)
      for (const [pod, counted] of Object.entries(now.revisions[revision] ?? {})) {
        const sum = added(pods.get(pod), pod, difference(before?.revisions[revision]?.[pod], counted));
        if (sum.requests > 0) pods.set(pod, sum);
      }
    return [...pods.values()];
  };
  const pairs = grown.reduce<Pairs>(
    (sum, { before, now }) => ({
      compared: sum.compared + grownBy(before?.shadow.compared, now.shadow.compared),
      disagreed: sum.disagreed + grownBy(before?.shadow.disagreed, now.shadow.disagreed),
    }),
    { compared: 0, disagreed: 0 },
  );
  return {
    counting: { since, known: { ...known, ...Object.fromEntries(counts.map((one) => [one.id, one])) } },
    interval: { stable: armOf(arms.stable), canary: armOf(arms.canary), pairs },
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
export type Totals = { stable: ArmTotals; canary: ArmTotals; pairs: Pairs };
export type ArmTotals = { requests: number; errors: number };

export const NO_TOTALS: Totals = {
  stable: { requests: 0, errors: 0 },
  canary: { requests: 0, errors: 0 },
  pairs: { compared: 0, disagreed: 0 },
};

export const addTo = (totals: Totals, { canary, pairs, stable }: Interval): Totals => {
  const sum = (before: ArmTotals, pods: readonly PodCounts[]): ArmTotals =>
    pods.reduce(
      ({ errors, requests }, pod) => ({ requests: requests + pod.requests, errors: errors + pod.errors }),
      before,
    );
  return {
    stable: sum(totals.stable, stable),
    canary: sum(totals.canary, canary),
    pairs: {
      compared: totals.pairs.compared + pairs.compared,
      disagreed: totals.pairs.disagreed + pairs.disagreed,
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
