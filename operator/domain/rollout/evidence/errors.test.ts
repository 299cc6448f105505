import assert from "node:assert/strict";
import { it } from "node:test";
import { NO_PAIRS } from "./arms.ts";
import { ERROR_LIMITS, logEOfErrors, observeErrors, startErrors } from "./errors.ts";

const pod = (name: string, requests: number) => [{ pod: name, requests, errors: 0, buckets: [] }];

/** Requests of the canary, in intervals of ten seconds, until it is safe by its errors; neither revision has any. */
const requestsUntilSafe = (canary: number, stable: number): number => {
  const interval = { canary: pod("b", canary), stable: pod("a", stable), pairs: NO_PAIRS };
  let evidence = startErrors(ERROR_LIMITS);
  for (let requests = canary; requests < 10_000; requests += canary) {
    evidence = observeErrors(evidence, ERROR_LIMITS, interval);
    if (logEOfErrors(evidence, ERROR_LIMITS).safe >= Math.log(100)) return requests;
  }
  return Number.POSITIVE_INFINITY;
};

it("about 650 requests of the canary without an error are safe, as docs/rollouts.md says, whatever its weight", () => {
  for (const [canary, stable] of [
    [10, 90],
    [25, 75],
    [50, 50],
  ] as const) {
    const requests = requestsUntilSafe(canary, stable);
    assert.ok(requests >= 600 && requests <= 700, `${requests} requests at ${canary} %`);
  }
});
