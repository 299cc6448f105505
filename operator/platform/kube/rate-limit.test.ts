import assert from "node:assert/strict";
import { test } from "node:test";
import { createBucket } from "./rate-limit.ts";

test("a burst goes at once, what is above it at the rate, and a rest fills up again to the burst and no further", () => {
  const waitOf = createBucket({ perSecond: 100, burst: 3 }, 0);
  assert.deepEqual([waitOf(0), waitOf(0), waitOf(0)], [0, 0, 0]);
  assert.deepEqual([waitOf(0), waitOf(0)].map(Math.round), [10, 20]);
  // 20 ms later both have gone, and nothing is left
  assert.equal(Math.round(waitOf(20)), 10);
  assert.deepEqual([waitOf(10_000), waitOf(10_000), waitOf(10_000)], [0, 0, 0]);
  assert.equal(Math.round(waitOf(10_000)), 10);
});
