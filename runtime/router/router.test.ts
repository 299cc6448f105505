import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { leastOutstanding } from "./balance.ts";
import { choose } from "./split.ts";
import { nextTable, type Table } from "./table.ts";

const table = (weight: number, epoch = 1): Table => ({
  epoch,
  routes: [
    { revision: "digits-old", role: "stable", weight: 100 - weight, shadow: 0 },
    { revision: "digits-new", role: "canary", weight, shadow: 0 },
  ],
});

describe("the routing table", () => {
  it("is replaced by a newer one", () => {
    assert.deepEqual(nextTable(undefined, table(5)), table(5));
    assert.deepEqual(nextTable(table(5), table(25, 2)), table(25, 2));
  });

  it("is kept when what comes is older, empty, or none at all", () => {
    const refusal = (offered: unknown) => {
      const next = nextTable(table(5, 2), offered);
      return "refused" in next ? next.refused : next;
    };
    assert.equal(refusal(table(50, 1)), "older");
    assert.equal(refusal({ epoch: 3, routes: [] }), "empty");
    assert.equal(refusal(undefined), "invalid");
    assert.equal(refusal({ epoch: 3, routes: [{ revision: "a", role: "stable", weight: 99 }] }), "invalid");
    const [route] = table(50).routes;
    assert.equal(refusal({ epoch: 3, routes: [route, route] }), "invalid");
    assert.deepEqual(refusal(table(50, 2)), table(5, 2));
    assert.equal(refusal(table(50, Number.MAX_SAFE_INTEGER)), "invalid", "no table would come after it");
  });

  it("is left for any other where its epoch is the last one, after which none could come", () => {
    const last = table(5, 2 ** 52);
    assert.deepEqual(nextTable(table(5), last), last);
    assert.deepEqual(nextTable(last, table(50, 2)), table(50, 2));
    assert.deepEqual(nextTable(last, { ...table(50, 2 ** 52) }), last);
  });

  it("adds up in tenths, too", () => {
    for (let tenths = 0; tenths <= 1000; tenths++) assert.ok("epoch" in nextTable(undefined, table(tenths / 10)));
  });
});

describe("the split", () => {
  const replayable = { isReplayable: true };

  it("is exact: the share of [0, 1) that goes to the canary is its weight", () => {
    for (const weight of [0, 0.1, 5, 50, 100]) {
      const canaries = Array.from({ length: 10_000 }, (_, at) => choose(table(weight), replayable, at / 10_000));
      assert.equal(canaries.filter((choice) => choice?.route.role === "canary").length, weight * 100);
    }
  });

  it("sends a tester's request where it wants to go, outside the evidence", () => {
    const pinned = (revision: string) => choose(table(0), { pinned: revision, isReplayable: false }, 0.5);
    assert.deepEqual([pinned("digits-new")?.route.role, pinned("digits-new")?.counts], ["canary", false]);
    assert.equal(pinned("digits-none"), undefined);
  });

  it("keeps on stable what cannot be sent again, and counts it on neither side", () => {
    for (const random of [0, 0.99]) {
      const choice = choose(table(50), { isReplayable: false }, random);
      assert.deepEqual([choice?.route.role, choice?.counts], ["stable", false]);
    }
  });

  it("gives everything to the only revision there is", () => {
    const first: Table = { epoch: 1, routes: [{ revision: "digits-new", role: "canary", weight: 100, shadow: 0 }] };
    assert.equal(choose(first, { isReplayable: false }, 0.99)?.route.revision, "digits-new");
  });
});

describe("the balance", () => {
  const pod = (address: string, outstanding: number, isReady = true) => ({ address, outstanding, isReady });

  it("takes the ready pod with the fewest requests under way", () => {
    const pods = [pod("a", 3), pod("b", 1), pod("c", 0, false), pod("d", 2)];
    assert.equal(leastOutstanding(pods, 4, 0)?.address, "b");
  });

  it("takes each of equals as often", () => {
    const pods = [pod("a", 1), pod("b", 0), pod("c", 0)];
    const taken = [0, 0.49, 0.5, 0.99].map((random) => leastOutstanding(pods, 4, random)?.address);
    assert.deepEqual(taken, ["b", "b", "c", "c"]);
  });

  it("takes none where each has as many as it may have, or none is ready", () => {
    assert.equal(leastOutstanding([pod("a", 4), pod("b", 5)], 4, 0), undefined);
    assert.equal(leastOutstanding([pod("a", 0, false)], 4, 0), undefined);
    assert.equal(leastOutstanding([], 4, 0), undefined);
  });
});
