/** Whether a revision answers with nothing but errors: then there is nothing to compare it by, and nothing to lose. Pure. */
import { errorsOf, type Interval, type PodCounts, requestsOf } from "./arms.ts";

/** Intervals in a row, up to now, in which each request to it failed; those without requests tell nothing. */
export type Silence = { stable: number; canary: number };

export const NO_SILENCE: Silence = { stable: 0, canary: 0 };

export const observeSilence = (before: Silence, { canary, stable }: Interval): Silence => ({
  stable: longer(before.stable, stable),
  canary: longer(before.canary, canary),
});

const longer = (before: number, pods: readonly PodCounts[]): number => {
  const requests = requestsOf(pods);
  if (requests === 0) return before;
  return errorsOf(pods) === requests ? before + 1 : 0;
};
