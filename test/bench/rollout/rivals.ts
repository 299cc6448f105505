/** How others decide, with the thresholds of their documentation's examples, once a minute. Pure. */
import { LATENCY_EDGES } from "../../../operator/rollout/evidence/latency.ts";

/** The canary's last minute. */
export type Minute = { requests: number; errors: number; buckets: readonly number[] };

export type Decision = "rollback" | "promote" | undefined;

export type Rival = { name: string; decide(minutes: readonly Minute[]): Decision };

const MOST_P99_S = 0.5;

/** Whether more than 1 % of the answered requests took longer. */
const isSlow = ({ buckets }: Minute): boolean => {
  const edge = LATENCY_EDGES.findIndex((seconds) => seconds >= MOST_P99_S);
  const sum = (counts: readonly number[]) => counts.reduce((total, count) => total + count, 0);
  return sum(buckets.slice(edge + 1)) > 0.01 * sum(buckets);
};

/** request-success-rate ≥ 99 and request-duration ≤ 500 ms of the last minute, threshold 5, ten steps. No data is a failure. */
export const flagger: Rival = {
  name: "Flagger",
  decide(minutes) {
    const bad = minutes.filter(
      (minute) => minute.requests === 0 || minute.errors > 0.01 * minute.requests || isSlow(minute),
    );
    if (bad.length >= 5) return "rollback";
    return minutes.length - bad.length >= 10 ? "promote" : undefined;
  },
};

/** success-rate ≥ 0.95 and the same latency, failureLimit 3, count 10; five measurements without data in a row are an error. */
export const argo: Rival = {
  name: "Argo Rollouts",
  decide(minutes) {
    if (minutes.length >= 5 && minutes.slice(-5).every(({ requests }) => requests === 0)) return "rollback";
    const measured = minutes.filter(({ requests }) => requests > 0);
    const failed = measured.filter((minute) => minute.errors > 0.05 * minute.requests || isSlow(minute));
    if (failed.length > 3) return "rollback";
    return measured.length >= 10 ? "promote" : undefined;
  },
};
