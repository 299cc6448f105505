import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { choosePlan, type Situation } from "./capacity.ts";

const situation: Situation = {
  ...{ wanted: "auto", strategy: "canary", replicas: 4, fits: 0, startMs: 10_000, maxWaitMs: 60_000, rival: undefined },
};
const chosen = (some: Partial<Situation>) => choosePlan({ ...situation, ...some });

describe("where a new revision finds room", () => {
  it("is beside stable where there is room, or where nobody knows", () => {
    assert.equal(chosen({ fits: 4 }).plan, "surge");
    assert.deepEqual(chosen({ fits: undefined }).spare, 0, "one pod is asked for at a time");
    assert.match(chosen({ fits: undefined }).why, /free capacity of the nodes is unknown/);
  });

  it("is in stable's place, one pod after the other, or all at once where it has only one", () => {
    assert.deepEqual(chosen({ fits: 1 }), { plan: "handover", why: "there is room for 1 of 4 more", spare: 1 });
    const swap = chosen({ replicas: 1 });
    assert.deepEqual([swap.plan, swap.readyWithinMs], ["swap", 47_500]);
    assert.match(swap.why, /a pod starts in 10 s: the routers hold requests meanwhile/);
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
      /startup plus rollback takes 75 s, longer than requests may wait \(spec.traffic.queue.maxWait, 60 s\)/,
    );
    waits({ rival: "other/pod" }, /other\/pod would be scheduled into the freed capacity/);
    waits({ startMs: undefined }, /the start time of a pod is unknown/);
    waits({ strategy: "shadow" }, /needs all pods of both revisions/);
    waits({ strategy: "blueGreen", replicas: 2 }, /needs all pods of both revisions/);
  });

  it("is that of a stable revision that answers nobody, for as long as pods may take", () => {
    for (const some of [
      { replicas: 1, startMs: undefined },
      { strategy: "shadow" },
      { strategy: "blueGreen" },
    ] as const) {
      const { plan, readyWithinMs } = chosen({ ...some, brokenForMs: 600_000 });
      assert.deepEqual([plan, readyWithinMs], ["swap", 600_000]);
      assert.equal(chosen({ ...some, brokenForMs: 600_000, rival: "other/pod" }).plan, "surge");
      assert.equal(chosen({ ...some, brokenForMs: 600_000, fits: 4 }).plan, "surge");
    }
    assert.equal(chosen({ brokenForMs: 600_000 }).plan, "handover");
  });

  it("is asked of nobody where no node would take a pod, were it empty: stable keeps all of its own", () => {
    for (const replicas of [1, 4])
      for (const brokenForMs of [undefined, 1000])
        assert.deepEqual(
          [chosen({ replicas, brokenForMs, isNowhere: true }).plan, chosen({ replicas, isNowhere: true }).spare],
          ["surge", 0],
        );
  });

  it("is what the spec says", () => {
    for (const wanted of ["surge", "handover", "swap"] as const) assert.equal(chosen({ wanted }).plan, wanted);
    assert.equal(chosen({ wanted: "swap", startMs: undefined }).readyWithinMs, 30_000);
  });

  it("is in stable's place wherever somebody else counts the pods of both", () => {
    for (const wanted of ["auto", "surge", "handover"] as const)
      assert.deepEqual(
        [chosen({ wanted, isTotal: true, fits: 4 }).plan, chosen({ wanted, isTotal: true, fits: 4 }).spare],
        ["handover", 0],
      );
  });
});
