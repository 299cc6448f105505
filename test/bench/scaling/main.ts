/** `npm run bench -- scaling`: the shipped decision beside the rules of others, on made-up loads. */
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { berth } from "./ours.ts";
import { betterInBoth, isWon, type Margin, marginOf, meanOf, type Result } from "./rate.ts";
import { hpa, kedaHttp, kpa, kubeAi } from "./rivals.ts";
import type { MakeRule } from "./rules.ts";
import { simulate } from "./simulate.ts";
import { TRACES, type Trace } from "./traces.ts";

const HELP = `npm run bench -- scaling [--seeds N] [--only TEXT] [--curve [--points]]
  --seeds N    runs of each load, each with other arrivals; default 5
  --only TEXT  loads whose name has this in it
  --curve      each rule over its own main setting
  --points     ... and all of it as CSV
A load meets pods that answer it, a queue before them, and a rule that is asked once a second how many pods there are to be.
Berth's is the code of operator/domain/scaling; KPA, HPA, KEDA http-add-on and KubeAI decide by their documented defaults, and are told
what a pod can take at a time. Device time counts from the moment when a pod has its device, starting included.`;

const rulesFor = (trace: Trace): Map<string, MakeRule> =>
  new Map([
    ["Berth", berth({ ...trace.model, parallel: 1 })],
    ["KPA", kpa()],
    ["HPA", hpa()],
    ["KEDA http-add-on", kedaHttp()],
    ["KubeAI", kubeAi()],
  ]);

const run = (trace: Trace, rule: MakeRule, seeds: number): Result =>
  meanOf(Array.from({ length: seeds }, (_, seed) => simulate(trace, rule, seed + 1)));

const seconds = (value: number): string => (value < 10 ? value.toFixed(2) : value.toFixed(0));
const percent = (share: number): string => `${Math.round(share * 100)} %`;

const cell = ({ gpuSeconds, lost, p95, peak }: Result): string =>
  `${seconds(p95)} s, ${Math.round(gpuSeconds)}, ${peak}${lost > 0 ? `, ${lost} lost` : ""}`;

const marginInWords = (margin: Margin): string =>
  margin.kind === "devices"
    ? `${percent(margin.share)} of ${margin.rival}'s device time`
    : `${percent(margin.share)} of ${margin.rival}'s wait, ${percent(margin.devices)} of its device time`;

const machine = (): string =>
  `${new Date().toISOString().slice(0, 10)}, ${cpus()[0]?.model ?? "processor unknown"}, Node ${process.version}`;

/** Resolves to the process's exit code. */
export const benchScaling = (args: readonly string[]): number => {
  const text = { type: "string" } as const;
  const flag = { type: "boolean" } as const;
  const { values } = parseArgs({
    args: [...args],
    options: { seeds: text, only: text, curve: flag, points: flag, help: flag },
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const seeds = Number(values.seeds ?? "5");
  if (!Number.isInteger(seeds) || seeds < 1) {
    console.error("bench scaling: --seeds is a whole number from 1 (--help)");
    return 2;
  }
  const chosen = TRACES.filter(({ name }) => name.includes(values.only ?? ""));
  if (values.curve) benchCurves(chosen, seeds, values.points ?? false);
  else benchDefaults(chosen, seeds);
  console.log(machine());
  return 0;
};

const benchDefaults = (traces: readonly Trace[], seeds: number): void => {
  console.log(`${seeds} runs each: p95 of the wait, device seconds, most pods wanted\n`);
  let beaten = 0;
  let lost = 0;
  const hard: boolean[] = [];
  for (const [i, trace] of traces.entries()) {
    const results = new Map([...rulesFor(trace)].map(([name, rule]) => [name, run(trace, rule, seeds)]));
    if (i === 0)
      console.log(
        `| load | ${[...results.keys()].join(" | ")} | Berth beside them |\n| --- |${" --- |".repeat(results.size + 1)}`,
      );
    const { Berth: ours, ...others } = Object.fromEntries(results);
    if (ours === undefined) continue;
    const rivals = new Map(Object.entries(others));
    const better = betterInBoth(ours, rivals);
    const margin = marginOf(ours, rivals);
    beaten += better.length;
    lost += ours.lost;
    if (trace.isHard && margin !== undefined) hard.push(isWon(margin));
    const goal = margin === undefined || !trace.isHard ? "" : isWon(margin) ? "; goal met" : "; goal missed";
    const words =
      better.length > 0 ? `beaten by ${better.join(", ")}` : margin === undefined ? "" : marginInWords(margin);
    console.log(`| ${[trace.name, ...[...results.values()].map(cell), words + goal].join(" | ")} |`);
  }
  console.log(
    `\na rival is better in both, wait and device time: ${beaten} times (goal: never); requests lost by Berth: ${lost}`,
  );
  console.log(
    `of the ${hard.length} loads that come all of a sudden, stop, or meet slow starts, with at most 60 % of the device time of the cheapest ` +
      `rival that waits no longer, or a p95 at least 25 % better for no more: ${hard.filter(Boolean).length} (goal: all)`,
  );
};

/** The main setting of each, from the most pods to the fewest. */
const SHARES = [0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1];

const settingsOf = (trace: Trace): Map<string, (share: number) => MakeRule> =>
  new Map([
    [
      "Berth",
      (share) =>
        berth({ ...trace.model, parallel: 1 }, { target: { kind: "utilization", share: Math.min(share, 0.95) } }),
    ],
    ["KPA", (share) => kpa(share)],
    ["HPA", (share) => hpa(Math.min(share, 0.95))],
    ["KEDA http-add-on", (share) => kedaHttp(share * 2)],
    ["KubeAI", (share) => kubeAi(share * 2)],
  ]);

/** For each rule's points: which of them Berth has a point that is no worse in both, and the other way round. */
const benchCurves = (traces: readonly Trace[], seeds: number, isPoints: boolean): void => {
  console.log(
    `${seeds} runs each; of each rule's ${SHARES.length} settings (target ${SHARES[0]} to 1, twice that for KEDA and KubeAI): ` +
      "how many a setting of Berth is better than in both, and how many of Berth's are beaten by it in both\n",
  );
  const rows: string[] = [];
  console.log("| load | KPA | HPA | KEDA http-add-on | KubeAI |\n| --- | --- | --- | --- | --- |");
  for (const trace of traces) {
    const curves = new Map(
      [...settingsOf(trace)].map(([name, make]) => [
        name,
        SHARES.map((share) => ({ share, result: run(trace, make(share), seeds) })),
      ]),
    );
    const ours = curves.get("Berth") ?? [];
    const isBetter = (one: Result, other: Result): boolean => betterInBoth(other, new Map([["", one]])).length > 0;
    const cells = [...curves].slice(1).map(([, theirs]) => {
      const won = theirs.filter((their) => ours.some((our) => isBetter(our.result, their.result))).length;
      const beaten = ours.filter((our) => theirs.some((their) => isBetter(their.result, our.result))).length;
      return `${won} beaten, ${beaten} lost to`;
    });
    console.log(`| ${[trace.name, ...cells].join(" | ")} |`);
    for (const [rule, points] of curves)
      for (const { result, share } of points)
        rows.push([`"${trace.name}"`, rule, share, result.p95.toFixed(3), Math.round(result.gpuSeconds)].join(","));
  }
  console.log("");
  if (isPoints) console.log(["load,rule,setting,p95 wait in seconds,device seconds", ...rows].join("\n"));
};
