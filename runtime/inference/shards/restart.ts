import type { FailureCode } from "../../../contract/pod.ts";

const WINDOW_MS = 60_000;
const MAX_CRASHES = 5;

/** A shard that keeps ending, while others serve, is started again this seldom. */
const MOST_DELAY_MS = 15_000;

/** `ends`: when the processes of a shard ended by themselves, in milliseconds; `serving`: it can run the model now. */
export type Ends = { ends: readonly number[]; serving: boolean };

/**
 * What follows the end of a shard. One that was ready is started again at once (its model is good); one that was not, and one
 * that has ended five times within a minute, waits longer each time. All is given up only where no shard can live: each has
 * ended five times within a minute and none serves. Then the pod's back-off takes over and the cause is told.
 *
 * @param own its ends, the last included
 * @param others the other shards; none where no shard was ever ready, since they start after the first is
 */
export const decideRestart = (
  own: readonly number[],
  now: number,
  wasReady: boolean,
  others: readonly Ends[],
): { delayMs: number } | "give-up" => {
  const recent = recentOf(own, now);
  const delayMs = Math.min(MOST_DELAY_MS, 250 * 2 ** (recent - 1));
  if (recent < MAX_CRASHES) return { delayMs: wasReady ? 0 : delayMs };
  const anotherLives = others.some(({ ends, serving }) => serving || recentOf(ends, now) < MAX_CRASHES);
  return anotherLives ? { delayMs } : "give-up";
};

const recentOf = (ends: readonly number[], now: number): number => ends.filter((time) => now - time < WINDOW_MS).length;

/** How a shard ended, and at which step it was. */
export type End = { how: string; signal: string | null; step: "load" | "warm-up" | "serving" };

/**
 * The failure after too many ends. Only a model that was never ready and that was not killed from outside is to blame;
 * else there is no code, for the same model may serve elsewhere.
 */
export const describeGiveUp = (end: End, everReady: boolean): { code?: FailureCode; message: string } => {
  const step = { load: "loading the model", "warm-up": "running its first inference", serving: "serving" }[end.step];
  const message = `the server's process keeps ending while ${step}: ${end.how}`;
  if (end.signal === "SIGKILL") {
    return { message: `${message}; it most likely ran out of memory: raise spec.resources.limits.memory` };
  }
  if (everReady) return { message };
  return { code: end.step === "load" ? "ModelInvalid" : "WarmUpFailed", message };
};
