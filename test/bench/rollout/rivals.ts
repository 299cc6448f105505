/** How others decide, once a minute; without settings with the thresholds of their documentation's examples. Pure. */
import { LATENCY_EDGES } from "../../../contract/pod.ts";

/** The canary's last minute. */
export type Minute = { requests: number; errors: number; buckets: readonly number[] };

export type Decision = "rollback" | "promote" | undefined;

export type Rival = { name: string; decide(minutes: readonly Minute[]): Decision };

/** What a minute may have at most. */
export type Thresholds = {
  /** Share of requests that fail. */
  errors: number;
  /** Seconds within which 99 % are answered. */
  p99: number;
};

/** Whether more than 1 % of the answered requests took longer. */
const isSlow = ({ buckets }: Minute, p99: number): boolean => {
  const edge = LATENCY_EDGES.findIndex((seconds) => seconds >= p99);
  if (edge < 0) return false;
  const sum = (counts: readonly number[]) => counts.reduce((total, count) => total + count, 0);
  return sum(buckets.slice(edge + 1)) > 0.01 * sum(buckets);
};

const isBad = (minute: Minute, { errors, p99 }: Thresholds): boolean =>
  minute.errors > errors * minute.requests || isSlow(minute, p99);

/** request-success-rate ≥ 99 and request-duration ≤ 500 ms of the last minute, threshold 5, ten steps. No data is a failure. */
export const flaggerWith = (thresholds: Thresholds): Rival => ({
  name: "Flagger",
  decide(minutes) {
    const bad = minutes.filter((minute) => minute.requests === 0 || isBad(minute, thresholds));
    if (bad.length >= 5) return "rollback";
    return minutes.length - bad.length >= 10 ? "promote" : undefined;
  },
});
export const flagger: Rival = flaggerWith({ errors: 0.01, p99: 0.5 });

/** success-rate ≥ 0.95 and the same latency, failureLimit 3, count 10; five measurements without data in a row are an error. */
export const argoWith = (thresholds: Thresholds): Rival => ({
  name: "Argo Rollouts",
  decide(minutes) {
    if (minutes.length >= 5 && minutes.slice(-5).every(({ requests }) => requests === 0)) return "rollback";
    const measured = minutes.filter(({ requests }) => requests > 0);
    if (measured.filter((minute) => isBad(minute, thresholds)).length > 3) return "rollback";
    return measured.length >= 10 ? "promote" : undefined;
  },
});
export const argo: Rival = argoWith({ errors: 0.05, p99: 0.5 });
