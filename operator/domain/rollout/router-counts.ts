/** What the routers have counted of a ModelDeployment, as they say it. */
import type { LossesOfArms } from "./evidence/arms.ts";

export type PodCounts = { requests: number; errors: number; buckets: readonly number[] };

export type Pairs = { compared: number; disagreed: number };

/**
 * What came of copies of requests: stable's answer compared with the canary's, and with stable's own to the same request; copies that
 * the canary failed to answer; those whose answers nobody can compare; and what was wrong with the last one of other tensors, or none.
 * `losses`: of the pairs since an answer had lost its numbers; a router of an earlier version does not say.
 */
export type ShadowCounts = {
  canary: Pairs;
  self: Pairs;
  losses?: LossesOfArms | undefined;
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
