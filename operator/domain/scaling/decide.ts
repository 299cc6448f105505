/**
 * How many pods a revision is to have. Pure: what was seen before comes in and goes out as plain data.
 *
 *   load      ⌈rate / what a pod is to carry⌉, by Little's law                the most of it within one start time is kept
 *   recurring what the last bursts needed that came at even intervals, one start time before the next
 *   backlog   ⌈(rate + what will wait when a new pod is ready / drain time) / what a pod can do⌉
 *
 * Pods that start are counted with what they will have done by then, so that a slow start does not ask for more pods with each look.
 */
import { demandOf, type Seconds, secondOf } from "./demand.ts";
import { keepFor, type Needs } from "./needs.ts";
import { expectedPods, NONE, observeNeed, type Recurrence } from "./recurrence.ts";
import type { RunCurve, Signals } from "./signals.ts";
import { remainingSeconds, type StartTimes, startSeconds } from "./start-time.ts";
import { mostThroughput, runSeconds, slotsOf, throughputAt, throughputWithin, UNKNOWN } from "./throughput.ts";
import { riseOf, trendSpan } from "./trend.ts";

export type Target =
  /** The share of what a pod can do that it is to carry, 0 to 1. */
  | { kind: "utilization"; share: number }
  /** Requests under way on a pod. */
  | { kind: "concurrency"; inFlight: number }
  /** 95 of 100 requests are to be answered within so many seconds. */
  | { kind: "latencyP95"; seconds: number };

export type ScalingSettings = {
  min: number;
  max: number;
  target: Target;
  /** Without a request for so many seconds: no pod, where `min` is 0. */
  idleSeconds: number;
  /** What waits is to be worked off within this share of a start time; at least `LEAST_DRAIN` seconds. */
  drainShare?: number;
};

/** What is kept from look to look. */
export type Memory = {
  /** The whole second (since 1970) of the last look, and the requests of it and those before, the latest first. */
  second: number;
  seconds: Seconds;
  needs: Needs;
  recurrence: Recurrence;
  /** When a request was last there, in seconds since 1970. */
  busyAt: number;
  starts: StartTimes;
  /** What the servers have told of their runs; undefined: nothing yet. */
  curve: RunCurve | undefined;
  wanted: number;
};

export type Why =
  /** `scaling.minReplicas`, or a schedule that raises it. */
  | "floor"
  /** `scaling.maxReplicas`. */
  | "ceiling"
  | "load"
  /** The load that is expected by when a new pod would be ready. */
  | "trend"
  | "backlog"
  /** A burst of load that comes again at even intervals is about to come. */
  | "recurring"
  /** The load of a moment ago: a pod that goes now may have to be started again. */
  | "recent"
  /** Pods that are starting are not taken away. */
  | "starting"
  | "idle";

export type Decision = {
  wanted: number;
  why: Why;
  /** Before `max`. */
  uncapped: number;
  /** Requests a second. */
  rate: number;
  /** Requests that will wait when a pod that is made now is ready. */
  backlog: number;
  /** Requests a second that one pod can do. */
  throughput: number;
  startSeconds: number;
};

/** By how much shorter than a start the drain is: at 60 s a tenth more pods for a twentieth less waiting, see docs/benchmarks.md. */
const DRAIN_SHARE = 1 / 8;
const LEAST_DRAIN = 2;
/** Seconds that what was needed is kept at least: a pod that starts in a second is no reason to make and take one with each gust of load. */
const LEAST_HOLD = 15;

export const remember = (now: number, wanted: number): Memory => ({
  second: Math.floor(now),
  seconds: [],
  needs: [],
  recurrence: NONE,
  busyAt: now,
  starts: [],
  curve: undefined,
  wanted,
});

/** @param now in seconds since 1970 */
export const decide = (
  before: Memory,
  signals: Signals,
  settings: ScalingSettings,
  now: number,
): { memory: Memory; decision: Decision } => {
  const memory = observe(before, signals, now);
  const start = startSeconds(memory.starts);
  const curve = memory.curve ?? UNKNOWN;
  const { rate, steady } = demandOf(memory.seconds);
  const carried = carriedBy(curve, settings.target);
  const risen =
    rate +
    riseOf(
      memory.seconds.map(({ all }) => all),
      start,
    );
  const load = podsFor(rate, carried);
  const expected = podsFor(risen, carried);
  const recurring = expectedPods(memory.recurrence, start, now);
  const recurrence =
    memory.second === before.second ? memory.recurrence : observeNeed(memory.recurrence, load, memory.second);
  const needs = keepFor(memory.needs, { at: now, pods: expected }, Math.max(LEAST_HOLD, start));
  const recent = Math.max(...needs.map(({ pods }) => pods));
  const backlog = backlogAt(signals, steady, curve, start);
  const drain = Math.max(LEAST_DRAIN, (settings.drainShare ?? DRAIN_SHARE) * start);
  const most = mostThroughput(curve);
  const forBacklog = backlog <= 0 ? 0 : podsFor(steady + backlog / drain, most);
  const isIdle = now - memory.busyAt >= settings.idleSeconds;
  const isStarting = signals.starting.some((age) => remainingSeconds(age, start) !== undefined);
  const reasons: [Why, number][] = [
    ["floor", settings.min],
    // whoever says when nobody comes any more says it of what came before, too
    ["load", isIdle ? 0 : load],
    ["trend", isIdle ? 0 : expected],
    ["recent", isIdle ? 0 : recent],
    ["recurring", recurring],
    ["backlog", forBacklog],
    // the last pod stays until nobody has asked for anything for long enough
    ["idle", isIdle ? 0 : Math.min(1, before.wanted)],
    ["starting", isStarting ? before.wanted : 0],
  ];
  const uncapped = Math.max(...reasons.map(([, pods]) => pods));
  const [why] = uncapped === 0 ? (["idle"] as const) : (reasons.find(([, pods]) => pods === uncapped) ?? ["idle"]);
  const wanted = Math.min(uncapped, settings.max);
  return {
    memory: { ...memory, needs, recurrence, wanted },
    decision: {
      ...{ wanted, uncapped, rate, backlog: Math.max(0, backlog), throughput: most, startSeconds: start },
      why: uncapped > settings.max ? "ceiling" : why,
    },
  };
};

/** What it has seen with this look. Looks may come more often than once a second, or less. */
const observe = (before: Memory, { arrivals, crowd, inFlight, waiting }: Signals, now: number): Memory => {
  const second = Math.floor(now);
  const passed = Math.max(0, second - before.second);
  const span = Math.max(30, trendSpan(startSeconds(before.starts)));
  const latest = secondOf(arrivals, crowd);
  const [last = { all: 0, steady: 0 }, ...older] = before.seconds;
  // what came in several seconds is not known to have come in one
  const each = { all: latest.all / passed, steady: latest.steady / passed };
  const seconds =
    passed === 0
      ? [{ all: last.all + latest.all, steady: last.steady + latest.steady }, ...older]
      : [...new Array<typeof each>(Math.min(passed, span)).fill(each), ...before.seconds].slice(0, span);
  const isBusy = arrivals > 0 || inFlight > 0 || waiting > 0;
  return { ...before, second, seconds, busyAt: isBusy ? now : before.busyAt };
};

/** Requests a second that one pod is to carry. */
const carriedBy = (curve: RunCurve, target: Target): number => {
  const most = mostThroughput(curve);
  switch (target.kind) {
    case "utilization":
      return target.share * most;
    case "concurrency":
      return throughputAt(curve, target.inFlight);
    case "latencyP95":
      // a target that no number of pods meets: as many as keep requests from waiting for each other
      return throughputWithin(curve, target.seconds) ?? 0.1 / runSeconds(curve, 1);
  }
};

/** 7.0000001 pods are 7. */
const podsFor = (rate: number, each: number): number => Math.ceil(rate / each - 1e-6);

/**
 * Requests that will wait in one start time from now, if no pod is added. Below 0 where there is more than enough.
 * 80 a second, 5 a second each on 8 pods, and 8 more that have 20 s of 60 s to go: 80 × 60 − 5 × (8 × 60 + 8 × 40) = 800.
 */
const backlogAt = (
  { inFlight, ready, starting, waiting }: Signals,
  rate: number,
  curve: RunCurve,
  start: number,
): number => {
  const queue = Math.max(0, waiting + inFlight - ready * slotsOf(curve));
  const podSeconds = starting.reduce((sum, age) => {
    const left = remainingSeconds(age, start);
    return left === undefined ? sum : sum + Math.max(0, start - left);
  }, ready * start);
  return queue + rate * start - mostThroughput(curve) * podSeconds;
};
