import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createTally, type Line } from "./tally.ts";

const line = (arrived: number, rest: Partial<Line["models"][string][string]> = {}, started = "first"): Line => ({
  started,
  models: { digits: { "digits-1": { arrived, crowd: 0, waiting: 0, inFlight: 0, ...rest } } },
});

describe("what the routers have told", () => {
  const take = (tally: ReturnType<typeof createTally>) => tally.take("a", "digits").get("digits-1");

  it("adds up over routers, and is news once", () => {
    const tally = createTally();
    for (const router of ["r1", "r2"]) tally.hear("a", router, line(100));
    tally.hear("a", "r1", line(110, { inFlight: 2, crowd: 4 }));
    tally.hear("a", "r2", line(105, { waiting: 1, crowd: 5 }));
    assert.deepEqual(take(tally), { arrivals: 15, crowd: 5, waiting: 1, inFlight: 2 });
    assert.deepEqual(take(tally), { arrivals: 0, crowd: 0, waiting: 1, inFlight: 2 });
  });

  it("counts what came while a connection was down, and what a router that was started anew has had", () => {
    const tally = createTally();
    tally.hear("a", "r1", line(100));
    tally.lose("r1");
    tally.hear("a", "r1", line(130));
    assert.equal(take(tally)?.arrivals, 30);
    tally.hear("a", "r1", line(7, {}, "second"));
    assert.equal(take(tally)?.arrivals, 7);
  });

  it("does not take for news what an operator that has just come is told first, but knows who waits", () => {
    const tally = createTally();
    assert.deepEqual(tally.hear("a", "r1", line(1_000_000, { waiting: 3 })), { waiting: ["digits"] });
    assert.deepEqual(take(tally), { arrivals: 0, crowd: 0, waiting: 3, inFlight: 0 });
  });

  it("forgets what a router held that is gone, and counts a revision that is new from its first request", () => {
    const tally = createTally();
    tally.hear("a", "r1", line(5, { waiting: 3, inFlight: 2 }));
    tally.lose("r1");
    assert.deepEqual([take(tally)?.waiting, take(tally)?.inFlight], [0, 0]);
    const two = { ...line(5).models.digits, "digits-2": { arrived: 4, crowd: 1, waiting: 0, inFlight: 0 } };
    tally.hear("a", "r1", { started: "first", models: { digits: two } });
    assert.equal(tally.take("a", "digits").get("digits-2")?.arrivals, 4);
  });

  it("keeps nothing of routers that do not come back, and no more names than a namespace has", () => {
    const tally = createTally();
    tally.hear("a", "r1", line(5, { waiting: 3 }));
    tally.hear("a", "r2", line(5, { waiting: 1 }));
    tally.drop("r1");
    assert.equal(take(tally)?.waiting, 1);
    tally.drop("r2");
    assert.equal(take(tally), undefined);
    const arm = { arrived: 0, crowd: 0, waiting: 1, inFlight: 0 };
    const named = (from: number) =>
      Object.fromEntries(Array.from({ length: 3000 }, (_, i) => [`m${from + i}`, { r: arm }]));
    const heard = [0, 3000, 6000].map(
      (from) => tally.hear("a", "r1", { started: "s", models: named(from) }).waiting.length,
    );
    assert.deepEqual(heard, [3000, 2000, 0]);
    assert.deepEqual(tally.hear("b", "r9", line(1, { waiting: 1 })).waiting, ["digits"]);
    tally.forget("a", "m0");
    assert.deepEqual(
      tally.hear("a", "r1", { started: "s", models: { m6000: { r: arm }, constructor: { r: arm } } }).waiting,
      ["m6000"],
    );
  });
});
