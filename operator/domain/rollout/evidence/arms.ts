/** What is counted: one interval of 10 s at the routers, per pod and arm. */

/** Requests that were held for capacity, replays and the warm-up are left out before. */
export type PodCounts = {
  pod: string;
  requests: number;
  /** Requests that the server answered with a 5xx, or not at all. */
  errors: number;
  /** Answered requests by latency: one bucket more than there are edges. */
  buckets: readonly number[];
};

/** Shadowed requests whose two answers were compared. */
export type Pairs = { compared: number; disagreed: number };

export const NO_PAIRS: Pairs = { compared: 0, disagreed: 0 };

export const addPairs = (one: Pairs, other: Pairs): Pairs => ({
  compared: one.compared + other.compared,
  disagreed: one.disagreed + other.disagreed,
});

/**
 * Pairs, and those of them whose second answer has lost its numbers: NaN or infinity where the first has a number, or nothing that can be
 * read.
 */
export type Losses = { compared: number; lost: number };

/** `self`: of stable with itself. */
export type LossesOfArms = { canary: Losses; self: Losses };

export const NO_LOSSES: LossesOfArms = { canary: { compared: 0, lost: 0 }, self: { compared: 0, lost: 0 } };

/**
 * `self`: stable's answers compared with stable's own to the same requests; absent where nobody asked it twice. `losses`: of pairs whose
 * shares were known before they were compared; absent where nothing was lost yet.
 */
export type Interval = {
  stable: readonly PodCounts[];
  canary: readonly PodCounts[];
  pairs: Pairs;
  self?: Pairs;
  losses?: LossesOfArms;
};

export const requestsOf = (pods: readonly PodCounts[]): number => pods.reduce((sum, { requests }) => sum + requests, 0);

export const errorsOf = (pods: readonly PodCounts[]): number => pods.reduce((sum, { errors }) => sum + errors, 0);

/** The buckets of all pods of an arm together. With a thousand pods they are sixty thousand numbers: nothing is made for each. */
export const bucketsOf = (pods: readonly Pick<PodCounts, "buckets">[], length: number): number[] => {
  const sums = new Array<number>(length).fill(0);
  for (const { buckets } of pods) for (let at = 0; at < length; at++) sums[at] = (sums[at] ?? 0) + (buckets[at] ?? 0);
  return sums;
};

/** ln of the e-values of one metric: that the canary harms, and that it is safe. */
export type LogE = { harm: number; safe: number };
