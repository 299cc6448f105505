import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { estimate, newCost, observe } from "./cost.ts";
import { dispatch, gains, type Policy, usefulSize } from "./dispatch.ts";
import { seeded } from "./samples.ts";

const policy: Policy = { maxBatch: 32, maxDelayMs: 0, longestRunMs: 7500, hopMs: 0.15 };

const learned = (a: number, b: number, sizes: number[], noise = 0) => {
  const cost = newCost();
  const random = seeded(7);
  for (let i = 0; i < 60; i++) {
    for (const n of sizes) observe(cost, n, (a + b * n) * (1 + noise * (random() - 0.5)));
  }
  return cost;
};

test("the line is found, whatever its scale", () => {
  fc.assert(
    fc.property(
      fc.double({ min: 0.01, max: 100, noNaN: true }),
      fc.double({ min: 0.01, max: 100, noNaN: true }),
      (a, b) => {
        const cost = learned(a, b, [1, 2, 7, 30]);
        for (const n of [1, 4, 32]) {
          assert.ok(Math.abs(estimate(cost, n) / (a + b * n) - 1) < 0.01, `${n}: ${estimate(cost, n)}`);
        }
      },
    ),
  );
});

test("hiccups of the machine move it little, and a lasting change is learned", () => {
  const cost = learned(1, 0.5, [1, 4, 16], 0.2);
  observe(cost, 4, 5000);
  assert.ok(estimate(cost, 4) < 4.5, `${estimate(cost, 4)}`);
  for (let i = 0; i < 60; i++) for (const n of [1, 4, 16]) observe(cost, n, 2 * (1 + 0.5 * n));
  assert.ok(Math.abs(estimate(cost, 4) / 6 - 1) < 0.05);
});

test("what batches cost is remembered while only single items run", () => {
  const cost = learned(10, 1, [1, 8]);
  for (let i = 0; i < 1000; i++) observe(cost, 1, 11);
  assert.ok(Math.abs(cost.a - 10) < 0.2 && cost.apart);
});

test("who gains: small models and transformers, not a convolution on one thread", () => {
  assert.equal(gains(learned(0.015, 0.001, [1, 2, 8]), policy, true), true);
  assert.equal(gains(learned(3, 9.5, [1, 2, 8]), policy, true), true);
  assert.equal(gains(learned(0, 45, [1, 2, 3], 0.02), policy, true), false);
});

test("useful sizes: all for a small model, few for MiniLM, none that would take too long", () => {
  assert.equal(usefulSize(learned(0.015, 0.001, [1, 2, 8, 32]), policy), 32);
  assert.equal(usefulSize(learned(3, 9.5, [1, 2, 8, 32]), policy), 7);
  assert.equal(usefulSize(learned(3000, 1500, [1, 2]), policy), 3);
  assert.equal(usefulSize(newCost(), policy), 4);
});

const waiting = { items: 8, requests: 8, oldestAt: 0, size: 32, freeShards: 2, busyUntil: Number.POSITIVE_INFINITY };

test("what waits is divided among free shards where that ends sooner", () => {
  assert.deepEqual(dispatch({ ...waiting, cost: learned(3, 9.5, [1, 8]) }, policy, 0), { items: 4 });
  assert.deepEqual(dispatch({ ...waiting, items: 32, requests: 32, cost: learned(0.015, 0.001, [1, 32]) }, policy, 0), {
    items: 32,
  });
});

test("requests of a tiny model stay for the busy shard, but not for one that is late", () => {
  const tiny = { ...waiting, freeShards: 1, busyUntil: 0.1, cost: learned(0.015, 0.001, [1, 8]) };
  assert.ok("wakeAt" in dispatch(tiny, policy, 0));
  assert.deepEqual(dispatch(tiny, policy, 0.5), { items: 8 });
  assert.deepEqual(dispatch({ ...tiny, items: 40, requests: 40 }, policy, 0), { items: 32 }, "a full batch goes");
  const slow = { ...waiting, freeShards: 1, busyUntil: 30, cost: learned(3, 9.5, [1, 8]) };
  assert.deepEqual(dispatch(slow, policy, 0), { items: 8 });
});

test("--max-delay holds what is not full, until the oldest is that old", () => {
  const cost = learned(3, 1, [1, 8]);
  assert.deepEqual(dispatch({ ...waiting, cost }, { ...policy, maxDelayMs: 5 }, 2), { wakeAt: 5 });
  assert.ok("items" in dispatch({ ...waiting, cost }, { ...policy, maxDelayMs: 5 }, 5));
  assert.ok("items" in dispatch({ ...waiting, items: 32, cost }, { ...policy, maxDelayMs: 5 }, 2));
});
