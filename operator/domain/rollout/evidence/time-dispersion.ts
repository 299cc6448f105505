/**
 * How much the speed of equal pods differs, from the stable version's pods alone: what comes and goes, how long it lasts, and
 * what stays. It is watched at all times, not only in rollouts: half an hour of it makes verdicts fast.
 */
import { bucketsOf } from "./arms.ts";
import { type Noise, varianceFactor } from "./noise.ts";

/** What one pod answered in one interval: requests by latency, one bucket more than there are edges. */
export type PodTimes = { pod: string; buckets: readonly number[] };

type Deviation = { requests: number; deviation: number };

export type TimeDispersion = {
  /** All requests of the stable version so far, per bucket. */
  total: number[];
  /** Sums, over the intervals, of what the pods' deviations are expected to show; `of` is what each is divided by. */
  sums: Record<"now" | "next" | "far", { sum: number; of: number }>;
  /** Pods beyond the first, summed over the intervals. */
  freedom: number;
  /** Stable pods of the latest interval. */
  pods: number;
  /** The latest intervals' deviations by pod, the latest one last. */
  recent: Record<string, Deviation>[];
};

/** After so many intervals of 10 s (5 min), what comes and goes is another; what is still the same stays. */
const FAR = 30;

export const startTimeDispersion = (edges: number): TimeDispersion => ({
  // not zero, so that a share is defined before the first request
  total: new Array<number>(edges + 1).fill(1e-3),
  sums: { now: { sum: 0, of: 0 }, next: { sum: 0, of: 0 }, far: { sum: 0, of: 0 } },
  freedom: 0,
  pods: 0,
  recent: [],
});

/** `middles` are the logarithms of times that stand for the buckets. */
export const observeTimes = (
  before: TimeDispersion,
  pods: readonly PodTimes[],
  middles: readonly number[],
): TimeDispersion => {
  const merged = bucketsOf(pods, before.total.length);
  const total = before.total.map((count, bucket) => count + (merged[bucket] ?? 0));
  const next = { ...before, total, pods: pods.length };
  if (pods.length < 2) return next;
  const requests = pods.map(({ buckets }) => sumOf(buckets));
  const all = sumOf(requests);
  const overall = meanOf(merged, middles);
  const within = varianceOf(total, middles);
  const sums = { ...before.sums };
  const deviations: Record<string, Deviation> = {};
  const now = { ...sums.now };
  pods.forEach(({ pod, buckets }, at) => {
    const count = requests[at] ?? 0;
    const deviation = count === 0 ? 0 : meanOf(buckets, middles) - overall;
    deviations[pod] = { requests: count, deviation };
    const share = all === 0 ? 0 : count / all;
    now.sum += count * deviation ** 2 - (count === 0 ? 0 : within * (1 - share));
    now.of += count * (1 - share);
  });
  const recent = [...before.recent, deviations].slice(-FAR - 1);
  return {
    ...next,
    freedom: before.freedom + pods.length - 1,
    recent,
    sums: {
      now,
      next: addProducts(sums.next, deviations, recent.at(-2), pods.length),
      far: addProducts(sums.far, deviations, recent.at(-1 - FAR), pods.length),
    },
  };
};

/** Pods that were there in both intervals; each product is weighed by the geometric mean of its requests. */
const addProducts = (
  before: { sum: number; of: number },
  now: Record<string, Deviation>,
  then: Record<string, Deviation> | undefined,
  pods: number,
): { sum: number; of: number } => {
  let { sum, of } = before;
  for (const [pod, { requests, deviation }] of Object.entries(then ?? {})) {
    const here = Object.hasOwn(now, pod) ? now[pod] : undefined;
    const weight = Math.sqrt(requests * (here?.requests ?? 0));
    sum += weight * deviation * (here?.deviation ?? 0);
    of += weight * (1 - 1 / pods);
  }
  return { sum, of };
};

/** What is believed before anything was seen, and how many observations that belief counts for. */
export type TimePriors = {
  /** Standard deviation of what comes and goes, in log time. Default 0.20. */
  passing: number;
  /** Standard deviation of what stays between nodes. Default 0.02; 0.05 to 0.10 for mixed hardware. */
  lasting: number;
};
export const TIME_PRIORS: TimePriors = { passing: 0.2, lasting: 0.02 };
const PRIOR_FREEDOM = 4;
const PRIOR_RHO = 0.8;
/** With one pod there is nothing to compare: noise that hardly passes. */
const RHO_OF_ONE_POD = 0.9;
const MOST_RHO = 0.97;
/** Normal quantile of the 80 % upper bound. */
const UPPER_BOUND = -0.8416;

export const timeNoise = ({ sums, freedom, pods }: TimeDispersion, priors: TimePriors = TIME_PRIORS): Noise => {
  const [now, next, far] = [sums.now, sums.next, sums.far].map(({ sum, of }) => sum / Math.max(of, 1e-9));
  const lasting = Math.max(0, far ?? 0);
  const passing = Math.max(0, (now ?? 0) - lasting);
  const prior = PRIOR_FREEDOM * priors.passing ** 2;
  const rho = pods < 2 ? RHO_OF_ONE_POD : rhoOf(freedom, passing, (next ?? 0) - lasting, prior);
  const nu = PRIOR_FREEDOM + (freedom * (1 - rho)) / (1 + rho);
  const sigma2 = (prior + (nu - PRIOR_FREEDOM) * passing) / nu;
  const ofPods = Math.max(0, pods - 1);
  const nuOfPods = PRIOR_FREEDOM + ofPods;
  const tau2 =
    (varianceFactor(UPPER_BOUND, nuOfPods) * (PRIOR_FREEDOM * priors.lasting ** 2 + ofPods * lasting)) / nuOfPods;
  return { sigma2, rho, nu, tau2 };
};

/** Between what was measured and the prior, by their weights; then a margin for what few intervals cannot tell. */
const rhoOf = (freedom: number, passing: number, covariance: number, prior: number): number => {
  const measured = passing === 0 ? 0 : Math.min(MOST_RHO, Math.max(0, covariance / Math.max(passing, 1e-9)));
  const rho = (freedom * passing * measured + prior * PRIOR_RHO) / (freedom * passing + prior);
  return Math.min(MOST_RHO, rho + (1 - rho ** 2) / Math.sqrt(Math.max(freedom, 4)));
};

const sumOf = (values: readonly number[]): number => {
  let sum = 0;
  for (const value of values) sum += value;
  return sum;
};

const meanOf = (counts: readonly number[], values: readonly number[]): number => {
  let [sum, of] = [0, 0];
  for (let at = 0; at < counts.length; at++) {
    const count = counts[at] ?? 0;
    sum += count * (values[at] ?? 0);
    of += count;
  }
  return sum / Math.max(of, 1e-9);
};

const varianceOf = (counts: readonly number[], values: readonly number[]): number =>
  meanOf(
    counts,
    values.map((value) => value ** 2),
  ) -
  meanOf(counts, values) ** 2;
