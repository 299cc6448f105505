import assert from "node:assert/strict";
import { test } from "node:test";
import { backoff, type Input, type State, start, step } from "./list-watch.ts";

/** Feeds inputs, each with the time at which it comes. */
const after = (...inputs: [at: number, input: Input][]): State =>
  inputs.reduce((state, [now, input]) => step(state, input, { now, random: 0 }), start);

const listed: [number, Input] = [0, { type: "page", resourceVersion: "10" }];
const broken: Input = { type: "failed", expired: false };
const expired: Input = { type: "failed", expired: true };
const waited: Input = { type: "waited" };

test("pages are fetched to the last, then the watch starts where the list ended", () => {
  const paging = after([0, { type: "page", resourceVersion: "10", continue: "next" }]);
  assert.deepEqual([paging.phase, paging.phase === "listing" && paging.continue], ["listing", "next"]);
  const watching = after([0, { type: "page", resourceVersion: "10", continue: "next" }], listed);
  assert.deepEqual([watching.phase, watching.phase === "watching" && watching.resourceVersion], ["watching", "10"]);
});

test("a page that fails starts the list over", () => {
  const state = after([0, { type: "page", resourceVersion: "10", continue: "next" }], [1, expired], [900, waited]);
  assert.deepEqual([state.phase, state.phase === "listing" && state.continue], ["listing", undefined]);
});

test("a watch goes on after the last resourceVersion seen, bookmarks included", () => {
  const seen: [number, Input] = [5, { type: "seen", resourceVersion: "12" }];
  const ended = after(listed, seen, [290_000, { type: "ended" }]);
  assert.deepEqual(ended, { phase: "watching", resourceVersion: "12", since: 290_000, attempt: 0, relisted: false });
  const failed = after(listed, seen, [2000, broken], [2800, waited]);
  assert.deepEqual([failed.phase, failed.phase === "watching" && failed.resourceVersion], ["watching", "12"]);
});

test("a watch that ends at once is waited for, as one that fails is", () => {
  for (const input of [broken, { type: "ended" } as const]) assert.equal(after(listed, [999, input]).phase, "waiting");
});

test("expiry relists at once, but not a second time without a steady watch between", () => {
  assert.equal(after(listed, [10, expired]).phase, "listing");
  assert.equal(
    after(listed, [10, expired], [20, { type: "page", resourceVersion: "20" }], [30, expired]).phase,
    "waiting",
  );
  const steady = after(listed, [10, expired], [20, { type: "page", resourceVersion: "20" }], [40_000, expired]);
  assert.equal(steady.phase, "listing");
});

test("delays double from 0.8 s to 30 s, and start over after a steady watch", () => {
  const delays: number[] = [];
  let state: State = after(listed);
  for (let now = 1; delays.length < 7; now++) {
    state = step(state, broken, { now, random: 0 });
    delays.push(state.phase === "waiting" ? state.ms : 0);
    state = step(state, waited, { now, random: 0 });
  }
  assert.deepEqual(delays, [800, 1600, 3200, 6400, 12_800, 25_600, 30_000]);
  const steady = step(state, broken, { now: 60_000, random: 0 });
  assert.equal(steady.phase === "waiting" && steady.ms, 800);
});

test("a watch that lasted a while is not waited for longer than it lasted, however often it is cut", () => {
  let state: State = after(listed);
  for (const [lasted, most] of [
    [999, 800],
    [5000, 1600],
    [5000, 3200],
    [5000, 5000],
    [5000, 5000],
    [999, 25_600],
  ] as const) {
    const since = state.phase === "watching" ? state.since : assert.fail(state.phase);
    state = step(state, broken, { now: since + lasted, random: 0 });
    assert.equal(state.phase === "waiting" && state.ms, most);
    state = step(state, waited, { now: since + lasted + most, random: 0 });
  }
});

test("jitter takes away up to half, and a Retry-After is a minimum", () => {
  assert.equal(backoff(0, 0.999999) > 400, true);
  assert.equal(backoff(50, 0.5), 22_500);
  const state = after(listed, [1, { type: "failed", expired: false, retryAfterMs: 5000 }]);
  assert.equal(state.phase === "waiting" && state.ms, 5000);
});
