/** What is known of a rollout, in words. Pure. */
import type { Totals } from "./counts.ts";
import type { LogE } from "./evidence/arms.ts";
import { type Course, type Levels, METRICS, type Metric, type Verdict } from "./evidence/verdict.ts";
import type { Proof, Rejection } from "./machine.ts";

/** Of an interval of the evidence, in seconds. */
const INTERVAL_S = 10;

const NAMES: Readonly<Record<Metric, string>> = { errors: "errors", latency: "latency", outputs: "outputs" };

/** `3 of 9,801 requests failed (0.031 %)` */
export const failed = ({ errors, requests }: { errors: number; requests: number }): string =>
  `${count(errors)} of ${count(requests)} requests failed${requests === 0 ? "" : ` (${percent(errors / requests)})`}`;

/** What was compared and counted: `canary: 12 of 1,024 requests failed (1.2 %); stable: …`. */
export const counted = ({ canary, incomparable, pairs, self, stable }: Totals): string => {
  const said = [
    ...(pairs.compared === 0 ? [] : [`outputs: ${disagree(pairs)}`]),
    ...(self.disagreed === 0 ? [] : [`baseline: ${disagree(self)}`]),
    ...(incomparable.count === 0 ? [] : [`${count(incomparable.count)} answers could not be compared`]),
    ...(incomparable.reason === undefined ? [] : [`such as: ${incomparable.reason}`]),
  ];
  return [`canary: ${failed(canary)}`, `stable: ${failed(stable)}`, ...said].join("; ");
};

const disagree = ({ compared, disagreed }: Totals["pairs"]): string =>
  `${count(disagreed)} of ${count(compared)} pairs disagree (${percent(disagreed / compared)})`;

/** How fast evidence comes, and what it is made of. */
export type Pace = { perSecond: number; what: string };

/**
 * The verdict: what decides or is missing, each with its e-value against the value that decides, and how long it will take at the
 * present pace.
 */
export const judged = (verdict: Verdict, course: Course, levels: Levels, pace: Pace): string => {
  const latest = METRICS.flatMap((metric): [Metric, LogE][] => {
    const last = course[metric]?.at(-1);
    return last === undefined ? [] : [[metric, last]];
  });
  const harmFrom = latest.length / levels.harm;
  const safeFrom = 1 / levels.safe;
  const harm = (metric: Metric): string => `e-value ${value(course, metric, "harm")}, threshold ${count(harmFrom)}`;
  const safe = (metric: Metric): string => `e-value ${value(course, metric, "safe")}, threshold ${count(safeFrom)}`;
  switch (verdict.kind) {
    case "harm":
      return `harm: ${verdict.by.map((metric) => `${NAMES[metric]} (${harm(metric)})`).join(", ")}`;
    case "safe":
      return `safe: ${latest.map(([metric]) => `${NAMES[metric]} (${safe(metric)})`).join(", ")}`;
    case "inconclusive": {
      const missing = verdict.missing
        .map((metric) => {
          const looksHarmful = (course[metric]?.at(-1)?.harm ?? 0) > 0;
          return `${NAMES[metric]} (${looksHarmful ? `looks harmful so far: ${harm(metric)}` : `no harm so far: ${safe(metric)}`})`;
        })
        .join(", ");
      if (missing === "") return "no requests were counted yet";
      return `not enough evidence on ${missing}; ${outlook(verdict.etaIntervals, pace)}`;
    }
  }
};

const outlook = (intervals: number | undefined, { perSecond, what }: Pace): string => {
  if (perSecond === 0) return `no ${what} came recently; the rollout waits for traffic`;
  if (intervals === undefined)
    return "no decision is expected at the present rate; send more traffic, or raise the weight";
  const seconds = intervals * INTERVAL_S;
  return `about ${count(Math.ceil(seconds * perSecond))} more ${what}, ${time(seconds)} at the present rate`;
};

export const rejected = (rejection: Rejection): string => {
  switch (rejection.why) {
    case "harm":
      return `regressed on ${rejection.by.map((metric) => NAMES[metric]).join(" and ")}`;
    case "fault":
      return rejection.message;
    case "inconclusive":
      return "undecided after stepDuration.max, and onInconclusive is rollback";
    case "command":
      return "aborted by a command";
  }
};

export const promoted = (by: Proof): string => {
  switch (by) {
    case "evidence":
      return "no worse than stable";
    case "health":
      return "its pods stayed healthy with all requests; no pod of stable served beside them";
    case "time":
      return "undecided after stepDuration.max, and onInconclusive is advance";
    case "command":
      return "promoted by a command";
    case "rescue":
      return "stable answered no request, and the new revision did";
  }
};

const value = (course: Course, metric: Metric, of: "harm" | "safe"): string => {
  const log = course[metric]?.at(-1)?.[of] ?? 0;
  // beyond a billion the number says no more
  return log > Math.log(1e9)
    ? "over 1e9"
    : log < Math.log(0.01)
      ? "below 0.01"
      : Number(Math.exp(log).toPrecision(2)).toLocaleString("en");
};

const count = (number: number): string => Math.round(number).toLocaleString("en");

const percent = (share: number): string => `${Number((share * 100).toPrecision(2))} %`;

const time = (seconds: number): string =>
  seconds < 90
    ? `${seconds} s`
    : seconds < 5400
      ? `${Math.round(seconds / 60)} min`
      : `${(seconds / 3600).toFixed(1)} h`;
