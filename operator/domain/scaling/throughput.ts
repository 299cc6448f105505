/** What one pod can do. Pure; seconds, and requests a second. */
import type { RunCurve } from "./signals.ts";

/** Before a server has told of a run: most models take less, and too many pods for a moment cost less than too few for long. */
export const UNKNOWN: RunCurve = { each: 0.1, perItem: 0, maxBatch: 1, parallel: 1 };

export const runSeconds = ({ each, perItem }: RunCurve, items: number): number =>
  Math.max(1e-6, each + items * perItem);

/** Requests that one pod works on at its best; more of them wait in it. */
export const slotsOf = ({ maxBatch, parallel }: RunCurve): number => maxBatch * parallel;

/** Requests a second, where always `inFlight` of them are there. 8 items in a run of 10 ms + 8 × 1 ms: 444 a second. */
export const throughputAt = (curve: RunCurve, inFlight: number): number => {
  const batch = Math.min(curve.maxBatch, Math.max(1, inFlight / curve.parallel));
  const runs = Math.min(curve.parallel, Math.max(inFlight, 0));
  return (runs * batch) / runSeconds(curve, batch);
};

export const mostThroughput = (curve: RunCurve): number => throughputAt(curve, slotsOf(curve));

/**
 * Requests a second at which 95 of 100 are answered within `seconds`, on one pod of a revision that has enough of them; undefined where
 * not even a request alone is. With batches a request waits for the run under way and then for its own: twice the run's time. Alone it
 * waits as in M/D/1, P(W > w) ≈ ρ·exp(−2(1−ρ)w/S) (the heavy-traffic exponent of Pollaczek and Khinchine), solved for ρ by halving.
 */
export const throughputWithin = (curve: RunCurve, seconds: number): number | undefined => {
  const alone = runSeconds(curve, 1);
  if (alone > seconds) return undefined;
  const left = seconds - alone;
  const late = (busy: number): number => busy * Math.exp((-2 * (1 - busy) * left * curve.parallel) / alone);
  const busy = halve(0, 1, (share) => late(share) <= 0.05);
  const unbatched = (busy * curve.parallel) / alone;
  const batch = Math.floor(halve(1, curve.maxBatch, (items) => 2 * runSeconds(curve, items) <= seconds));
  const batched = 2 * runSeconds(curve, batch) <= seconds ? (curve.parallel * batch) / runSeconds(curve, batch) : 0;
  return Math.max(unbatched, 0.95 * batched);
};

/** The greatest value between `low` and `high` that is allowed, where all below it are, too. */
const halve = (low: number, high: number, isAllowed: (value: number) => boolean): number => {
  if (isAllowed(high)) return high;
  let [allowed, refused] = [low, high];
  for (let i = 0; i < 30; i++) {
    const middle = (allowed + refused) / 2;
    if (isAllowed(middle)) allowed = middle;
    else refused = middle;
  }
  return allowed;
};
