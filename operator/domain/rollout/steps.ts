/** The steps of a rollout: which share of the requests the canary gets, one after the other. Pure. */

/**
 * `weight` in percent. `pause`: after it somebody has to say that it goes on. `proof`: what it takes: evidence, or no more than pods
 * that keep well for the step's least time, since nothing serves beside them that they could be compared with.
 */
export type Step = { weight: number; pause: boolean; proof: "evidence" | "health" };

/** With all requests, nothing is left to compare it with: what the steps before have proved, and pods that keep well, are enough. */
export const evidenceStep = (weight: number, pause = false): Step => ({
  ...{ weight, pause },
  proof: weight === 100 ? "health" : "evidence",
});

/** No errors in so many requests make a rate of 1 % improbable (1 % in 300 would show none in one of twenty cases). */
const TELLING_REQUESTS = 300;
/** The least that a canary of more than a few requests a second gets at first. */
const LEAST_WEIGHT = 5;
/** Half of the requests decide fastest: with more, it is stable that is too seldom seen. */
const MOST_WEIGHT = 50;
const FACTOR = 5;

/**
 * Steps for a spec that has none: the first is as small as it can be so that the canary is asked often enough to tell within
 * `stepMs`, and the next ones five times as much, up to a half.
 *
 * 100 requests a second, a minute: 5 %, 25 %, 50 %. 30: 20 %, 50 %. 10 and less: 50 %.
 */
export const stepsFor = (requestsPerSecond: number, stepMs: number): Step[] => {
  const needed = (TELLING_REQUESTS / Math.max(requestsPerSecond * (stepMs / 1000), 1)) * 100;
  const steps: Step[] = [];
  for (let weight = Math.max(LEAST_WEIGHT, Math.ceil(needed / 5) * 5); weight < MOST_WEIGHT; weight *= FACTOR)
    steps.push(evidenceStep(weight));
  return [...steps, evidenceStep(MOST_WEIGHT)];
};
