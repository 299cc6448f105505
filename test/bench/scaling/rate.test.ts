import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { berth } from "./ours.ts";
import { betterInBoth, isWon, marginOf, meanOf, type Result } from "./rate.ts";
import { hpa, kedaHttp, kpa, kubeAi } from "./rivals.ts";
import { simulate } from "./simulate.ts";
import { TRACES } from "./traces.ts";

const result = (p95: number, gpuSeconds: number): Result => ({ p95, gpuSeconds, mean: 0, peak: 1, lost: 0 });

describe("the verdict of the scaling bench", () => {
  it("finds who is better in both, and nobody who is better in one", () => {
    const rivals = new Map([
      ["quick", result(1, 300)],
      ["cheap", result(9, 50)],
      ["both", result(1, 50)],
    ]);
    assert.deepEqual(betterInBoth(result(2, 100), rivals), ["both"]);
  });

  it("measures against the cheapest that waits no longer, or else the quickest", () => {
    const rivals = new Map([
      ["quick", result(1, 300)],
      ["quicker", result(0.5, 400)],
      ["cheap", result(9, 50)],
    ]);
    const margin = marginOf(result(2, 150), rivals);
    assert.deepEqual(margin, { kind: "devices", rival: "quick", share: 0.5 });
    assert.equal(margin && isWon(margin), true);
    const alone = marginOf(result(0.1, 390), rivals);
    assert.deepEqual([alone?.kind, alone?.rival, alone && isWon(alone)], ["wait", "quicker", true]);
  });
});

describe("the shipped decision in the bench's world", () => {
  // one seed of the loads that take least time to simulate; all of them are the bench's
  for (const trace of TRACES.filter(({ length }) => length <= 900)) {
    it(`is beaten by nobody in both: ${trace.name}`, () => {
      const run = (rule: Parameters<typeof simulate>[1]) => meanOf([simulate(trace, rule, 1)]);
      const ours = run(berth({ ...trace.model, parallel: 1 }));
      const rivals = new Map(
        Object.entries({ kpa: run(kpa()), hpa: run(hpa()), keda: run(kedaHttp()), kubeAi: run(kubeAi()) }),
      );
      assert.deepEqual(betterInBoth(ours, rivals), []);
      assert.equal(ours.lost, 0);
    });
  }
});
