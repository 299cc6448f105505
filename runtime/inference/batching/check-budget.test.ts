import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { affords, newBudget, SHARE } from "./check-budget.ts";

const ms = fc.double({ min: 0, max: 10_000, noNaN: true });

test("whatever runs take, checks take no more than half a percent of it and what one took beyond its estimate", () => {
  const step = fc.record({ ranMs: ms, expectedMs: ms, tookMs: ms });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const budget = newBudget();
      let beyond = 0;
      for (const { ranMs, expectedMs, tookMs } of steps) {
        budget.ranMs += ranMs;
        if (!affords(budget, expectedMs)) continue;
        assert.ok(budget.spentMs + expectedMs <= SHARE * budget.ranMs);
        budget.spentMs += tookMs;
        beyond = Math.max(beyond, tookMs - expectedMs);
        assert.ok(budget.spentMs <= 0.005 * budget.ranMs + beyond + 1e-6);
      }
    }),
  );
});

test("what runs on for long is checked: the share is used", () => {
  const budget = newBudget();
  let checks = 0;
  for (let i = 0; i < 100_000; i++) {
    budget.ranMs += 2;
    if (!affords(budget, 1)) continue;
    budget.spentMs += 1;
    checks += 1;
  }
  assert.ok(checks >= 999 && checks <= 1000, `${checks} checks of 1 ms in 200 s`);
});
