import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { leastOutstanding } from "./balance.ts";
import { EMPTY, expire, type Hold, type Limits, nextExpiry, offer, release, type Waiting, withdraw } from "./hold.ts";
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

describe("the hold", () => {
  const limits: Limits = { maxRequests: 3, maxBytes: 100, maxWaitMs: 1_000 };
  const request = (id: number, bytes: number, since: number): Waiting => ({ id, bytes, since });

  it("turns away what is too much, and keeps the rest", () => {
    const first = offer(EMPTY, request(1, 60, 0), limits).hold;
    assert.equal(offer(first, request(2, 41, 0), limits).refused, "bytes");
    const second = offer(first, request(2, 40, 0), limits).hold;
    const third = offer(second, request(3, 0, 0), limits).hold;
    assert.equal(offer(third, request(4, 0, 0), limits).refused, "requests");
    assert.equal(third.waiting.length, 3);
  });

  it("lets go in order, and forgets those who left", () => {
    const all = [1, 2, 3].reduce((hold, id) => offer(hold, request(id, 10, id), limits).hold, EMPTY);
    const { hold, left } = release(withdraw(all, 2), 1);
    assert.deepEqual(
      left.map(({ id }) => id),
      [1],
    );
    assert.deepEqual(hold, { waiting: [request(3, 10, 3)], bytes: 10 });
  });

  it("says when the next has waited for as long as it may", () => {
    const hold = offer(offer(EMPTY, request(1, 0, 0), limits).hold, request(2, 0, 400), limits).hold;
    assert.equal(nextExpiry(hold, limits, 400), 600);
    const { hold: rest, left } = expire(hold, limits, 1_000);
    assert.deepEqual(
      left.map(({ id }) => id),
      [1],
    );
    assert.equal(nextExpiry(rest, limits, 1_000), 400);
    assert.equal(nextExpiry(EMPTY, limits, 0), undefined);
  });

  it("whatever happens: within its bounds, nobody lost, nobody twice", () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant("offer" as const), bytes: fc.nat(60) }),
      fc.record({ kind: fc.constant("release" as const), count: fc.nat(3) }),
      fc.record({ kind: fc.constant("pass" as const), ms: fc.nat(700) }),
      fc.record({ kind: fc.constant("withdraw" as const), id: fc.nat(30) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        let [hold, now, offered]: [Hold, number, number] = [EMPTY, 0, 0];
        const gone: number[] = [];
        for (const one of steps) {
          if (one.kind === "offer") {
            const { hold: next, refused } = offer(hold, request(offered, one.bytes, now), limits);
            if (refused !== undefined) gone.push(offered);
            offered += 1;
            hold = next;
          } else if (one.kind === "withdraw") {
            if (hold.waiting.some(({ id }) => id === one.id)) gone.push(one.id);
            hold = withdraw(hold, one.id);
          } else {
            if (one.kind === "pass") now += one.ms;
            const { hold: next, left } = one.kind === "release" ? release(hold, one.count) : expire(hold, limits, now);
            gone.push(...left.map(({ id }) => id));
            hold = next;
          }
          assert.ok(hold.waiting.length <= limits.maxRequests && hold.bytes <= limits.maxBytes);
        }
        const all = [...gone, ...hold.waiting.map(({ id }) => id)].toSorted((one, other) => one - other);
        assert.deepEqual(
          all,
          Array.from({ length: offered }, (_, id) => id),
        );
      }),
    );
  });
});
