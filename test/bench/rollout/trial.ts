/** A made-up rollout, interval by interval. */
import type { Interval } from "../../../operator/domain/rollout/evidence/arms.ts";
import { ANALYSIS, type Analysis, OUTPUTS } from "../../../operator/domain/rollout/evidence/evidence.ts";
import { randomFrom } from "./chance.ts";
import type { Minute } from "./rivals.ts";
import type { Scenario } from "./scenarios.ts";
import { INTERVAL_S, trafficOf } from "./traffic.ts";

/** Half an hour of stable alone, in which its pods' noise is learnt. */
const HISTORY = 180;
const PER_MINUTE = 60 / INTERVAL_S;

/** `elapsed`: minutes since the trial began, at the interval's end; zero and less in the history. `minute`: where one is complete. */
export type Moment = { interval: Interval; elapsed: number; minute: Minute | undefined };

export const analysisOf = ({ traffic }: Scenario): Analysis =>
  traffic.disagreement === undefined ? ANALYSIS : { ...ANALYSIS, outputs: OUTPUTS };

const NOTHING: Minute = { requests: 0, errors: 0, buckets: [] };

export function* trialOf({ minutes, traffic }: Scenario, seed: number): Generator<Moment, void, void> {
  const next = trafficOf(traffic, randomFrom(seed));
  for (let left = HISTORY - 1; left >= 0; left--) {
    yield { interval: next(-1), elapsed: -left / PER_MINUTE, minute: undefined };
  }
  const intervals = minutes * PER_MINUTE;
  let minute = NOTHING;
  for (let at = 0; at < intervals; at++) {
    const interval = next(at / intervals);
    minute = interval.canary.reduce(added, minute);
    const isComplete = (at + 1) % PER_MINUTE === 0;
    yield { interval, elapsed: (at + 1) / PER_MINUTE, minute: isComplete ? minute : undefined };
    if (isComplete) minute = NOTHING;
  }
}

const added = (minute: Minute, pod: { requests: number; errors: number; buckets: readonly number[] }): Minute => ({
  requests: minute.requests + pod.requests,
  errors: minute.errors + pod.errors,
  buckets: pod.buckets.map((count, at) => count + (minute.buckets[at] ?? 0)),
});
