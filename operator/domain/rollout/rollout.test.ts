import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { addTo, countOn, fitsWeight, NO_TOTALS, startCounting } from "./counts.ts";
import { LEVELS, type Verdict } from "./evidence/verdict.ts";
import { type Facts, isOver, next, type Rollout, START, weightOf } from "./machine.ts";
import type { RouterCounts } from "./router-counts.ts";
import { evidenceStep, type Step, stepsFor } from "./steps.ts";
import { counted, failed, judged, rejected } from "./words.ts";

const steps: Step[] = [evidenceStep(5), evidenceStep(25, true), evidenceStep(50)];

const facts: Facts = {
  ...{ now: 0, steps, minMs: 60_000, maxMs: 3_600_000, onInconclusive: "hold" },
  ...{
    isReady: true,
    isComplete: true,
    isAcknowledged: true,
    isSplitRight: true,
    verdict: undefined,
    isPausedBySpec: false,
    isServing: true,
    isSwap: false,
    isSwapRoomless: false,
    isStableBroken: false,
  },
};
const inconclusive: Verdict = { kind: "inconclusive", missing: ["errors"] };

/** The states that one after the other leads to. */
const through = (state: Rollout, ...all: Partial<Facts>[]): Rollout =>
  all.reduce((before: Rollout, some) => next(before, { ...facts, ...some }), state);

const observing = (step: number): Rollout => ({ phase: "observing", step, since: 0 });

describe("steps that follow from the traffic", () => {
  it("begin as small as they can, and as large as they must", () => {
    const weights = (perSecond: number) => stepsFor(perSecond, 60_000).map(({ weight }) => weight);
    assert.deepEqual(
      [weights(100), weights(30), weights(10), weights(0.5), weights(0)],
      [[5, 25, 50], [20, 50], [50], [50], [50]],
    );
  });
});

describe("a rollout", () => {
  it("goes from step to step as the evidence is safe, and is promoted", () => {
    const safe = { verdict: { kind: "safe" }, now: 60_000 } as const;
    const second = through(START, {}, {}, safe);
    assert.deepEqual(second, { phase: "preparing", step: 1 });
    assert.equal(weightOf(second, steps), 5, "until the next step is prepared, the weight stays");
    const paused = through(second, {}, {}, { ...safe, now: 120_000 });
    assert.deepEqual(paused, { phase: "paused", step: 1, since: 0, by: "step" });
    assert.deepEqual(through(paused, { ...safe, now: 10 ** 9 }), paused, "it waits for a person");
    const last = through(paused, { command: "resume" }, {}, { now: 200_000 });
    assert.deepEqual([last, weightOf(last, steps)], [{ phase: "observing", step: 2, since: 200_000 }, 50]);
    assert.deepEqual(through(last, { ...safe, now: 260_000 }), { phase: "promoted", by: "evidence" });
  });

  it("gets the pods that it needs to serve alone before it is promoted, and may still be rejected meanwhile", () => {
    const safe = { verdict: { kind: "safe" }, now: 60_000, isComplete: false } as const;
    const finishing = through(observing(2), safe);
    assert.deepEqual([finishing, weightOf(finishing, steps)], [{ phase: "finishing", by: "evidence" }, 50]);
    assert.equal(through(finishing, safe), finishing);
    assert.deepEqual(through(finishing, { ...safe, isComplete: true }), { phase: "promoted", by: "evidence" });
    assert.equal(through(finishing, { ...safe, verdict: { kind: "harm", by: ["errors"] } }).phase, "rejected");
  });

  it("takes no evidence where nothing serves beside it, but pods that are ready", () => {
    assert.deepEqual([evidenceStep(99).proof, evidenceStep(100).proof], ["evidence", "health"]);
    const alone: Step[] = [{ weight: 100, pause: false, proof: "health" }];
    const late = { steps: alone, now: 60_000 };
    assert.deepEqual(through(observing(0), { ...late, isReady: false }), observing(0));
    assert.deepEqual(through(observing(0), late), { phase: "promoted", by: "health" });
  });

  it("credits no step before its least time, before the routers follow, or while the split is another", () => {
    const safe = { verdict: { kind: "safe" } } as const;
    assert.deepEqual(through(observing(0), { ...safe, now: 59_999 }), observing(0));
    assert.deepEqual(through(observing(0), { ...safe, now: 60_000, isSplitRight: false }), observing(0));
    assert.deepEqual(through(START, { isReady: false }), START);
    const shifting: Rollout = { phase: "shifting", step: 0 };
    assert.deepEqual(through(START, {}, { isAcknowledged: false, ...safe }), shifting);
  });

  it("ends at once where there is harm, a fault or an abort, also while it is paused or prepared", () => {
    const ends: Partial<Facts>[] = [
      { verdict: { kind: "harm", by: ["errors"] } },
      { fatal: "crash loop" },
      { command: "abort" },
    ];
    const live: Rollout[] = [
      START,
      { phase: "shifting", step: 1 },
      observing(1),
      { phase: "paused", step: 1, since: 0, by: "command" },
    ];
    for (const state of live)
      for (const end of ends) {
        const after = through(state, end);
        assert.equal(after.phase, "rejected");
        assert.equal(weightOf(after, steps), 0);
        assert.equal(next(after, { ...facts, command: "promote" }), after, "what has ended stays so");
      }
  });

  it("does at the end of a step's time what the spec says, and no data is neither good nor bad", () => {
    const late = { now: 3_600_000, verdict: inconclusive };
    assert.deepEqual(through(observing(0), late), observing(0));
    assert.deepEqual(through(observing(0), { ...late, verdict: undefined }), observing(0));
    assert.deepEqual(through(observing(0), { ...late, onInconclusive: "advance" }), { phase: "preparing", step: 1 });
    const rolledBack = through(observing(0), { ...late, onInconclusive: "rollback" });
    assert.deepEqual(rolledBack, { phase: "rejected", rejection: { why: "inconclusive" } });
  });

  it("is paused and resumed by a person, and by the spec", () => {
    const paused = through(observing(1), { command: "pause" });
    assert.equal(weightOf(paused, steps), 25);
    assert.deepEqual(through(paused, { command: "resume", now: 5000 }), { phase: "observing", step: 1, since: 5000 });
    const bySpec = through(observing(1), { isPausedBySpec: true });
    assert.deepEqual(through(bySpec, { isPausedBySpec: true, command: "resume" }), bySpec);
    assert.equal(through(bySpec, {}).phase, "observing");
    assert.deepEqual(through(START, { isPausedBySpec: true }), START, "paused from the start: no weight moves");
    assert.deepEqual(through(START, { command: "pause" }), START);
    assert.deepEqual(through(START, { command: "resume" }), { phase: "shifting", step: 0 });
  });

  it("never has a weight that no step has, and no way out of its end", () => {
    const chance = fc.record({
      isReady: fc.boolean(),
      isAcknowledged: fc.boolean(),
      isPausedBySpec: fc.boolean(),
      now: fc.nat(10_000_000),
      verdict: fc.constantFrom(
        undefined,
        inconclusive,
        { kind: "safe" as const },
        { kind: "harm" as const, by: ["latency" as const] },
      ),
      onInconclusive: fc.constantFrom("hold" as const, "advance" as const, "rollback" as const),
    });
    fc.assert(
      fc.property(fc.array(chance, { maxLength: 60 }), (all) => {
        let state: Rollout = START;
        for (const some of all) {
          const after = next(state, { ...facts, ...some });
          if (isOver(state)) assert.equal(after, state);
          const weight = weightOf(after, steps);
          assert.ok([0, 5, 25, 50, 100].includes(weight));
          if (after.phase !== "rejected") assert.ok(weight >= weightOf(state, steps), "it only grows, or ends");
          state = after;
        }
      }),
    );
  });
});

const router = (id: string, startedAt: number, a: number[], b: number[] = [0, 0], pairs = [0, 0]): RouterCounts => {
  const counts = ([requests = 0, errors = 0]: number[]) => ({ requests, errors, buckets: [requests - errors, 0] });
  return {
    ...{ id, startedAt, revisions: { a: { "a-1": counts(a) }, b: { "b-1": counts(b) } } },
    shadow: {
      canary: { compared: pairs[0] ?? 0, disagreed: pairs[1] ?? 0 },
      self: { compared: pairs[2] ?? 0, disagreed: pairs[3] ?? 0 },
      failed: pairs[4] ?? 0,
      ...{ incomparable: 0, reason: pairs[4] === undefined ? undefined : 'output "y" is gone' },
    },
  };
};
const arms = { stable: "a", canary: "b" };

describe("what routers have counted", () => {
  it("is what came since they were last asked, of all of them together, by pod", () => {
    const first = startCounting(1000, [router("r1", 0, [100, 1]), router("r2", 0, [50, 0])]);
    const { interval } = countOn(
      first,
      [router("r1", 0, [110, 2], [5, 1], [4, 1]), router("r2", 0, [53, 0], [2, 0])],
      arms,
    );
    assert.deepEqual(interval.stable, [{ pod: "a-1", requests: 13, errors: 1, buckets: [12, 0] }]);
    assert.deepEqual(interval.canary, [{ pod: "b-1", requests: 7, errors: 1, buckets: [6, 0] }]);
    assert.deepEqual(interval.pairs, { compared: 4, disagreed: 1 });
  });

  it("takes a copy that the canary did not answer for one that disagrees", () => {
    const first = startCounting(1000, [router("r1", 0, [0, 0], [0, 0], [10, 1, 5, 1, 2])]);
    const { incomparable, interval } = countOn(first, [router("r1", 0, [0, 0], [0, 0], [14, 2, 6, 1, 5])], arms);
    assert.deepEqual(interval.pairs, { compared: 7, disagreed: 4 });
    assert.deepEqual(interval.self, { compared: 1, disagreed: 0 });
    assert.deepEqual(incomparable, { count: 0, reason: 'output "y" is gone' });
  });

  it("outlives a router that is away, one that is new, and one that was there and is only now heard of", () => {
    const begun = startCounting(1000, [router("r1", 0, [100, 0])]);
    const away = countOn(begun, [], arms);
    assert.deepEqual(away.interval.stable, []);
    const back = countOn(
      away.counting,
      [router("r1", 0, [130, 0]), router("new", 2000, [7, 0]), router("old", 500, [900, 9])],
      arms,
    );
    assert.deepEqual(
      back.interval.stable.map(({ requests }) => requests),
      [37],
    );
    const later = countOn(back.counting, [router("r1", 0, [130, 0]), router("old", 500, [905, 9])], arms);
    assert.deepEqual(
      later.interval.stable.map(({ errors, requests }) => [requests, errors]),
      [[5, 0]],
    );
  });

  it("is counted anew where a count has become smaller", () => {
    const begun = startCounting(1000, [router("r1", 0, [100, 5])]);
    const { interval } = countOn(begun, [router("r1", 0, [20, 2])], arms);
    assert.deepEqual(
      interval.stable.map(({ errors, requests }) => [requests, errors]),
      [[20, 2]],
    );
  });

  it("fits the weight, or not", () => {
    const totals = (canary: number, stable: number) => ({
      ...NO_TOTALS,
      canary: { requests: canary, errors: 0 },
      stable: { requests: stable, errors: 0 },
    });
    assert.equal(fitsWeight(totals(95, 905), 10), true);
    assert.equal(fitsWeight(totals(0, 1000), 10), false);
    assert.equal(fitsWeight(totals(200, 800), 10), false);
    assert.equal(fitsWeight(NO_TOTALS, 10), true);
  });
});

describe("a rollout in words", () => {
  it("says what was counted, what is missing, and how long it will take", () => {
    const totals = addTo(
      NO_TOTALS,
      {
        stable: [{ pod: "a", requests: 9801, errors: 3, buckets: [] }],
        canary: [{ pod: "b", requests: 1024, errors: 12, buckets: [] }],
        pairs: { compared: 200, disagreed: 1 },
        self: { compared: 20, disagreed: 0 },
      },
      { count: 0, reason: undefined },
    );
    const pace = (perSecond: number) => ({ perSecond, what: "requests of the canary" });
    assert.equal(
      counted(totals),
      "canary: 12 of 1,024 requests failed (1.2 %); stable: 3 of 9,801 requests failed (0.031 %); outputs: 1 of 200 pairs disagree (0.5 %)",
    );
    assert.equal(failed({ requests: 0, errors: 0 }), "0 of 0 requests failed");
    const course = { errors: [{ harm: Math.log(350), safe: -3 }], latency: [{ harm: -1, safe: Math.log(42) }] };
    assert.equal(
      judged({ kind: "harm", by: ["errors"] }, course, LEVELS, pace(5)),
      "harm: errors (e-value 350, threshold 200)",
    );
    assert.equal(
      judged({ kind: "inconclusive", missing: ["latency"], etaIntervals: 12 }, course, LEVELS, pace(5)),
      "not enough evidence on latency (no harm so far: e-value 42, threshold 100); about 600 more requests of the canary, 2 min at the present rate",
    );
    assert.match(
      judged({ kind: "inconclusive", missing: ["errors"] }, course, LEVELS, pace(5)),
      /^not enough evidence on errors \(looks harmful so far: e-value 350, threshold 200\);/,
    );
    assert.match(judged({ kind: "inconclusive", missing: [] }, {}, LEVELS, pace(0)), /^no requests were counted yet$/);
    assert.match(
      judged({ kind: "inconclusive", missing: ["latency"] }, course, LEVELS, pace(0)),
      /; no requests of the canary came recently; the rollout waits for traffic$/,
    );
    assert.match(rejected({ why: "harm", by: ["errors", "latency"] }), /regressed on errors and latency/);
  });
});
