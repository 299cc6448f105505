/**
 * Evidence from outputs: of the shadowed requests whose two answers were compared, how many disagree beyond the tolerances, and
 * beyond how often stable disagrees with itself?
 */
import { logERate, type RateFilter, type RateQuestion, startRate, stepRate } from "./absolute.ts";
import { addPairs, type Interval, type LogE, NO_PAIRS, type Pairs } from "./arms.ts";
import { logMean } from "./logs.ts";
import { type LossEvidence, logEOfLosses, observeLosses, startLosses } from "./losses.ts";

export type DisagreementLimits = {
  /** A share of pairs that disagree which is no harm. Default 0.02. */
  maxDisagreement: number;
};
export const DISAGREEMENT_LIMITS: DisagreementLimits = { maxDisagreement: 0.02 };

/**
 * `self`: all pairs of stable with itself so far; undefined where there is no such thing, and it is taken for exact. `losses`: undefined as
 * long as no answer has lost its numbers.
 */
export type DisagreementEvidence = { harm: RateFilter; safe: RateFilter; self?: Pairs; losses?: LossEvidence };

/** Safe is less than twice what would be harm, as of errors: 2 % allowed, 4 % excluded. */
const SAFE_MARGIN = 2;
/** Standard deviations: a rate beyond the bound has a chance of 1 %. */
const SELF_BOUND = 2.33;

/**
 * The chance that a model disagrees with itself is known to lie between two bounds. It makes harm harder to prove by the upper
 * one, and safety by no more than the lower one. Those bounds are of the pairs so far, this interval's among them: they are
 * independent of the pairs that they are held against, so that the e-values stay what they are.
 *
 * Exact models: 0 of 10 pairs disagree, at most 35 %: a canary with other answers throughout is harm within ten more pairs. 0 of 300,
 * at most 1.8 %: one with 10 % is, after some hundred.
 */
const questionsOf = (
  { maxDisagreement }: DisagreementLimits,
  self: Pairs | undefined,
): { harm: RateQuestion; safe: RateQuestion } => {
  const [least, most] = self === undefined ? [0, 0] : wilson(self);
  const allowed = Math.min(maxDisagreement + most, MOST_RATE);
  const excluded = Math.min(maxDisagreement * SAFE_MARGIN + least, 0.9);
  const above = (factor: number) => Math.min(most + maxDisagreement * factor, (1 + allowed) / 2);
  return {
    harm: { rate: allowed, alternatives: [1.5, 2, 3, 5, 10, 25].map(above) },
    safe: {
      rate: excluded,
      alternatives: [0.6, 0.4, 0.2, 0.1, 0.01].map((factor) => least + (excluded - least) * factor),
    },
  };
};

/** Nothing is above certainty. */
const MOST_RATE = 0.98;

/** Wilson's bounds of a rate. */
const wilson = ({ compared: n, disagreed }: Pairs): [least: number, most: number] => {
  if (n === 0) return [0, 1];
  const z2 = SELF_BOUND ** 2;
  const p = disagreed / n;
  const middle = p + z2 / (2 * n);
  const half = SELF_BOUND * Math.sqrt((p * (1 - p)) / n + z2 / (4 * n * n));
  return [Math.max(0, (middle - half) / (1 + z2 / n)), Math.min(1, (middle + half) / (1 + z2 / n))];
};

export const startDisagreement = (limits: DisagreementLimits): DisagreementEvidence => {
  const { harm, safe } = questionsOf(limits, undefined);
  return { harm: startRate(harm), safe: startRate(safe) };
};

export const observeDisagreement = (
  before: DisagreementEvidence,
  limits: DisagreementLimits,
  { losses, pairs, self }: Pick<Interval, "pairs" | "self" | "losses">,
): DisagreementEvidence => {
  const sum = self === undefined ? before.self : addPairs(before.self ?? NO_PAIRS, self);
  const { harm, safe } = questionsOf(limits, sum);
  const lost = losses === undefined ? before.losses : observeLosses(before.losses ?? startLosses(), losses);
  const counts = { events: pairs.disagreed, exposed: pairs.compared };
  return {
    harm: stepRate(before.harm, harm, counts),
    safe: stepRate(before.safe, safe, counts),
    ...(sum === undefined ? {} : { self: sum }),
    ...(lost === undefined ? {} : { losses: lost }),
  };
};

/** Harm is answers that differ **or** that have lost their numbers: the mean of two e-values is one. */
export const logEOfDisagreement = ({ harm, losses = startLosses(), safe }: DisagreementEvidence): LogE => ({
  harm: logMean([logERate(harm), logEOfLosses(losses)]),
  safe: logERate(safe),
});
