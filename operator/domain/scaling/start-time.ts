/** How long a pod takes from its node to ready. Pure; seconds. */

/** The latest first. */
export type StartTimes = readonly number[];

const KEPT = 20;
/** Before any pod was ready: a small model on an image that is there takes a few seconds, a large one minutes. */
const UNKNOWN = 30;

export const withStart = (times: StartTimes, seconds: number): StartTimes => [seconds, ...times].slice(0, KEPT);

/** Nine of ten starts take no longer, by the last twenty. */
export const startSeconds = (times: StartTimes): number => {
  const sorted = times.toSorted((one, other) => one - other);
  return Math.max(1, sorted[Math.ceil(sorted.length * 0.9) - 1] ?? UNKNOWN);
};

/** A pod that takes three times as long as others is not starting, it is stuck. */
const STUCK = 3;
/** What one that is late still takes, as a share of the time of others. */
const LATE = 0.25;

/** What a pod still takes that has been starting for `age` seconds; undefined: it is not to be counted on. */
export const remainingSeconds = (age: number, start: number): number | undefined => {
  if (age > STUCK * start) return undefined;
  return Math.max(start - age, age > start ? LATE * start : 0);
};
