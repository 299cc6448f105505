/** The most pods that were needed within some time. Pure. */

/** At `at` (seconds), so many pods. */
export type Need = { at: number; pods: number };

/** The greatest first, and each of them later than the one before it. */
export type Needs = readonly Need[];

/** With one more, and without those that are older than `seconds`, or smaller than a later one: they cannot be the greatest again. */
export const keepFor = (needs: Needs, latest: Need, seconds: number): Needs => [
  ...needs.filter(({ at, pods }) => at > latest.at - seconds && pods > latest.pods),
  latest,
];
