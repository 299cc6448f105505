/** What came of shadowed requests, in plain numbers. */

/** Pairs of answers that could be compared, and those that did not say the same. */
export type PairCounts = { compared: number; disagreed: number };

/** Pairs, and those of them whose second answer has lost its numbers: NaN or infinity where the first has a number, or nothing that can be read. */
export type LossCounts = { compared: number; lost: number };

export type ShadowCounters = {
  /** Stable's answer and the canary's. */
  canary: PairCounts;
  /** Stable's answer and stable's own to the same request: what disagrees here is chance in the model. */
  self: PairCounts;
  /** Of those, the ones that were chosen after the first loss of the two revisions, when half of the copies go to stable again. */
  losses: { canary: LossCounts; self: LossCounts };
  /** Disagreements by output, as far as there are not too many. */
  outputs: Map<string, number>;
  /** Stable had answered, and the canary did not, or with an error. */
  failed: number;
  /**
   * Requests that were to be copied and were not, for want of memory or of room on the canary; which it was too busy to answer; or
   * which did not reach it.
   */
  dropped: number;
  /** Stable's answer cannot be read, or a tolerance does not fit it: no evidence. Where the canary's alone cannot be read, they disagree. */
  incomparable: number;
  /** Of the last answer that could not be compared, or was of other tensors: these disagree. */
  reason: string | undefined;
};

export const createShadowCounters = (): ShadowCounters => ({
  canary: { compared: 0, disagreed: 0 },
  self: { compared: 0, disagreed: 0 },
  losses: { canary: { compared: 0, lost: 0 }, self: { compared: 0, lost: 0 } },
  outputs: new Map(),
  failed: 0,
  dropped: 0,
  incomparable: 0,
  reason: undefined,
});
