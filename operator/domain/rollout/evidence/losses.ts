/**
 * Evidence from answers that have lost their numbers: does the canary lose more than 1.25 times as many as stable does when it is asked
 * again, and more than a floor? No tolerance is about NaN, so that a few are harm, and a model that answers NaN in both versions is not.
 *
 * Given how many an interval has in all, the canary's are binomial with its share of the pairs where both rates are the same: whatever they
 * are, and whatever changes both, cancels. They are drawn without replacement, in truth, and spread less than that: the e-values are
 * no larger for it (Hoeffding 1963, theorem 4).
 */
import { logERate, type RateFilter, type RateQuestion, startRate, stepRate } from "./absolute.ts";
import type { LossesOfArms } from "./arms.ts";
import { logMean } from "./logs.ts";

/** `ratio`: log likelihood ratios of the alternatives to stable's rate; `rate`: to the floor. */
export type LossEvidence = { ratio: readonly number[]; rate: RateFilter };

/** As of errors: a ratio of the canary's rate to stable's that is no harm. */
const MAX_INCREASE = 1.25;
const RATIOS: readonly number[] = [2, 4, 16, 100];
/** A rate that is no harm whatever stable's is: an overflow in one answer of 500. */
const FLOOR: RateQuestion = { rate: 0.002, alternatives: [0.004, 0.01, 0.03, 0.1, 0.5] };

export const startLosses = (): LossEvidence => ({ ratio: RATIOS.map(() => 0), rate: startRate(FLOOR) });

export const observeLosses = (before: LossEvidence, { canary, self }: LossesOfArms): LossEvidence => ({
  ratio: RATIOS.map((ratio, at) => {
    /** Pairs, each of the canary's counted as so many as it loses for one of stable's. */
    const weighed = (by: number): number => by * canary.compared + self.compared;
    const less = weighed(MAX_INCREASE) / weighed(ratio);
    if (canary.compared + self.compared === 0) return before.ratio[at] ?? 0;
    return (before.ratio[at] ?? 0) + canary.lost * Math.log((ratio / MAX_INCREASE) * less) + self.lost * Math.log(less);
  }),
  rate: stepRate(before.rate, FLOOR, { events: canary.lost, exposed: canary.compared }),
});

/** ln of the e-value of harm: beyond stable's rate **and** beyond the floor. */
export const logEOfLosses = ({ rate, ratio }: LossEvidence): number => Math.min(logMean(ratio), logERate(rate));
