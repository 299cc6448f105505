/** Which pod of a revision gets a request: the one with the fewest under way. Pure. */

export type Pod = {
  address: string;
  isReady: boolean;
  /** Requests that it has not answered yet. */
  outstanding: number;
};

/**
 * Undefined where no pod is ready, or each has `cap` requests under way: then requests wait here, where they can still go to
 * whichever pod is free first. Among equals `random`, in [0, 1), decides: routers that all took the first would pile up on it.
 */
export const leastOutstanding = <T extends Pod>(pods: readonly T[], cap: number, random: number): T | undefined => {
  const free = pods.filter(({ isReady, outstanding }) => isReady && outstanding < cap);
  const fewest = Math.min(...free.map(({ outstanding }) => outstanding));
  const best = free.filter(({ outstanding }) => outstanding === fewest);
  return best[Math.floor(random * best.length)];
};
