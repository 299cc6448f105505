/** The phases of one run: N objects on an operator that was started for them. */
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { Operator } from "../../faults/operator/operator-process.ts";
import { preciseCpuSeconds } from "../server/process-tree.ts";
import { countByWhat } from "./audit.ts";
import { FIRST_VERSION, type Harness, isReady } from "./harness.ts";
import { gauge, quantile } from "./metrics.ts";
import type { Requests } from "./requests.ts";

export type Spread = { p50: number; p99: number };

export type Created = {
  appliedSeconds: number;
  childrenExistSeconds: number;
  childrenReadySeconds: number;
  allReadySeconds: number;
  quietSeconds: number;
  requestsPerObject: number;
  requests: [what: string, perObject: number][];
  cpuMsPerObject: number;
  eventLoopP99Ms: number;
} & Surroundings;

/** Beside each figure: how the machine was. */
type Surroundings = { apiServerMs: Spread; load: string };

export type Idle = { seconds: number; requests: number; rssMiB: number; cpuPercent: number };

export type Changed = {
  samples: number;
  sentToChildMs: Spread;
  acceptedToChildMs: Spread;
  /** The same by a loop that decides nothing, in turns with it. */
  limitMs: Spread;
  requestsPerChange: number;
  requests: [what: string, perChange: number][];
  cpuMsPerChange: number;
  eventLoopP99Ms: number;
} & Surroundings;

export type Subject = { harness: Harness; requests: Requests; operator: Operator; count: number };

const MOST_SECONDS = 300;
/** The status and the Service follow the child's readiness. */
const PAUSE_MS = 400;

const spread = (samples: readonly number[]): Spread => ({ p50: quantile(samples, 0.5), p99: quantile(samples, 0.99) });
const loadAverage = (): string => readFileSync("/proc/loadavg", "utf8").split(" ").slice(0, 3).join(" ");
const metricsOf = async ({ metricsPort }: Operator): Promise<string> =>
  (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
/** Node starts its measurement of the event loop over with each look. */
const eventLoopMs = async (operator: Operator): Promise<number> =>
  gauge(await metricsOf(operator), "nodejs_eventloop_lag_p99_seconds") * 1000;

const statusOf = (pid: number, field: string): number =>
  Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, "m").exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;
/** The greatest since the process began, Node's start included. */
export const peakMiB = ({ pid }: Operator): number => statusOf(pid, "VmHWM");

const each = (counts: [string, number][], by: number): [string, number][] =>
  counts.map(([what, count]) => [what, count / by]);

export const create = async ({ harness, requests, operator, count }: Subject): Promise<Created> => {
  const all = Array.from({ length: count }, (_, index) => index);
  const before = requests.read().length;
  const cpu = preciseCpuSeconds(operator.pid);
  await eventLoopMs(operator);
  const probe = harness.probe();
  const [begun, wall] = [performance.now(), Date.now()];
  const since = (at: number) => (at - begun) / 1000;
  const applying = harness.applyAll(count).then(() => since(performance.now()));
  const childrenExist = harness.until(
    "all children exist",
    () => all.every((index) => harness.seenAt(index, FIRST_VERSION) !== undefined),
    MOST_SECONDS,
  );
  const [appliedSeconds] = await Promise.all([applying, childrenExist]);
  const exist = Math.max(...all.map((index) => harness.seenAt(index, FIRST_VERSION) ?? Number.NaN));
  const isChildReady = (index: number): boolean => harness.readyAt(index, FIRST_VERSION) !== undefined;
  await harness.until("all children are ready", () => all.every(isChildReady), MOST_SECONDS);
  const ready = Math.max(...all.map((index) => harness.readyAt(index, FIRST_VERSION) ?? Number.NaN));
  const allReady = await harness.until(
    "all are Ready",
    () => all.every((index) => isReady(harness.model(index))),
    MOST_SECONDS,
  );
  const quiet = await requests.quiet(MOST_SECONDS * 1000);
  const own = requests.read().slice(before);
  return {
    appliedSeconds,
    childrenExistSeconds: since(exist),
    childrenReadySeconds: since(ready),
    allReadySeconds: since(allReady),
    quietSeconds: (quiet - wall) / 1000,
    requestsPerObject: own.length / count,
    requests: each(countByWhat(own), count),
    cpuMsPerObject: ((preciseCpuSeconds(operator.pid) - cpu) * 1000) / count,
    eventLoopP99Ms: await eventLoopMs(operator),
    apiServerMs: spread(await probe.end()),
    load: loadAverage(),
  };
};

export const idle = async ({ requests, operator }: Subject, seconds: number): Promise<Idle> => {
  const before = requests.read().length;
  const cpu = preciseCpuSeconds(operator.pid);
  await sleep(seconds * 1000);
  return {
    seconds,
    requests: requests.read().length - before,
    rssMiB: statusOf(operator.pid, "VmRSS"),
    cpuPercent: ((preciseCpuSeconds(operator.pid) - cpu) / seconds) * 100,
  };
};

/** One object after the other, spread over all; each waits until the child of the last is ready, and a moment more. */
export const change = async (subject: Subject, samples: number, version: number): Promise<Changed> => {
  const { harness, requests, operator, count } = subject;
  const before = requests.read().length;
  const cpu = preciseCpuSeconds(operator.pid);
  await eventLoopMs(operator);
  const probe = harness.probe();
  const sent: number[] = [];
  const accepted: number[] = [];
  const limits: number[] = [];
  for (let sample = 0; sample < samples; sample++) {
    const index = Math.floor((sample * count) / samples);
    const at = performance.now();
    await harness.apply(index, version);
    const acceptedAt = performance.now();
    await harness.until("the change is in a child", () => harness.seenAt(index, version) !== undefined, 30);
    const seen = harness.seenAt(index, version) ?? Number.NaN;
    sent.push(seen - at);
    accepted.push(Math.max(0, seen - acceptedAt));
    await harness.until("the changed child is ready", () => harness.readyAt(index, version) !== undefined, 30);
    await sleep(PAUSE_MS);
    limits.push(await harness.limit(index));
    await sleep(PAUSE_MS);
  }
  const eventLoopP99Ms = await eventLoopMs(operator);
  const apiServerMs = spread(await probe.end());
  const load = loadAverage();
  // Old revisions go 10 s after they were replaced; their removal is part of a change.
  await harness.until("the old revisions are gone", () => harness.children().length === count, MOST_SECONDS);
  await requests.quiet(MOST_SECONDS * 1000);
  const own = requests.read().slice(before);
  return {
    samples,
    sentToChildMs: spread(sent),
    acceptedToChildMs: spread(accepted),
    limitMs: spread(limits),
    requestsPerChange: own.length / samples,
    requests: each(countByWhat(own), samples),
    cpuMsPerChange: ((preciseCpuSeconds(operator.pid) - cpu) * 1000) / samples,
    eventLoopP99Ms,
    apiServerMs,
    load,
  };
};
