/** Evidence from errors: is the canary's rate more than 1.25 times stable's, and above the floor? */
import { logERate, type RateFilter, type RateQuestion, startRate, stepRate } from "./absolute.ts";
import { errorsOf, type Interval, type LogE, type PodCounts, requestsOf } from "./arms.ts";
import { type EventDispersion, eventNoise, observeEvents, startEventDispersion } from "./event-dispersion.ts";
import { type Filter, logE, logRatios, type Question, startFilter, stepFilter } from "./filter.ts";
import { logMean } from "./logs.ts";
import { contrastOf, varianceOfContrast } from "./noise.ts";
import { transition } from "./noise-grid.ts";

export type ErrorLimits = {
  /** Ratio of the canary's rate to stable's that is still no harm. Default 1.25. */
  maxIncrease: number;
  /** A rate that is no harm whatever stable's is. Default 0.005. */
  floor: number;
};
export const ERROR_LIMITS: ErrorLimits = { maxIncrease: 1.25, floor: 0.005 };

export type ErrorEvidence = {
  dispersion: EventDispersion;
  harm: Filter;
  safe: Filter;
  harmRate: RateFilter;
  safeRate: RateFilter;
};

type Questions = { harm: Question; safe: Question; harmRate: RateQuestion; safeRate: RateQuestion };

/** "No worse" can only be shown with a margin: safe is less than twice what would be harm. */
const SAFE_MARGIN = 2;

const questionsOf = ({ maxIncrease, floor }: ErrorLimits): Questions => {
  const safe = maxIncrease * SAFE_MARGIN;
  const safeFloor = Math.min(floor * SAFE_MARGIN, 0.5);
  const logs = (limit: number, factors: readonly number[]) => factors.map((factor) => Math.log(limit * factor));
  const rates = (rate: number, factors: readonly number[]) =>
    factors.map((factor) => Math.min(rate * factor, (1 + rate) / 2));
  return {
    harm: { theta0: Math.log(maxIncrease), alternatives: logs(maxIncrease, [1.25, 1.5, 2, 3, 5, 8, 15, 30, 80]) },
    safe: { theta0: Math.log(safe), alternatives: logs(safe, [0.8, 0.6, 0.4, 0.2, 0.05]) },
    harmRate: { rate: floor, alternatives: rates(floor, [1.5, 2, 3, 5, 10, 20, 50, 100]) },
    safeRate: { rate: safeFloor, alternatives: rates(safeFloor, [0.6, 0.4, 0.2, 0.1, 0.01]) },
  };
};

/** How long this noise lasts is believed, not measured: it never changes. */
const TRANSITION = transition(eventNoise(startEventDispersion()).rho);

/** `dispersion`: what was seen of the stable pods before the rollout. */
export const startErrors = (limits: ErrorLimits, dispersion = startEventDispersion()): ErrorEvidence => {
  const { harm, safe, harmRate, safeRate } = questionsOf(limits);
  return {
    dispersion,
    harm: startFilter(harm),
    safe: startFilter(safe),
    harmRate: startRate(harmRate),
    safeRate: startRate(safeRate),
  };
};

export const observeErrors = (before: ErrorEvidence, limits: ErrorLimits, interval: Interval): ErrorEvidence => {
  const dispersion = observeEvents(
    before.dispersion,
    interval.stable.map(({ pod, requests, errors }) => ({ pod, requests, events: errors })),
  );
  const [canary, stable] = [interval.canary, interval.stable].map((pods) => ({
    events: errorsOf(pods),
    exposed: requestsOf(pods),
  }));
  if (canary === undefined || stable === undefined || canary.exposed === 0) return { ...before, dispersion };
  const questions = questionsOf(limits);
  const variance = varianceOfContrast(interval.canary.map(requestsOfPod), interval.stable.map(requestsOfPod));
  const contrast = contrastOf(eventNoise(before.dispersion), variance, true);
  const step = (filter: Filter, question: Question) =>
    stepFilter(filter, canary, stable, logRatios(question, contrast), TRANSITION);
  return {
    dispersion,
    harm: step(before.harm, questions.harm),
    safe: step(before.safe, questions.safe),
    harmRate: stepRate(before.harmRate, questions.harmRate, canary),
    safeRate: stepRate(before.safeRate, questions.safeRate, canary),
  };
};

const requestsOfPod = ({ requests }: PodCounts): number => requests;

/** Harm is worse than stable **and** above the floor; safe is not much worse than stable **or** below twice the floor, on average. */
export const logEOfErrors = (evidence: ErrorEvidence, limits: ErrorLimits): LogE => {
  const { harm, safe } = questionsOf(limits);
  return {
    harm: Math.min(logE(evidence.harm, harm), logERate(evidence.harmRate)),
    safe: logMean([logE(evidence.safe, safe), logERate(evidence.safeRate)]),
  };
};
