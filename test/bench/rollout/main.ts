/** `npm run bench -- rollout`: the shipped evidence code against the rules of Flagger and Argo Rollouts, on traffic that is made up. */
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { curvesOf, matched, type Point } from "./curve.ts";
import { SCENARIOS, type Scenario } from "./scenarios.ts";
import { type Outcome, simulate } from "./simulate.ts";

export const HELP = `Simulate rollouts: how often good versions are rolled back, how often bad ones are promoted, and how long it takes.

  npm run bench -- rollout [options]

  --runs N       rollouts of each scenario (default: 1000)
  --seed N       (default: 1; run i of a scenario has seed N × 1,000,000 + i)
  --only WORDS   scenarios whose names have these words
  --curve        instead, each rule over its own main setting: at the same share of false alarms, what it catches and when
  --points       with --curve: every point of the curves as CSV
  --help

Half an hour of history, four stable pods and one canary pod with 10 % of the requests unless a name says otherwise; up to an hour.
Flagger and Argo Rollouts decide by the thresholds of their documentation's examples.`;

type Shares = {
  rollback: number;
  promote: number;
  rollbackMinutes: number | undefined;
  promoteMinutes: number | undefined;
};

const median = (values: readonly number[]): number | undefined =>
  values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)];

const sharesOf = (outcomes: readonly Outcome[]): Shares => {
  const minutes = (decision: Outcome["decision"]) =>
    outcomes.filter((outcome) => outcome.decision === decision).map((outcome) => outcome.minutes);
  const [rollback, promote] = [minutes("rollback"), minutes("promote")];
  return {
    rollback: rollback.length / outcomes.length,
    promote: promote.length / outcomes.length,
    rollbackMinutes: median(rollback),
    promoteMinutes: median(promote),
  };
};

const percent = (share: number): string => `${(share * 100).toFixed(share > 0 && share < 0.1 ? 1 : 0)} %`;
const told = (share: number, minutes: number | undefined): string =>
  minutes === undefined ? percent(share) : `${percent(share)} (${minutes.toFixed(1)})`;

const row = (scenario: Scenario, outcomes: readonly Record<string, Outcome>[]): string => {
  const cells = ["Berth", "Flagger", "Argo Rollouts"].map((name) => {
    const shares = sharesOf(outcomes.flatMap((run) => run[name] ?? []));
    return `${told(shares.rollback, shares.rollbackMinutes)}, ${told(shares.promote, shares.promoteMinutes)}`;
  });
  return `| ${[scenario.name, ...cells].join(" | ")} |`;
};

/** Resolves to the process's exit code. */
export const benchRollout = (args: readonly string[]): number => {
  const text = { type: "string" } as const;
  const { values } = parseArgs({
    args: [...args],
    options: {
      runs: text,
      seed: text,
      only: text,
      curve: { type: "boolean" },
      points: { type: "boolean" },
      help: { type: "boolean" },
    },
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const runs = Number(values.runs ?? "1000");
  const seed = Number(values.seed ?? "1");
  if (!Number.isInteger(runs) || runs < 1 || !Number.isInteger(seed)) {
    console.error("bench rollout: --runs and --seed are whole numbers (--help)");
    return 2;
  }
  const chosen = SCENARIOS.filter(({ name }) => name.includes(values.only ?? ""));
  if (values.curve) {
    benchCurves(chosen, runs, seed, values.points ?? false);
    return 0;
  }
  console.log(`${runs} rollouts each, seed ${seed}; rolled back, promoted (median minutes); the rest was held\n`);
  console.log("| scenario | Berth | Flagger | Argo Rollouts |\n| --- | ---: | ---: | ---: |");
  const falseAlarms: number[] = [];
  const missed: number[] = [];
  for (const scenario of chosen) {
    const outcomes = Array.from({ length: runs }, (_, run) => simulate(scenario, seed * 1_000_000 + run));
    console.log(row(scenario, outcomes));
    const { rollback, promote } = sharesOf(outcomes.flatMap((run) => run.Berth ?? []));
    if (scenario.isGood) falseAlarms.push(rollback);
    else missed.push(promote);
  }
  const most = (shares: readonly number[]) => (shares.length === 0 ? "–" : percent(Math.max(...shares)));
  console.log(`\nmost good versions rolled back in a scenario: ${most(falseAlarms)} (goal: at most 1 %)`);
  console.log(`most bad versions promoted in a scenario: ${most(missed)} (goal: at most 1 %)`);
  console.log(machine());
  return 0;
};

const machine = (): string =>
  `${new Date().toISOString().slice(0, 10)}, ${cpus()[0]?.model ?? "processor unknown"}, Node ${process.version}`;

/** False alarms at most: what a team may put up with. */
const MATCHED = [0.01, 0.05, 0.2];

const benchCurves = (scenarios: readonly Scenario[], runs: number, seed: number, isPoints: boolean): void => {
  console.log(`${runs} rollouts of each kind, seed ${seed}: caught (median minutes) with no more false alarms than\n`);
  console.log("| scenario | at most | Berth | Flagger | Argo Rollouts |\n| --- | ---: | ---: | ---: | ---: |");
  const points: string[] = [];
  // Without outputs: the others have no rule for them.
  for (const scenario of scenarios.filter(({ isGood, traffic }) => !isGood && traffic.disagreement === undefined)) {
    const curves = curvesOf(scenario, runs, seed);
    for (const most of MATCHED) {
      const cells = [...curves.values()].map((curve) => cell(matched(curve, most)));
      console.log(`| ${[scenario.name, percent(most), ...cells].join(" | ")} |`);
    }
    for (const [rule, curve] of curves) {
      for (const { caught, falseAlarms, minutes, setting } of curve) {
        points.push([`"${scenario.name}"`, rule, `"${setting}"`, falseAlarms, caught, minutes ?? ""].join(","));
      }
    }
  }
  console.log(`\n${machine()}`);
  if (isPoints) console.log(["scenario,rule,setting,false alarms,caught,median minutes", ...points].join("\n"));
};

const cell = (point: Point | undefined): string =>
  point === undefined ? "nothing" : `${told(point.caught, point.minutes)} at ${point.setting}`;
