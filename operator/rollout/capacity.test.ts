import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { choosePlan, movedWeight, neededPods, nextReplicas, type Situation } from "./capacity.ts";
import { evidenceStep } from "./steps.ts";

const situation: Situation = {
  ...{ wanted: "auto", strategy: "canary", replicas: 4, fits: 0, startMs: 10_000, maxWaitMs: 60_000, rival: undefined },
};
const chosen = (some: Partial<Situation>) => choosePlan({ ...situation, ...some });

describe("where a new revision finds room", () => {
  it("is beside stable where there is room, or where nobody knows", () => {
    assert.equal(chosen({ fits: 4 }).plan, "surge");
    assert.match(chosen({ fits: undefined }).why, /not known/);
  });

  it("is in stable's place, one pod after the other, or all at once where it has only one", () => {
    assert.deepEqual(chosen({ fits: 1 }), { plan: "handover", why: "there is room for 1 of 4 more", spare: 1 });
    const swap = chosen({ replicas: 1 });
    assert.deepEqual([swap.plan, swap.readyWithinMs], ["swap", 47_500]);
    assert.match(swap.why, /a pod starts in 10 s: requests are held meanwhile/);
    assert.equal(chosen({ replicas: 1, strategy: "blueGreen" }).plan, "swap");
  });

  it("is waited for where a swap would not come back in time, would be another's, or nobody knows how long it takes", () => {
    const waits = (some: Partial<Situation>, why: RegExp) => {
      const { plan, why: told } = chosen({ replicas: 1, ...some });
      assert.equal(plan, "surge");
      assert.match(told, why);
    };
    waits(
      { startMs: 30_000 },
      /a start and the way back take 75 s, more than requests are held \(traffic.queue.maxWait, 60 s\)/,
    );
    waits({ rival: "other/pod" }, /other\/pod would take what stable gives up/);
    waits({ startMs: undefined }, /not known how long a pod takes to start/);
    waits({ strategy: "shadow" }, /needs both revisions whole/);
    waits({ strategy: "blueGreen", replicas: 2 }, /needs both revisions whole/);
  });

  it("is what the spec says", () => {
    for (const wanted of ["surge", "handover", "swap"] as const) assert.equal(chosen({ wanted }).plan, wanted);
    assert.equal(chosen({ wanted: "swap", startMs: undefined }).readyWithinMs, 30_000);
  });
});

describe("the pods of a handover", () => {
  const steps = [evidenceStep(25), evidenceStep(50)];

  it("follow the weight, and the last of stable's goes when the new revision is stable", () => {
    const needed = (step: number) =>
      neededPods({ plan: "handover" }, { phase: "observing", step, since: 0 }, steps, 4, false);
    assert.deepEqual([needed(0), needed(1)], [1, 2]);
    assert.equal(neededPods({ plan: "handover" }, { phase: "finishing", by: "evidence" }, steps, 4, false), 3);
    assert.deepEqual([movedWeight(50, 2, 4), movedWeight(50, 3, 4), movedWeight(50, 4, 4)], [50, 75, 99]);
  });

  it("are never more than there is room for, and none is missing that need not be", () => {
    const chance = fc.record({
      replicas: fc.integer({ min: 2, max: 50 }),
      spare: fc.nat(50),
      needed: fc.integer({ min: 1, max: 50 }),
      ready: fc.nat(50),
    });
    fc.assert(
      fc.property(chance, ({ needed, ready, replicas, spare }) => {
        const { canary, stable } = nextReplicas(
          { plan: "handover", spare },
          Math.min(needed, replicas - 1),
          replicas,
          Math.min(ready, replicas),
        );
        assert.ok(canary + stable <= replicas + spare);
        assert.ok(stable >= 1 && stable <= replicas && canary >= 1);
        // those that are ready, with stable's: none is missing, or one where nothing is spare
        assert.ok(stable + Math.min(ready, canary) >= (spare > 0 ? replicas : replicas - 1));
      }),
    );
  });
});
