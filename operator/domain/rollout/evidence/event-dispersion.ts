/**
 * How much the rate of an event (an error) differs between equal pods. Such events are too rare for an estimate: a prior that is
 * wide enough holds, unless the stable version's pods prove that they differ by more.
 */
import type { Noise } from "./noise.ts";

/** What one pod did in one interval. */
export type PodEvents = { pod: string; requests: number; events: number };

/** Sums over whole windows of six intervals (60 s), and of the window that has begun. */
export type EventDispersion = {
  intervals: number;
  /** Of the window, by pod: events beyond those that its requests would have at the common rate. */
  excess: Record<string, number>;
  window: { chance: number; expected: number };
  total: { excess: number; chance: number; expected: number };
};

const WINDOW = 6;
/** Standard errors by which the pods must differ more than chance makes them. */
const PROOF = 1.64;

export const startEventDispersion = (): EventDispersion => ({
  intervals: 0,
  excess: {},
  window: { chance: 0, expected: 0 },
  total: { excess: 0, chance: 0, expected: 0 },
});

export const observeEvents = (before: EventDispersion, pods: readonly PodEvents[]): EventDispersion => {
  if (pods.length < 2) return before;
  const requests = pods.reduce((sum, pod) => sum + pod.requests, 0);
  const rate = pods.reduce((sum, pod) => sum + pod.events, 0) / Math.max(requests, 1);
  const excess = { ...before.excess };
  let { chance, expected } = before.window;
  for (const { pod, requests: own, events } of pods) {
    const known = Object.hasOwn(excess, pod) ? excess[pod] : undefined;
    excess[pod] = (known ?? 0) + events - own * rate;
    chance += own * rate * (1 - own / Math.max(requests, 1)) * (1 - rate);
    expected += (own * rate) ** 2 * (1 - 1 / pods.length);
  }
  const intervals = before.intervals + 1;
  if (intervals % WINDOW !== 0) return { ...before, intervals, excess, window: { chance, expected } };
  const squares = Object.values(excess).reduce((sum, each) => sum + each ** 2, 0);
  return {
    intervals,
    excess: {},
    window: { chance: 0, expected: 0 },
    total: {
      excess: before.total.excess + squares - chance,
      chance: before.total.chance + (2 * chance ** 2) / Math.max(pods.length - 1, 1),
      // the squares of a window's sums are six times the sum of its intervals' squares
      expected: before.total.expected + WINDOW * expected,
    },
  };
};

/** Standard deviation of what comes and goes and of what stays, in the log rate. */
const PRIOR = { passing: 0.2, lasting: 0.1, rho: 0.9, nu: 10 };

export const eventNoise = ({ total }: EventDispersion): Noise => {
  const { excess, chance, expected } = total;
  const proved = expected > 0 ? (excess - PROOF * Math.sqrt(chance)) / Math.max(expected, 1e-9) : 0;
  return { sigma2: Math.max(PRIOR.passing ** 2, proved), rho: PRIOR.rho, nu: PRIOR.nu, tau2: PRIOR.lasting ** 2 };
};
