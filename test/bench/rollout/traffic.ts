/** Requests to a rollout that is simulated: how many each pod got in an interval of 10 s, what failed, and how long they took. */

import { LATENCY_EDGES } from "../../../contract/pod.ts";
import type { Interval, PodCounts } from "../../../operator/domain/rollout/evidence/arms.ts";
import { normal, normalCdf, poisson, type Random } from "./chance.ts";

export const INTERVAL_S = 10;

export type Noise = {
  /** Standard deviation of a pod's log rate or log time, that comes and goes; its autocorrelation from one interval to the next. */
  passing: number;
  rho: number;
  /** The same of what stays for the pod's life. */
  lasting: number;
};
export const QUIET: Noise = { passing: 0, rho: 0.8, lasting: 0 };

export type Traffic = {
  perSecond: number;
  /** Share of requests that go to the canary. */
  weight: number;
  stablePods: number;
  canaryPods: number;
  errors: { stable: number; canary: number };
  /** The canary's times are so many times as long. */
  slowdown: number;
  /** Share of compared pairs that disagree; undefined: nothing is shadowed. */
  disagreement: number | undefined;
  /** Share of the canary's answers that have NaN where stable's have a number, where outputs are compared. */
  lost: number;
  /** Share of requests that are shadowed. */
  shadow: number;
  noise: Noise;
  /** Both arms' error rates are five times as high now and then. */
  incident: boolean;
};

/** Log-normal times with a median of 40 ms. */
const MEDIAN_S = 0.04;
const SPREAD = 0.5;
const INCIDENT_FACTOR = 5;

type Pod = { name: string; lasting: number; passing: number };

/** Of the copies, those that go to stable again: at first, and once an answer has lost its numbers (runtime/router/shadow). */
const SELF_SHARE = 0.1;
const SUSPECT_SHARE = 0.5;

/** Copies of so many requests, one after another, and what comes of them. Where nothing is lost stable is not asked again. */
const copiesOf = ({ disagreement = 0, lost }: Traffic, random: Random) => {
  let isSuspect = false;
  return (count: number): Pick<Interval, "pairs" | "self" | "losses"> => {
    const pairs = { compared: 0, disagreed: 0 };
    const self = { compared: 0, disagreed: 0 };
    const losses = { canary: { compared: 0, lost: 0 }, self: { compared: 0, lost: 0 } };
    for (let i = 0; i < count; i++) {
      const wasSuspect = isSuspect;
      if (lost > 0 && random() < (isSuspect ? SUSPECT_SHARE : SELF_SHARE)) {
        self.compared++;
        if (wasSuspect) losses.self.compared++;
        continue;
      }
      const isLost = lost > 0 && random() < lost;
      pairs.compared++;
      if (wasSuspect) losses.canary.compared++;
      if (wasSuspect && isLost) losses.canary.lost++;
      if (isLost || random() < disagreement) pairs.disagreed++;
      isSuspect ||= isLost;
    }
    return lost > 0 ? { pairs, self, losses } : { pairs };
  };
};

/** A generator of the intervals from now on; `before` intervals without a canary come first. */
export const trafficOf = (traffic: Traffic, random: Random) => {
  const { noise } = traffic;
  const podsOf = (arm: string, count: number): Pod[] =>
    Array.from({ length: count }, (_, pod) => ({
      name: `${arm}-${pod}`,
      lasting: noise.lasting * normal(random),
      passing: noise.passing * normal(random),
    }));
  const stable = podsOf("stable", traffic.stablePods);
  const canary = podsOf("canary", traffic.canaryPods);
  const copies = copiesOf(traffic, random);
  const move = (pod: Pod): number => {
    pod.passing = noise.rho * pod.passing + Math.sqrt(1 - noise.rho ** 2) * noise.passing * normal(random);
    return pod.lasting + pod.passing;
  };

  /** @param share of the trial that has passed, 0 to 1; negative before it */
  return (share: number): Interval => {
    const isTrial = share >= 0;
    const total = traffic.perSecond * INTERVAL_S;
    const ofCanary = isTrial ? total * traffic.weight : 0;
    const factor = isTrial && traffic.incident && Math.sin(6 * Math.PI * share) > 0.7 ? INCIDENT_FACTOR : 1;
    const count = (pod: Pod, requests: number, rate: number, slowdown: number): PodCounts => {
      const effect = move(pod);
      const errorRate = Math.min(1, rate * factor * Math.exp(effect));
      // Independent parts of a Poisson stream are Poisson themselves.
      const errors = poisson(requests * errorRate, random);
      const buckets = bucketsOf(requests * (1 - errorRate), effect + Math.log(slowdown), random);
      return { pod: pod.name, requests: errors + buckets.reduce((sum, each) => sum + each, 0), errors, buckets };
    };
    const compared = traffic.disagreement === undefined || !isTrial ? 0 : poisson(total * traffic.shadow, random);
    return {
      stable: stable.map((pod) => count(pod, (total - ofCanary) / stable.length, traffic.errors.stable, 1)),
      canary: isTrial
        ? canary.map((pod) => count(pod, ofCanary / canary.length, traffic.errors.canary, traffic.slowdown))
        : [],
      ...copies(compared),
    };
  };
};

const LOG_EDGES = LATENCY_EDGES.map((edge) => (Math.log(edge) - Math.log(MEDIAN_S)) / SPREAD);
/** Standard deviations beyond which no request of a simulation lies. */
const FAR = 7;

const bucketsOf = (requests: number, shift: number, random: Random): number[] => {
  const buckets = new Array<number>(LATENCY_EDGES.length + 1).fill(0);
  let below = 0;
  for (const [edge, at] of [...LOG_EDGES, Number.POSITIVE_INFINITY].entries()) {
    const z = at - shift / SPREAD;
    if (z < -FAR) continue;
    const until = z > FAR ? 1 : normalCdf(z);
    buckets[edge] = poisson(requests * (until - below), random);
    below = until;
    if (until === 1) break;
  }
  return buckets;
};
