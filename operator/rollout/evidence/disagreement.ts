/** Evidence from outputs: of the shadowed requests whose two answers were compared, how many disagree beyond the tolerances? */
import { logERate, type RateFilter, type RateQuestion, startRate, stepRate } from "./absolute.ts";
import type { LogE, Pairs } from "./arms.ts";

export type DisagreementLimits = {
  /** A share of pairs that disagree which is no harm. Default 0.02. */
  maxDisagreement: number;
};
export const DISAGREEMENT_LIMITS: DisagreementLimits = { maxDisagreement: 0.02 };

export type DisagreementEvidence = { harm: RateFilter; safe: RateFilter };

/** Safe is less than two and a half times what would be harm: 2 % allowed, 5 % excluded. */
const SAFE_MARGIN = 2.5;

const questionsOf = ({ maxDisagreement }: DisagreementLimits): { harm: RateQuestion; safe: RateQuestion } => {
  const excluded = Math.min(maxDisagreement * SAFE_MARGIN, 0.9);
  const above = (factor: number) => Math.min(maxDisagreement * factor, (1 + maxDisagreement) / 2);
  return {
    harm: { rate: maxDisagreement, alternatives: [1.5, 2, 3, 5, 10, 25].map(above) },
    safe: { rate: excluded, alternatives: [0.6, 0.4, 0.2, 0.1, 0.01].map((factor) => excluded * factor) },
  };
};

export const startDisagreement = (limits: DisagreementLimits): DisagreementEvidence => {
  const { harm, safe } = questionsOf(limits);
  return { harm: startRate(harm), safe: startRate(safe) };
};

export const observeDisagreement = (
  before: DisagreementEvidence,
  limits: DisagreementLimits,
  { compared, disagreed }: Pairs,
): DisagreementEvidence => {
  const { harm, safe } = questionsOf(limits);
  const counts = { events: disagreed, exposed: compared };
  return { harm: stepRate(before.harm, harm, counts), safe: stepRate(before.safe, safe, counts) };
};

export const logEOfDisagreement = ({ harm, safe }: DisagreementEvidence): LogE => ({
  harm: logERate(harm),
  safe: logERate(safe),
});
