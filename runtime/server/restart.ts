const WINDOW_MS = 60_000;
const MAX_CRASHES = 5;

/**
 * What follows the end of a shard. A shard that was ready is started again at once (its model is good); one that was not
 * waits longer each time, and after five within a minute it is given up. `crashes`: times of all ends, the last included.
 */
export const decideRestart = (
  crashes: readonly number[],
  now: number,
  wasReady: boolean,
): { delayMs: number } | "give-up" => {
  if (wasReady) return { delayMs: 0 };
  const recent = crashes.filter((time) => now - time < WINDOW_MS).length;
  if (recent >= MAX_CRASHES) return "give-up";
  return { delayMs: 250 * 2 ** (recent - 1) };
};
