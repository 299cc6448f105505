/** One rollout after the other: what the shipped evidence says, and what others would have. */
import { decide, observe, startEvidence } from "../../../operator/domain/rollout/evidence/evidence.ts";
import type { Verdict } from "../../../operator/domain/rollout/evidence/verdict.ts";
import { argo, type Decision, flagger, type Minute } from "./rivals.ts";
import type { Scenario } from "./scenarios.ts";
import { analysisOf, trialOf } from "./trial.ts";

/** `minutes` after the start; undefined: held to the end. */
export type Outcome = { decision: Decision; minutes: number };

const NAMES = ["Berth", flagger.name, argo.name] as const;
export type Name = (typeof NAMES)[number];

export const decisionOf = ({ kind }: Verdict): Decision =>
  kind === "harm" ? "rollback" : kind === "safe" ? "promote" : undefined;

export const simulate = (scenario: Scenario, seed: number): Record<string, Outcome> => {
  const analysis = analysisOf(scenario);
  let evidence = startEvidence(analysis);
  const outcomes: Record<string, Outcome> = {};
  const settle = (name: string, decision: Decision, minutes: number): void => {
    if (decision !== undefined) outcomes[name] ??= { decision, minutes };
  };
  const past: Minute[] = [];
  for (const { elapsed, interval, minute } of trialOf(scenario, seed)) {
    if (outcomes.Berth === undefined) evidence = observe(evidence, analysis, interval);
    if (elapsed <= 0) continue;
    if (outcomes.Berth === undefined) settle("Berth", decisionOf(decide(evidence, analysis)), elapsed);
    if (minute !== undefined) {
      past.push(minute);
      for (const rival of [flagger, argo]) settle(rival.name, rival.decide(past), elapsed);
    }
    if (Object.keys(outcomes).length === NAMES.length) break;
  }
  return Object.fromEntries(
    NAMES.map((name) => [name, outcomes[name] ?? { decision: undefined, minutes: scenario.minutes }]),
  );
};
