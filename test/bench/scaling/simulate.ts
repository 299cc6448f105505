/**
 * Requests, a queue before pods that each take a batch at a time, and a rule that says how many pods there are: the same way for all
 * rules, that of Berth's router. Ideal where others' is not, which is in their favour.
 */
import { randomFrom } from "../../world/random.ts";
import type { MakeRule } from "./rules.ts";
import type { Trace } from "./traces.ts";

export type Outcome = {
  /** From a request's arrival to the beginning of its run, in seconds: 95 of 100 no more, and on average. */
  p95: number;
  mean: number;
  /** Pods with a device, starting ones as well, times seconds. */
  gpuSeconds: number;
  /** The most pods that were wanted at once. */
  peak: number;
  requests: number;
  /** Not answered in the end. */
  lost: number;
};

type Pod = {
  /** When it got its device; undefined: it waits for one. */
  placedAt: number | undefined;
  /** When this start ends. */
  readyAt: number;
  isReady: boolean;
  busyUntil: number;
  batch: number;
  isLeaving: boolean;
};

/** Seconds between two looks of the simulation at its pods. */
const TICK = 0.02;
/** What is left when the load ends has so long to be worked off. */
const AFTER = 1200;

export const simulate = (trace: Trace, makeRule: MakeRule, seed: number): Outcome => {
  const { devices, flaky = 0, length, model, rate, start } = trace;
  const random = randomFrom(seed);
  const chance = randomFrom(seed + 7919);
  const rule = makeRule({ slots: model.maxBatch, most: 64 });
  const arrivals: number[] = [];
  for (let second = 0; second < length; second++) {
    const perSecond = rate(second);
    let at = second;
    while (perSecond > 0) {
      at += -Math.log(1 - random()) / perSecond;
      if (at >= second + 1) break;
      arrivals.push(at);
    }
  }
  const startTime = (): number => start * (5 / 6 + chance() / 3);
  let pods: Pod[] = [];
  let wanted = 1;
  let gpuSeconds = 0;
  let peak = 1;
  let next = 0;
  let head = 0;
  const waits: number[] = [];
  const tally = { arrivals: 0, busy: 0, readyTime: 0 };
  const tenths = new Array<number>(10).fill(0);
  let started: number[] = [];
  const newPod = (): Pod => ({
    ...{ placedAt: undefined, readyAt: 0, isReady: false, busyUntil: 0, batch: 0, isLeaving: false },
  });

  const resize = (): void => {
    const staying = pods.filter(({ isLeaving }) => !isLeaving);
    for (let i = staying.length; i < wanted; i++) pods.push(newPod());
    // those that are not ready go first, as a Deployment does it, the latest of them before others
    const leaving = staying
      .map((pod, i) => ({ pod, i }))
      .toSorted((one, other) => Number(one.pod.isReady) - Number(other.pod.isReady) || other.i - one.i)
      .slice(0, Math.max(0, staying.length - wanted));
    for (const { pod } of leaving) pod.isLeaving = true;
  };
  const place = (now: number): void => {
    let free = devices - pods.filter(({ placedAt }) => placedAt !== undefined).length;
    for (const pod of pods) {
      if (free <= 0) return;
      if (pod.placedAt !== undefined || pod.isLeaving) continue;
      pod.placedAt = now;
      pod.readyAt = now + startTime();
      free--;
    }
  };
  const isUnderWay = ({ batch }: Pod): boolean => batch > 0;

  pods.push(newPod());
  place(-start * 2);
  for (let tick = 0; tick < (length + AFTER) / TICK; tick++) {
    const now = tick * TICK;
    if (now >= length && next >= arrivals.length && head >= next && !pods.some(isUnderWay)) break;
    while (next < arrivals.length && (arrivals[next] ?? 0) <= now) {
      const tenth = Math.floor(((arrivals[next] ?? 0) % 1) * 10);
      tenths[tenth] = (tenths[tenth] ?? 0) + 1;
      next++;
      tally.arrivals++;
    }
    let hasLeft = false;
    for (const pod of pods) {
      if (pod.placedAt === undefined) {
        hasLeft ||= pod.isLeaving;
        continue;
      }
      if (now < length) gpuSeconds += TICK;
      if (!pod.isReady && now >= pod.readyAt) {
        if (chance() < flaky) pod.readyAt = now + startTime();
        else {
          pod.isReady = true;
          started.push(now - pod.placedAt);
        }
      }
      if (isUnderWay(pod) && now >= pod.busyUntil) {
        pod.batch = 0;
      }
      if (pod.isReady && !pod.isLeaving && !isUnderWay(pod) && head < next) {
        pod.batch = Math.min(model.maxBatch, next - head);
        for (let i = 0; i < pod.batch; i++) waits.push(now - (arrivals[head++] ?? now));
        pod.busyUntil = now + model.each + model.perItem * pod.batch;
      }
      if (pod.isReady) tally.readyTime += TICK;
      if (isUnderWay(pod)) tally.busy += TICK;
      hasLeft ||= pod.isLeaving && !isUnderWay(pod);
    }
    if (hasLeft) {
      pods = pods.filter((pod) => !pod.isLeaving || (pod.placedAt !== undefined && isUnderWay(pod)));
      place(now);
    }
    if (tick % Math.round(1 / TICK) !== 0) continue;
    const staying = pods.filter(({ isLeaving }) => !isLeaving);
    const decided = rule({
      ...{ now: Math.round(now), arrivals: tally.arrivals, waiting: next - head, started },
      crowd: Math.max(...tenths),
      inFlight: staying.reduce((sum, { batch }) => sum + batch, 0),
      ready: staying.filter(({ isReady }) => isReady).length,
      starting: staying.flatMap(({ isReady, placedAt }) => (isReady || placedAt === undefined ? [] : [now - placedAt])),
      pods: staying.length,
      busy: tally.readyTime === 0 ? 0 : tally.busy / tally.readyTime,
    });
    tally.arrivals = tally.busy = tally.readyTime = 0;
    tenths.fill(0);
    started = [];
    if (decided === undefined) continue;
    wanted = decided;
    if (now < length) peak = Math.max(peak, wanted);
    resize();
    place(now);
  }
  const sorted = waits.toSorted((one, other) => one - other);
  return {
    p95: sorted[Math.ceil(sorted.length * 0.95) - 1] ?? 0,
    mean: sorted.reduce((sum, one) => sum + one, 0) / Math.max(1, sorted.length),
    ...{ gpuSeconds, peak, requests: arrivals.length, lost: arrivals.length - waits.length },
  };
};
