import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { demandOf, secondOf } from "./demand.ts";
import { keepFor } from "./needs.ts";
import { expectedPods, NONE, observeNeed } from "./recurrence.ts";
import { remainingSeconds, startSeconds, withStart } from "./start-time.ts";
import { mostThroughput, throughputAt, throughputWithin } from "./throughput.ts";
import { riseOf, trendSpan } from "./trend.ts";

const even = (perSecond: number, seconds: number) => new Array(seconds).fill({ all: perSecond, steady: perSecond });

describe("demand", () => {
  it("is the half minute's rate while the last seconds differ by chance alone", () => {
    assert.equal(demandOf([...even(30, 2), ...even(20, 28)]).rate, (2 * 30 + 28 * 20) / 30);
    assert.equal(demandOf([...even(80, 1), ...even(20, 29)]).rate, 80);
  });

  it("takes no crowd for a rate, and no chance for a crowd", () => {
    assert.deepEqual(secondOf(200, 200), { all: 200, steady: 0 });
    assert.deepEqual(secondOf(110, 20), { all: 110, steady: 110 });
    assert.equal(demandOf([secondOf(200, 200), ...even(0, 29)]).steady, 0);
  });
});

describe("a trend", () => {
  const ahead = 60;
  const block = trendSpan(ahead) / 4;
  const blocks = (...rates: number[]) => rates.flatMap((rate) => new Array<number>(block).fill(rate));
  it("is a rise that goes on, and no step", () => {
    assert.equal(riseOf(blocks(40, 30, 20, 10), ahead), 20);
    assert.equal(riseOf(blocks(40, 40, 10, 10), ahead), 0);
    assert.equal(riseOf(blocks(10, 20, 30, 40), ahead), 0);
    assert.equal(riseOf(blocks(40, 30), ahead), 0);
  });
});

describe("start times", () => {
  it("are what nine of ten starts took, of the last twenty", () => {
    let times: readonly number[] = [];
    for (let i = 1; i <= 100; i++) times = withStart(times, i);
    assert.equal(startSeconds(times), 98);
    assert.equal(startSeconds([]), 30);
  });

  it("tell what a pod still takes, and that one is stuck", () => {
    assert.equal(remainingSeconds(20, 60), 40);
    assert.equal(remainingSeconds(90, 60), 15);
    assert.equal(remainingSeconds(181, 60), undefined);
  });
});

describe("throughput", () => {
  const batched = { each: 0.02, perItem: 0.002, maxBatch: 32, parallel: 1 };
  const alone = { each: 0.1, perItem: 0, maxBatch: 1, parallel: 2 };
  it("follows the curve of the runs", () => {
    assert.ok(Math.abs(throughputAt(batched, 8) - 8 / 0.036) < 1e-9);
    assert.ok(Math.abs(mostThroughput(batched) - 32 / 0.084) < 1e-9);
    assert.equal(mostThroughput(alone), 20);
    assert.equal(throughputAt(alone, 1), 10);
  });

  it("leaves room for a latency, and knows one that cannot be met", () => {
    assert.equal(throughputWithin(alone, 0.05), undefined);
    const tight = throughputWithin(alone, 0.15) ?? 0;
    const loose = throughputWithin(alone, 2) ?? 0;
    assert.ok(tight < loose && loose <= 20 && tight > 0, `${tight} ${loose}`);
  });
});

describe("bursts", () => {
  /** Needs of each second: one pod, and `pods` for half a minute from each of `times` on. */
  const after = (times: readonly number[], pods: (burst: number) => number, until: number) => {
    let recurrence = NONE;
    for (let now = 0; now <= until; now++) {
      const burst = times.findIndex((at) => now >= at && now < at + 30);
      recurrence = observeNeed(recurrence, burst === -1 ? 1 : pods(burst), now);
    }
    return recurrence;
  };
  it("that came three times at even intervals are expected again, as small as they were, one start time before", () => {
    const even = after([100, 400, 700], (burst) => [9, 7, 8][burst] ?? 0, 900);
    assert.equal(expectedPods(even, 20, 974), 0);
    assert.equal(expectedPods(even, 20, 976), 7);
    assert.equal(expectedPods(even, 20, 1005), 7);
    assert.equal(expectedPods(even, 20, 1006), 0);
  });

  it("are not expected after two of them, nor where they keep no time, nor where the load is even", () => {
    assert.equal(
      expectedPods(
        after([100, 400], () => 9, 680),
        20,
        690,
      ),
      0,
    );
    const uneven = after([100, 400, 800], () => 9, 1000);
    for (let now = 1000; now < 1400; now++) assert.equal(expectedPods(uneven, 20, now), 0);
    const steady = after([], () => 9, 900);
    for (let now = 900; now < 1400; now++) assert.equal(expectedPods(steady, 20, now), 0);
  });
});

describe("the most pods that were needed", () => {
  it("is kept for its time, as few numbers", () => {
    let needs = keepFor([], { at: 0, pods: 5 }, 10);
    for (let at = 1; at < 10; at++) needs = keepFor(needs, { at, pods: 3 }, 10);
    assert.deepEqual(needs, [
      { at: 0, pods: 5 },
      { at: 9, pods: 3 },
    ]);
    assert.deepEqual(keepFor(needs, { at: 10, pods: 2 }, 10), [
      { at: 9, pods: 3 },
      { at: 10, pods: 2 },
    ]);
  });
});
