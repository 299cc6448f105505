import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { type Attempt, afterOutcome, type Outcome, patienceMs } from "./replay.ts";

const canary: Attempt = { role: "canary", isReplayable: true, triesBefore: 0 };
const stable: Attempt = { ...canary, role: "stable" };
const FAULTS: Outcome[] = [
  { kind: "answered", status: 500 },
  { kind: "answered", status: 503 },
  { kind: "unreachable" },
  { kind: "broken" },
  { kind: "late" },
];

const attempts = fc.record({
  role: fc.constantFrom<Attempt["role"]>("stable", "canary"),
  isReplayable: fc.boolean(),
  pinned: fc.constantFrom(undefined, "digits-new"),
});
const outcomes = fc.oneof(
  fc.integer({ min: 200, max: 599 }).map((status): Outcome => ({ kind: "answered", status })),
  fc.constantFrom<Outcome>({ kind: "unreachable" }, { kind: "broken" }, { kind: "late" }),
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

  it("on stable is asked again only where no pod has seen it", () => {
    assert.deepEqual(afterOutcome(stable, { kind: "unreachable" }), { kind: "again", on: "same" });
    assert.deepEqual(afterOutcome(stable, { kind: "answered", status: 500 }), { kind: "pass" });
    assert.deepEqual(afterOutcome(stable, { kind: "broken" }), { kind: "fail", status: 502 });
    assert.deepEqual(afterOutcome(stable, { kind: "late" }), { kind: "fail", status: 504 });
  });

  it("of a tester never gets another revision's answer", () => {
    fc.assert(
      fc.property(attempts, outcomes, (attempt, outcome) => {
        const next = afterOutcome({ ...attempt, pinned: "digits-new", triesBefore: 0 }, outcome);
        assert.ok(next.kind !== "again" || next.on === "same");
      }),
    );
  });

  it("that cannot be sent again is not, once a pod may have seen it", () => {
    fc.assert(
      fc.property(attempts, outcomes, (attempt, outcome) => {
        const next = afterOutcome({ ...attempt, isReplayable: false, triesBefore: 0 }, outcome);
        assert.ok(next.kind !== "again" || outcome.kind === "unreachable");
      }),
    );
  });

  it("ends, whatever happens to it", () => {
    fc.assert(
      fc.property(attempts, fc.array(outcomes, { minLength: 8, maxLength: 8 }), (first, ends) => {
        let attempt: Attempt = { ...first, triesBefore: 0 };
        for (const outcome of ends) {
          const next = afterOutcome(attempt, outcome);
          if (next.kind !== "again") return;
          const role = next.on === "stable" ? "stable" : attempt.role;
          attempt = { ...attempt, role, triesBefore: attempt.triesBefore + 1 };
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
