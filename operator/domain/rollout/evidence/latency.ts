/**
 * Evidence from latency, at boundaries of the histogram: no quantile is estimated. A canary that is slower by a factor has more
 * requests beyond every boundary, by how much follows from stable's own distribution (survival.ts).
 */
import { LATENCY_EDGES } from "../../../../contract/pod.ts";
import { bucketsOf, type Interval, type LogE, requestsOf } from "./arms.ts";
import { type Filter, logE, logRatios, type Question, startFilter, stepFilter } from "./filter.ts";
import { logMean } from "./logs.ts";
import { contrastOf, varianceOfContrast } from "./noise.ts";
import { transition } from "./noise-grid.ts";
import { slowerBy, survivalLogits } from "./survival.ts";
import {
  observeTimes,
  startTimeDispersion,
  TIME_PRIORS,
  type TimeDispersion,
  type TimePriors,
  timeNoise,
} from "./time-dispersion.ts";

export type LatencyLimits = {
  /** Edges of the histogram in seconds, growing by the same factor, at most 1.25. */
  edges: readonly number[];
  /** How many edges lie between a time and one that is too long: `edges[i + margin] / edges[i]` is what safe excludes. Default 2. */
  margin: number;
  priors: TimePriors;
};

/** Two edges make 1.5: the latency that is to be excluded is a boundary again. */
export const LATENCY_LIMITS: LatencyLimits = { edges: LATENCY_EDGES, margin: 2, priors: TIME_PRIORS };

/** A filter for one boundary, by its edge. */
type AtEdge = { edge: number; filter: Filter };

export type LatencyEvidence = {
  dispersion: TimeDispersion;
  /** Undefined until the boundaries are chosen: with the first interval that both arms answered. */
  boundaries?: { harm: AtEdge[]; safe: AtEdge[] };
  /** The noise and stable's distribution as they are used now; they are looked at again every minute. */
  known?: { age: number; transition: Float64Array; harm: Float64Array[]; safe: Float64Array[] };
};

/** Shares of stable's requests that are slower than the boundaries. */
const HARM_SHARES = [0.5, 0.2, 0.08, 0.03, 0.004];
const SAFE_SHARES = [0.5, 0.12, 0.02];
/** Intervals for which the noise and stable's distribution are used as they were. */
const REFRESH = 6;
/** Of stable, before it is known well enough where the boundaries are to lie. */
const ENOUGH_REQUESTS = 50;

/** 5 % slower is no harm. */
const HARM: Question = { theta0: Math.log(1.05), alternatives: [1.15, 1.25, 1.4, 1.6, 2, 3].map(Math.log) };
/** The canary beyond the boundary times the margin, against stable beyond the boundary. */
const safeQuestion = ({ edges, margin }: LatencyLimits): Question => {
  const [first = 1, second = 1] = edges;
  return { theta0: 0, alternatives: [1, 1.1, 1.2].map((slower) => Math.log(slower / (second / first) ** margin)) };
};

export const startLatency = (
  limits: LatencyLimits,
  dispersion = startTimeDispersion(limits.edges.length),
): LatencyEvidence => ({
  dispersion,
});

export const observeLatency = (before: LatencyEvidence, limits: LatencyLimits, interval: Interval): LatencyEvidence => {
  const dispersion = observeTimes(before.dispersion, interval.stable, bucketMiddles(limits.edges));
  const isTrial = requestsOf(interval.canary) > 0 && requestsOf(interval.stable) > 0;
  if (!isTrial || sumOf(before.dispersion.total) < ENOUGH_REQUESTS) return { ...before, dispersion };
  const boundaries = before.boundaries ?? chooseBoundaries(before.dispersion, limits);
  const known =
    before.known === undefined || before.known.age >= REFRESH
      ? look(before.dispersion, boundaries, limits, interval)
      : before.known;
  const length = limits.edges.length + 1;
  const canary = slowerThan(bucketsOf(interval.canary, length));
  const stable = slowerThan(bucketsOf(interval.stable, length));
  const step = ({ edge, filter }: AtEdge, ratios: Float64Array, canaryEdge: number): AtEdge => ({
    edge,
    filter: stepFilter(filter, canary(canaryEdge), stable(edge), ratios, known.transition),
  });
  const none = new Float64Array();
  return {
    dispersion,
    boundaries: {
      harm: boundaries.harm.map((each, at) => step(each, known.harm[at] ?? none, each.edge)),
      safe: boundaries.safe.map((each, at) => step(each, known.safe[at] ?? none, each.edge + limits.margin)),
    },
    known: { ...known, age: known.age + 1 },
  };
};

/** ln of the e-values: the boundaries' average, which is an e-value whatever they have to do with each other. */
export const logEOfLatency = ({ boundaries }: LatencyEvidence, limits: LatencyLimits): LogE => {
  if (boundaries === undefined) return { harm: 0, safe: 0 };
  const over = (all: readonly AtEdge[], question: Question) => logMean(all.map(({ filter }) => logE(filter, question)));
  return { harm: over(boundaries.harm, HARM), safe: over(boundaries.safe, safeQuestion(limits)) };
};

/** Logarithms of times that stand for the buckets: the geometric middle, and just outside of the first and last edge. */
const bucketMiddles = (edges: readonly number[]): number[] => {
  const logs = edges.map(Math.log);
  return [
    (logs[0] ?? 0) - 0.2,
    ...logs.slice(1).map((log, at) => (log + (logs[at] ?? 0)) / 2),
    (logs.at(-1) ?? 0) + 0.2,
  ];
};

const sumOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);

/** Answered requests beyond an edge, of all that an arm answered. */
const slowerThan = (buckets: readonly number[]) => {
  const exposed = sumOf(buckets);
  return (edge: number) => ({ events: sumOf(buckets.slice(edge + 1)), exposed });
};

/** The edges where stable's shares come nearest to those wanted, each once. */
const chooseBoundaries = ({ total }: TimeDispersion, limits: LatencyLimits) => {
  const logits = survivalLogits(total);
  const nearest = (shares: readonly number[], last: number) => {
    const usable = logits.slice(0, last + 1);
    const edges = shares.map((share) => {
      const distances = usable.map((logit) => Math.abs(logit - Math.log(share / (1 - share))));
      return distances.indexOf(Math.min(...distances));
    });
    return [...new Set(edges)];
  };
  const last = limits.edges.length - 1;
  return {
    harm: nearest(HARM_SHARES, last).map((edge) => ({ edge, filter: startFilter(HARM) })),
    safe: nearest(SAFE_SHARES, last - limits.margin).map((edge) => ({
      edge,
      filter: startFilter(safeQuestion(limits)),
    })),
  };
};

/** What the next minute is judged by: only what was known before it. */
const look = (
  dispersion: TimeDispersion,
  boundaries: { harm: readonly AtEdge[]; safe: readonly AtEdge[] },
  limits: LatencyLimits,
  interval: Interval,
): NonNullable<LatencyEvidence["known"]> => {
  const noise = timeNoise(dispersion, limits.priors);
  const [canary = [], stable = []] = [interval.canary, interval.stable].map((pods) =>
    pods.map(({ requests }) => requests),
  );
  const contrast = contrastOf(noise, varianceOfContrast(canary, stable), false);
  const logEdges = limits.edges.map(Math.log);
  const logits = survivalLogits(dispersion.total);
  const ratios = (all: readonly AtEdge[], question: Question) =>
    all.map(({ edge }) => logRatios(question, contrast, slowerBy(logEdges, logits, edge)));
  return {
    age: 0,
    transition: transition(noise.rho),
    harm: ratios(boundaries.harm, HARM),
    safe: ratios(boundaries.safe, safeQuestion(limits)),
  };
};
