/**
 * The e-process of one arm against a fixed rate: is the rate of an event beyond `rate`, on the side where the alternatives lie?
 * Exact at any time for independent events.
 */
import { logMean } from "./logs.ts";

export type RateQuestion = { rate: number; alternatives: readonly number[] };

/** Log likelihood ratio of each alternative. */
export type RateFilter = readonly number[];

export const startRate = ({ alternatives }: RateQuestion): RateFilter => alternatives.map(() => 0);

export const stepRate = (
  filter: RateFilter,
  { rate, alternatives }: RateQuestion,
  { events, exposed }: { events: number; exposed: number },
): RateFilter =>
  alternatives.map(
    (alternative, at) =>
      (filter[at] ?? 0) +
      events * Math.log(alternative / rate) +
      (exposed - events) * Math.log((1 - alternative) / (1 - rate)),
  );

/** ln of the e-value. */
export const logERate = (filter: RateFilter): number => logMean(filter);
