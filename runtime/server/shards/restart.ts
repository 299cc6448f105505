import type { FailureCode } from "../../../operator/api/v1alpha1/pod-contract.ts";

const WINDOW_MS = 60_000;
const MAX_CRASHES = 5;

/**
 * What follows the end of a shard: after five within a minute it is given up, so that the pod's back-off takes over and the
 * cause is told. Before that, one that was ready is started again at once (its model is good); one that was not waits
 * longer each time. `crashes`: times of all ends in milliseconds, the last included.
 */
export const decideRestart = (
  crashes: readonly number[],
  now: number,
  wasReady: boolean,
): { delayMs: number } | "give-up" => {
  const recent = crashes.filter((time) => now - time < WINDOW_MS).length;
  if (recent >= MAX_CRASHES) return "give-up";
  return { delayMs: wasReady ? 0 : 250 * 2 ** (recent - 1) };
};

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
    return { message: `${message}; most likely the memory was not enough: raise resources.limits.memory` };
  }
  if (everReady) return { message };
  return { code: end.step === "load" ? "ModelInvalid" : "WarmUpFailed", message };
};
