/** From e-values to a verdict, and how long one is still away. */
import type { LogE } from "./arms.ts";

export type Metric = "errors" | "latency" | "outputs";

export type Verdict =
  /** The metrics that prove it, the clearest first. */
  | { kind: "harm"; by: Metric[] }
  | { kind: "safe" }
  /** `etaIntervals` until the last metric is decided at the pace of late; absent when it gets no nearer. */
  | { kind: "inconclusive"; missing: Metric[]; etaIntervals?: number };

export type Levels = {
  /** Chance to roll back a version that is no worse, over the whole rollout. Default 0.01. */
  harm: number;
  /** Chance to promote one that is much worse. Default 0.01. */
  safe: number;
};
export const LEVELS: Levels = { harm: 0.01, safe: 0.01 };

/** The e-values after each interval, the latest last; as many intervals as the pace is taken from. */
export type Course = Partial<Record<Metric, readonly LogE[]>>;

/** Intervals of 10 s: five minutes. */
const PACE = 30;

export const METRICS: readonly Metric[] = ["errors", "latency", "outputs"];

export const follow = (before: Course, now: Partial<Record<Metric, LogE>>): Course =>
  Object.fromEntries(
    METRICS.flatMap((metric) => {
      const next = now[metric];
      return next === undefined ? [] : [[metric, [...(before[metric] ?? []), next].slice(-PACE - 1)]];
    }),
  );

/**
 * Harm by any metric; all must be safe, and none may look harmful (an e-value above 1) meanwhile. The chance of a false alarm is
 * shared among the metrics, so that it holds for all together.
 */
export const verdictOf = (course: Course, { harm, safe }: Levels = LEVELS): Verdict => {
  const latest = METRICS.flatMap((metric) => {
    const last = course[metric]?.at(-1);
    return last === undefined ? [] : [{ metric, ...last }];
  });
  const harmful = Math.log(latest.length / harm);
  const enough = -Math.log(safe);
  const proved = latest.filter((each) => each.harm >= harmful).toSorted((one, other) => other.harm - one.harm);
  if (proved.length > 0) return { kind: "harm", by: proved.map(({ metric }) => metric) };
  const missing = latest.filter((each) => each.safe < enough || each.harm > 0).map(({ metric }) => metric);
  if (latest.length > 0 && missing.length === 0) return { kind: "safe" };
  const etas = missing.map((metric) => etaOf(course[metric] ?? [], harmful, enough));
  const isNear = etas.length > 0 && etas.every((eta) => eta !== undefined);
  return {
    kind: "inconclusive",
    missing,
    ...(isNear ? { etaIntervals: Math.max(...etas.filter((eta) => eta !== undefined)) } : {}),
  };
};

/** Intervals until either e-value is where it decides, if it goes on as in the last five minutes. */
const etaOf = (course: readonly LogE[], harmful: number, enough: number): number | undefined => {
  const [first, last] = [course[0], course.at(-1)];
  if (first === undefined || last === undefined || course.length < 2) return undefined;
  const until = (from: number, to: number, limit: number) => {
    const pace = (to - from) / (course.length - 1);
    return pace > 0 ? Math.ceil(Math.max(0, limit - to) / pace) : Number.POSITIVE_INFINITY;
  };
  const eta = Math.min(until(first.harm, last.harm, harmful), until(first.safe, last.safe, enough));
  return Number.isFinite(eta) ? eta : undefined;
};
