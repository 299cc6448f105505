/** What the routers have counted of a ModelDeployment, as they say it. */

export type PodCounts = { requests: number; errors: number; buckets: readonly number[] };

export type Pairs = { compared: number; disagreed: number };

/**
 * What came of copies of requests: stable's answer compared with the canary's, and with stable's own to the same request; copies that
 * the canary failed to answer; those whose answers nobody can compare; and what was wrong with the last one of other tensors, or none.
 */
export type ShadowCounts = {
  canary: Pairs;
  self: Pairs;
  failed: number;
  incomparable: number;
  reason?: string | undefined;
};

/** Of one router since it was started; `id` names it and its start, which was at `startedAt` (ms since 1970). */
export type RouterCounts = {
  id: string;
  startedAt: number;
  revisions: Readonly<Record<string, Readonly<Record<string, PodCounts>>>>;
  shadow: ShadowCounts;
};
