/**
 * Each rule over its own main setting: how often it rolls back a version that is as good as stable, and how soon one that is
 * not. The same traffic with and without the regression; rivals are spared the check that the regression is not about.
 */

import { LATENCY_EDGES } from "../../../contract/pod.ts";
import { observe, startEvidence } from "../../../operator/domain/rollout/evidence/evidence.ts";
import { type Course, LEVELS, verdictOf } from "../../../operator/domain/rollout/evidence/verdict.ts";
import { argoWith, flaggerWith, type Minute, type Rival, type Thresholds } from "./rivals.ts";
import type { Scenario } from "./scenarios.ts";
import { decisionOf, type Outcome } from "./simulate.ts";
import { analysisOf, trialOf } from "./trial.ts";

/** A whole trial; `courses` has the e-values after each interval, and when that was. */
type Recording = { courses: { course: Course; elapsed: number }[]; minutes: Minute[] };

const record = (scenario: Scenario, seed: number): Recording => {
  const analysis = analysisOf(scenario);
  let evidence = startEvidence(analysis);
  const recording: Recording = { courses: [], minutes: [] };
  for (const { elapsed, interval, minute } of trialOf(scenario, seed)) {
    evidence = observe(evidence, analysis, interval);
    if (elapsed <= 0) continue;
    // The verdict is about the latest only.
    const course = Object.fromEntries(Object.entries(evidence.course).map(([metric, all]) => [metric, all.slice(-1)]));
    recording.courses.push({ course, elapsed });
    if (minute !== undefined) recording.minutes.push(minute);
  }
  return recording;
};

/** A rule with one setting: when it would have ended a recorded trial, and how. */
type Rule = (recording: Recording) => Outcome;
export type Setting = { name: string; rule: Rule };

const berth =
  (harm: number): Rule =>
  ({ courses }) => {
    for (const { course, elapsed } of courses) {
      const decision = decisionOf(verdictOf(course, { ...LEVELS, harm }));
      if (decision !== undefined) return { decision, minutes: elapsed };
    }
    return { decision: undefined, minutes: courses.at(-1)?.elapsed ?? 0 };
  };

const rival =
  ({ decide }: Rival): Rule =>
  ({ minutes }) => {
    for (let count = 1; count <= minutes.length; count++) {
      const decision = decide(minutes.slice(0, count));
      if (decision !== undefined) return { decision, minutes: count };
    }
    return { decision: undefined, minutes: minutes.length };
  };

/** From the most to the least sensitive. */
const HARM_LEVELS = [0.9, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001, 0.0001, 0.00001];
const ERROR_SHARES = Array.from({ length: 36 }, (_, step) => 0.0005 * 1.22 ** step);
const P99S = LATENCY_EDGES.filter((edge) => edge >= 0.05 && edge <= 3);
const OFF = { errors: 1, p99: Number.POSITIVE_INFINITY };

const isSlower = ({ traffic }: Scenario): boolean => traffic.slowdown !== 1;

export const RULES: readonly { name: string; settings(scenario: Scenario): Setting[] }[] = [
  { name: "Berth", settings: () => HARM_LEVELS.map((harm) => ({ name: `level ${harm}`, rule: berth(harm) })) },
  ...[
    { name: "Flagger", make: flaggerWith },
    { name: "Argo Rollouts", make: argoWith },
  ].map(({ make, name }) => ({
    name,
    settings: (scenario: Scenario) => thresholdsOf(scenario).map(([name, one]) => ({ name, rule: rival(make(one)) })),
  })),
];

const thresholdsOf = (scenario: Scenario): [string, Thresholds][] =>
  isSlower(scenario)
    ? P99S.map((p99) => [`p99 ${(p99 * 1000).toFixed(0)} ms`, { ...OFF, p99 }])
    : ERROR_SHARES.map((errors) => [`${(errors * 100).toFixed(2)} % errors`, { ...OFF, errors }]);

/** The same traffic to a canary that is as good as stable. */
const withoutRegression = (scenario: Scenario): Scenario => ({
  ...scenario,
  traffic: {
    ...scenario.traffic,
    errors: { stable: scenario.traffic.errors.stable, canary: scenario.traffic.errors.stable },
    slowdown: 1,
  },
});

/** Shares of rollouts, and the median minutes of those that were caught. */
export type Point = { setting: string; falseAlarms: number; caught: number; minutes: number | undefined };

/** The curve of each rule, by its name, from the most to the least sensitive setting. */
export const curvesOf = (scenario: Scenario, runs: number, seed: number): Map<string, Point[]> => {
  const recorded = (of: Scenario, from: number) => Array.from({ length: runs }, (_, run) => record(of, from + run));
  const good = recorded(withoutRegression(scenario), seed * 1_000_000);
  const bad = recorded(scenario, seed * 1_000_000 + 500_000);
  return new Map(RULES.map(({ name, settings }) => [name, settings(scenario).map((one) => pointOf(one, good, bad))]));
};

const pointOf = ({ name, rule }: Setting, good: readonly Recording[], bad: readonly Recording[]): Point => {
  const rolledBack = (of: readonly Recording[]) => of.map(rule).filter(({ decision }) => decision === "rollback");
  const caught = rolledBack(bad)
    .map(({ minutes }) => minutes)
    .toSorted((one, other) => one - other);
  return {
    setting: name,
    falseAlarms: rolledBack(good).length / good.length,
    caught: caught.length / bad.length,
    minutes: caught[Math.floor(caught.length / 2)],
  };
};

/** Of those with no more false alarms than `most`, the one that catches the most, and of these the fastest. */
export const matched = (curve: readonly Point[], most: number): Point | undefined =>
  curve
    .filter(({ caught, falseAlarms }) => falseAlarms <= most && caught > 0)
    .toSorted((one, other) => other.caught - one.caught || (one.minutes ?? 0) - (other.minutes ?? 0))[0];
