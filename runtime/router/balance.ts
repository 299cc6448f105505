/** Which pod of a revision gets a request: the one with the fewest under way. Pure. */

export type Pod = {
  isReady: boolean;
  /** Requests that it has not answered yet. */
  outstanding: number;
};

/**
 * Undefined where no pod is ready, or each has `cap` requests under way: then requests wait here, where they can still go to
 * whichever pod is free first. Among equals `random`, in [0, 1), decides: routers that all took the first would pile up on it.
 */
export const leastOutstanding = <T extends Pod>(pods: readonly T[], cap: number, random: number): T | undefined =>
  fewest(pods, ({ isReady, outstanding }) => (isReady && outstanding < cap ? outstanding : undefined), random);

/** One of the `pods` of which `load` says the least, and of which it says anything. */
export const fewest = <T>(pods: readonly T[], load: (pod: T) => number | undefined, random: number): T | undefined => {
  let least = Number.POSITIVE_INFINITY;
  let equals = 0;
  for (const pod of pods) {
    const one = load(pod);
    if (one === undefined || one > least) continue;
    equals = one < least ? 1 : equals + 1;
    least = one;
  }
  let skip = Math.floor(random * equals);
  for (const pod of pods) if (load(pod) === least && skip-- === 0) return pod;
  return undefined;
};
