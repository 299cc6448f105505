/** All evidence of one rollout, fed with one interval after the other. */
import type { Interval } from "./arms.ts";
import {
  DISAGREEMENT_LIMITS,
  type DisagreementEvidence,
  type DisagreementLimits,
  logEOfDisagreement,
  observeDisagreement,
  startDisagreement,
} from "./disagreement.ts";
import {
  ERROR_LIMITS,
  type ErrorEvidence,
  type ErrorLimits,
  logEOfErrors,
  observeErrors,
  startErrors,
} from "./errors.ts";
import {
  LATENCY_LIMITS,
  type LatencyEvidence,
  type LatencyLimits,
  logEOfLatency,
  observeLatency,
  startLatency,
} from "./latency.ts";
import { NO_SILENCE, observeSilence, type Silence } from "./silence.ts";
import { type Course, follow, LEVELS, type Levels, type Verdict, verdictOf } from "./verdict.ts";

/** What is compared; a metric that is left out takes no part in the verdict. */
export type Analysis = {
  errors?: ErrorLimits;
  latency?: LatencyLimits;
  /** Only where requests are shadowed. */
  outputs?: DisagreementLimits;
  levels: Levels;
};

/** Errors and latency, as a rollout without settings has them. */
export const ANALYSIS: Analysis = { errors: ERROR_LIMITS, latency: LATENCY_LIMITS, levels: LEVELS };
export const OUTPUTS: DisagreementLimits = DISAGREEMENT_LIMITS;

export type Evidence = {
  errors?: ErrorEvidence;
  latency?: LatencyEvidence;
  outputs?: DisagreementEvidence;
  course: Course;
  /** Undefined: nothing is silent. */
  silence?: Silence;
};

export const startEvidence = ({ errors, latency, outputs }: Analysis): Evidence => ({
  ...(errors === undefined ? {} : { errors: startErrors(errors) }),
  ...(latency === undefined ? {} : { latency: startLatency(latency) }),
  ...(outputs === undefined ? {} : { outputs: startDisagreement(outputs) }),
  course: {},
});

/** Before the rollout the intervals have no canary: they only tell how much stable's own pods differ. */
export const observe = (before: Evidence, analysis: Analysis, interval: Interval): Evidence => {
  const errors = before.errors && analysis.errors ? observeErrors(before.errors, analysis.errors, interval) : undefined;
  const latency =
    before.latency && analysis.latency ? observeLatency(before.latency, analysis.latency, interval) : undefined;
  const outputs =
    before.outputs && analysis.outputs ? observeDisagreement(before.outputs, analysis.outputs, interval) : undefined;
  const isTrial = interval.canary.length > 0 || interval.pairs.compared > 0;
  const now = {
    ...(errors && analysis.errors ? { errors: logEOfErrors(errors, analysis.errors) } : {}),
    ...(latency && analysis.latency ? { latency: logEOfLatency(latency, analysis.latency) } : {}),
    ...(outputs ? { outputs: logEOfDisagreement(outputs) } : {}),
  };
  return {
    ...(errors ? { errors } : {}),
    ...(latency ? { latency } : {}),
    ...(outputs ? { outputs } : {}),
    course: isTrial ? follow(before.course, now) : before.course,
    silence: observeSilence(before.silence ?? NO_SILENCE, interval),
  };
};

export const decide = ({ course }: Evidence, { levels }: Analysis): Verdict => verdictOf(course, levels);
