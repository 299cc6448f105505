import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { type Attempt, afterOutcome, type Outcome, patienceMs } from "./replay.ts";

const canary: Attempt = { role: "canary", isReplayable: true, isSafe: false, missed: 0, wasRepeated: false };
const stable: Attempt = { ...canary, role: "stable" };
const FAULTS: Outcome[] = [
  { kind: "answered", status: 500 },
  { kind: "answered", status: 503 },
  { kind: "stale" },
  { kind: "broken" },
  { kind: "late" },
];

const attempts = fc.record({
  role: fc.constantFrom<Attempt["role"]>("stable", "canary"),
  isReplayable: fc.boolean(),
  isSafe: fc.boolean(),
  pinned: fc.constantFrom(undefined, "digits-new"),
  missed: fc.nat(3),
  wasRepeated: fc.boolean(),
});
const outcomes = fc.oneof(
  fc.integer({ min: 200, max: 599 }).map((status): Outcome => ({ kind: "answered", status })),
  fc
    .constantFrom(...(["unreachable", "unseen", "stale", "broken", "invalid", "late"] as const))
    .map((kind): Outcome => ({ kind })),
);

describe("a request that failed", () => {
  it("on the canary goes to stable, whatever the fault", () => {
    for (const outcome of FAULTS) assert.deepEqual(afterOutcome(canary, outcome), { kind: "again", on: "stable" });
  });

  it("is refused by stable, too, before a client is blamed for what a canary refuses", () => {
    for (const status of [400, 404, 422])
      assert.deepEqual(afterOutcome(canary, { kind: "answered", status }), { kind: "again", on: "stable" });
    assert.deepEqual(afterOutcome(stable, { kind: "answered", status: 400 }), { kind: "pass" });
  });

  it("keeps an answer about who asks, and how much: stable would say the same", () => {
    assert.deepEqual(afterOutcome(canary, { kind: "answered", status: 401 }), { kind: "pass" });
    assert.deepEqual(afterOutcome(canary, { kind: "answered", status: 429 }), { kind: "pass" });
  });

  it("on stable is asked again where no pod has seen it", () => {
    const again = { kind: "again", on: "same" };
    assert.deepEqual(afterOutcome(stable, { kind: "unreachable" }), again);
    assert.deepEqual(afterOutcome({ ...stable, missed: 2 }, { kind: "unreachable" }), { kind: "hold" });
    assert.deepEqual(afterOutcome(stable, { kind: "unseen" }), again);
    assert.deepEqual(afterOutcome(stable, { kind: "answered", status: 500 }), { kind: "pass" });
    assert.deepEqual(afterOutcome(stable, { kind: "broken" }), { kind: "fail", status: 502 });
    assert.deepEqual(afterOutcome(stable, { kind: "late" }), { kind: "fail", status: 504 });
  });

  it("on stable, where a pod may have seen it, is asked again once, and only where it changes nothing", () => {
    assert.deepEqual(afterOutcome(stable, { kind: "stale" }), { kind: "fail", status: 502 });
    const safe = { ...stable, isSafe: true };
    assert.deepEqual(afterOutcome(safe, { kind: "stale" }), { kind: "again", on: "same" });
    assert.deepEqual(afterOutcome({ ...safe, wasRepeated: true }, { kind: "stale" }), { kind: "fail", status: 502 });
  });

  it("is its client's fault where it cannot be sent at all", () => {
    for (const attempt of [stable, canary])
      assert.deepEqual(afterOutcome(attempt, { kind: "invalid" }), { kind: "fail", status: 400 });
  });

  it("of a tester never gets another revision's answer", () => {
    fc.assert(
      fc.property(attempts, outcomes, (attempt, outcome) => {
        const next = afterOutcome({ ...attempt, pinned: "digits-new" }, outcome);
        assert.ok(next.kind !== "again" || next.on === "same");
      }),
    );
  });

  it("that cannot be sent again is not, once a pod may have seen it", () => {
    fc.assert(
      fc.property(attempts, outcomes, (attempt, outcome) => {
        const next = afterOutcome({ ...attempt, isReplayable: false }, outcome);
        assert.ok(next.kind !== "again" || outcome.kind === "unreachable" || outcome.kind === "unseen");
      }),
    );
  });

  it("ends or waits, whatever happens to it", () => {
    fc.assert(
      fc.property(attempts, fc.array(outcomes, { minLength: 8, maxLength: 8 }), (first, ends) => {
        let attempt: Attempt = { ...first, missed: 0, wasRepeated: false };
        for (const outcome of ends) {
          const next = afterOutcome(attempt, outcome);
          if (next.kind !== "again") return;
          if (next.on === "stable") attempt = { ...attempt, role: "stable", missed: 0 };
          else if (outcome.kind === "unreachable") attempt = { ...attempt, missed: attempt.missed + 1 };
          else attempt = { ...attempt, wasRepeated: true };
        }
        assert.fail("it is still under way");
      }),
    );
  });
});

describe("the patience with a canary", () => {
  it("leaves stable the time that it needs", () => {
    assert.equal(patienceMs(30_000, 400), 29_200);
    assert.equal(patienceMs(1_000, 400), 500);
    assert.equal(patienceMs(1_000, undefined), 500);
  });

  it("is between half and all of the time", () => {
    fc.assert(
      fc.property(
        fc.double({ min: 1, max: 1e6, noNaN: true }),
        fc.double({ min: 0, max: 1e6, noNaN: true }),
        (all, p99) => {
          const patience = patienceMs(all, p99);
          assert.ok(patience >= all / 2 && patience <= all);
        },
      ),
    );
  });
});
