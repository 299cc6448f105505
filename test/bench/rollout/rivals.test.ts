import assert from "node:assert/strict";
import { test } from "node:test";
import { LATENCY_EDGES } from "../../../contract/pod.ts";
import { argo, flagger, type Minute } from "./rivals.ts";

const minute = (requests: number, errors: number, seconds = 0.01): Minute => {
  const bucket = LATENCY_EDGES.findIndex((edge) => edge >= seconds);
  return { requests, errors, buckets: LATENCY_EDGES.map((_, at) => (at === bucket ? requests - errors : 0)) };
};
const times = (count: number, one: Minute): Minute[] => Array.from({ length: count }, () => one);
const [good, bad] = [minute(100, 0), minute(100, 2)];

test("Flagger counts failures that a good minute does not take back", () => {
  assert.equal(flagger.decide(times(9, good)), undefined);
  assert.equal(flagger.decide(times(10, good)), "promote");
  assert.equal(flagger.decide([...times(4, bad), ...times(9, good)]), undefined);
  assert.equal(flagger.decide([...times(4, bad), ...times(9, good), bad]), "rollback");
  assert.equal(flagger.decide(times(5, minute(0, 0))), "rollback");
  assert.equal(flagger.decide(times(5, minute(100, 0, 0.9))), "rollback");
});

test("Argo Rollouts allows 5 % and three failures", () => {
  assert.equal(argo.decide(times(10, bad)), "promote");
  assert.equal(argo.decide(times(3, minute(100, 6))), undefined);
  assert.equal(argo.decide(times(4, minute(100, 6))), "rollback");
  assert.equal(argo.decide(times(5, minute(0, 0))), "rollback");
});
