/** One rollout after the other: what the shipped evidence says, and what others would have. */
import { ANALYSIS, decide, OUTPUTS, observe, startEvidence } from "../../../operator/rollout/evidence/evidence.ts";
import { randomFrom } from "./chance.ts";
import { argo, type Decision, flagger, type Minute } from "./rivals.ts";
import type { Scenario } from "./scenarios.ts";
import { INTERVAL_S, trafficOf } from "./traffic.ts";

/** `minutes` after the start; undefined: held to the end. */
export type Outcome = { decision: Decision; minutes: number };

/** Half an hour of stable alone, in which its pods' noise is learnt. */
const HISTORY = 180;
const PER_MINUTE = 60 / INTERVAL_S;

const NAMES = ["Berth", flagger.name, argo.name] as const;
export type Name = (typeof NAMES)[number];

export const simulate = ({ minutes, traffic }: Scenario, seed: number): Record<string, Outcome> => {
  const next = trafficOf(traffic, randomFrom(seed));
  const analysis = traffic.disagreement === undefined ? ANALYSIS : { ...ANALYSIS, outputs: OUTPUTS };
  let evidence = startEvidence(analysis);
  for (let interval = 0; interval < HISTORY; interval++) evidence = observe(evidence, analysis, next(-1));

  const outcomes: Record<string, Outcome> = {};
  const settle = (name: string, decision: Decision, interval: number): void => {
    if (decision !== undefined) outcomes[name] ??= { decision, minutes: (interval + 1) / PER_MINUTE };
  };
  const past: Minute[] = [];
  let minute: Minute = { requests: 0, errors: 0, buckets: [] };
  const intervals = minutes * PER_MINUTE;
  for (let at = 0; at < intervals && Object.keys(outcomes).length < NAMES.length; at++) {
    const interval = next(at / intervals);
    if (outcomes.Berth === undefined) {
      evidence = observe(evidence, analysis, interval);
      const verdict = decide(evidence, analysis).kind;
      settle("Berth", verdict === "harm" ? "rollback" : verdict === "safe" ? "promote" : undefined, at);
    }
    minute = interval.canary.reduce(added, minute);
    if ((at + 1) % PER_MINUTE !== 0) continue;
    past.push(minute);
    minute = { requests: 0, errors: 0, buckets: [] };
    for (const rival of [flagger, argo]) settle(rival.name, rival.decide(past), at);
  }
  return Object.fromEntries(NAMES.map((name) => [name, outcomes[name] ?? { decision: undefined, minutes }]));
};

const added = (minute: Minute, pod: { requests: number; errors: number; buckets: readonly number[] }): Minute => ({
  requests: minute.requests + pod.requests,
  errors: minute.errors + pod.errors,
  buckets: pod.buckets.map((count, at) => count + (minute.buckets[at] ?? 0)),
});
