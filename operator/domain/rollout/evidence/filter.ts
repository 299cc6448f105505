/**
 * The e-process of one question about one kind of event: how much more probable the counts of both arms are if the versions
 * differ than if only their pods do.
 *
 * Given an interval's total k, the canary's share is Binomial(k, p) with logit p = ln(n_canary / n_stable) + g(θ + u + w): θ is
 * the version's effect, u what stays of the pods' differences, w what comes and goes (noise-grid.ts). Whatever both arms share —
 * an incident, the hour of the day, a change of weight — cancels in the total. Each hypothesis is a θ + u; w is filtered out.
 */
import { logMean, logSum, softplus } from "./logs.ts";
import { type Contrast, SCALE_WEIGHTS } from "./noise.ts";
import { NODE_VALUES, NODES, STATIONARY } from "./noise-grid.ts";

/** Is the effect beyond `theta0`, on the side where the alternatives lie? All are log ratios of canary to stable. */
export type Question = { theta0: number; alternatives: readonly number[] };

/** Events of `exposed` requests. */
export type Counts = { events: number; exposed: number };

export type Filter = {
  /** For each hypothesis, how probable each node of w is by now: hypotheses × NODES, each row sums to 1. */
  beliefs: Float64Array;
  logLikelihoods: Float64Array;
};

/** u in standard deviations, on the harmful side only (what is on the harmless side counts as 0), with the normal's weights. */
const LASTING = [
  { deviations: 0, weight: 0.5987 },
  { deviations: 0.5, weight: 0.1747 },
  { deviations: 1, weight: 0.121 },
  { deviations: 1.5, weight: 0.0655 },
  { deviations: 2, weight: 0.0279 },
  { deviations: 2.5, weight: 0.0092 },
  { deviations: 3, weight: 0.003 },
];
/** No alternative lies among the null's own hypotheses, or it would gain where neither is right. */
const CLEAR_OF_NULL = 3.5;

type Hypothesis = { effect: number; passing: number };

const hypothesesOf = ({ theta0, alternatives }: Question, { passing, lasting }: Contrast): Hypothesis[] => {
  const side = Math.sign((alternatives[0] ?? theta0) - theta0);
  const [median = 0] = passing;
  const nearest = CLEAR_OF_NULL * (lasting[0] ?? 0);
  const nulls = SCALE_WEIGHTS.flatMap((_, scale) =>
    LASTING.map(({ deviations }) => ({
      effect: theta0 + side * deviations * (lasting[scale] ?? 0),
      passing: passing[scale] ?? 0,
    })),
  );
  const others = alternatives.map((alternative) => ({
    effect: theta0 + side * Math.max(side * (alternative - theta0), nearest),
    passing: median,
  }));
  return [...nulls, ...others];
};

/**
 * The log ratio that each node of each hypothesis means for the counts: hypotheses × NODES. `g` turns an effect into it
 * (survival.ts, for an effect on time); without it they are the same.
 */
export const logRatios = (question: Question, contrast: Contrast, g?: (effect: number) => number): Float64Array => {
  const hypotheses = hypothesesOf(question, contrast);
  const ratios = new Float64Array(hypotheses.length * NODES);
  hypotheses.forEach(({ effect, passing }, hypothesis) => {
    NODE_VALUES.forEach((node, at) => {
      const shifted = effect + passing * node;
      ratios[hypothesis * NODES + at] = g === undefined ? shifted : g(shifted);
    });
  });
  return ratios;
};

export const startFilter = ({ alternatives }: Question): Filter => {
  const hypotheses = SCALE_WEIGHTS.length * LASTING.length + alternatives.length;
  return {
    beliefs: Float64Array.from({ length: hypotheses * NODES }, (_, at) => STATIONARY[at % NODES] ?? 0),
    logLikelihoods: new Float64Array(hypotheses),
  };
};

/** A node whose probability underflows could never come back. */
const LEAST_BELIEF = 1e-30;
/** Standard errors, squared, that one interval may move the evidence over from node to node. See `temper`. */
const INFORMATION_PER_NODE = 2;

/** What an interval says. An arm without requests says nothing; `ratios` from `logRatios`, `transition` from noise-grid.ts. */
export const stepFilter = (
  filter: Filter,
  canary: Counts,
  stable: Counts,
  ratios: Float64Array,
  transition: Float64Array,
): Filter => {
  if (canary.exposed <= 0 || stable.exposed <= 0) return filter;
  const total = canary.events + stable.events;
  const odds = Math.log(canary.exposed / stable.exposed);
  const power = temper(total, canary.exposed / (canary.exposed + stable.exposed), ratios);
  const beliefs = new Float64Array(filter.beliefs.length);
  const logLikelihoods = Float64Array.from(filter.logLikelihoods);
  const fits = new Float64Array(NODES);
  for (let row = 0; row < logLikelihoods.length; row++) {
    const first = row * NODES;
    let best = Number.NEGATIVE_INFINITY;
    for (let node = 0; node < NODES; node++) {
      const logit = odds + (ratios[first + node] ?? 0);
      const fit = power * (canary.events * logit - total * softplus(logit));
      fits[node] = fit;
      if (fit > best) best = fit;
    }
    let sum = 0;
    for (let node = 0; node < NODES; node++) {
      let prior = 0;
      for (let from = 0; from < NODES; from++) {
        prior += (filter.beliefs[first + from] ?? 0) * (transition[from * NODES + node] ?? 0);
      }
      const belief = prior * Math.exp((fits[node] ?? 0) - best) + LEAST_BELIEF;
      beliefs[first + node] = belief;
      sum += belief;
    }
    for (let node = 0; node < NODES; node++) beliefs[first + node] = (beliefs[first + node] ?? 0) / sum;
    logLikelihoods[row] = (logLikelihoods[row] ?? 0) + Math.log(sum) + best;
  }
  return { beliefs, logLikelihoods };
};

/**
 * At very high rates an interval tells more than the distance between two nodes, and whichever node lies nearer by chance would
 * win. All hypotheses' likelihoods are then raised to the same power below 1.
 */
const temper = (total: number, share: number, ratios: Float64Array): number => {
  const middle = (NODES - 1) / 2;
  const spacing = (ratios[middle + 1] ?? 0) - (ratios[middle] ?? 0);
  const information = total * share * (1 - share) * spacing ** 2;
  return Math.min(1, INFORMATION_PER_NODE / Math.max(information, 1e-9));
};

/** ln of the e-value: by how much the alternatives' average beats the null's. At least 1/α at any time with probability α at most. */
export const logE = ({ logLikelihoods }: Filter, { alternatives }: Question): number => {
  const nulls = SCALE_WEIGHTS.flatMap((ofScale, scale) =>
    LASTING.map(({ weight }, at) => (logLikelihoods[scale * LASTING.length + at] ?? 0) + Math.log(ofScale * weight)),
  );
  return logMean([...logLikelihoods.slice(-alternatives.length)]) - logSum(nulls);
};
