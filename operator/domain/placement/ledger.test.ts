import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { admits } from "./admits.ts";
import { fits, takes, without } from "./fits.ts";
import { type Allocation, allocate as allocating, type Claim, freeOf } from "./ledger.ts";
import { ONE, type PodSpec, requestOf } from "./request.ts";
import type { Room } from "./room.ts";
import { inSlices, type Sliced } from "./slices.ts";

/** All slices at once, and how many there were. */
const sliced = (rooms: readonly Room[], claims: readonly Claim[]): Allocation & { slices: number } => {
  const work = allocating(rooms, claims);
  for (let slices = 1; ; slices++) {
    const { done, value } = work.next();
    if (done === true) return { ...value, slices };
  }
};
const allocate = (rooms: readonly Room[], claims: readonly Claim[]): Allocation => {
  const { slices: _, ...allocation } = sliced(rooms, claims);
  return allocation;
};

/** The same, without any thrift: each claim looks at each node. */
const simple = (rooms: readonly Room[], claims: readonly Claim[]): Allocation => {
  const left = [...rooms];
  const place = ({ more, spec }: Claim): number => {
    const request = requestOf(spec);
    let count = 0;
    let perhaps: [number, Room] | undefined;
    for (const [at, room] of left.entries()) {
      if (count >= more) break;
      if (!admits(room, spec)) continue;
      let rest = room;
      let answer = takes(rest, request);
      for (; count < more && answer === "yes"; answer = takes(rest, request)) {
        rest = without(rest, request);
        count++;
      }
      left[at] = rest;
      if (answer === "perhaps") perhaps ??= [at, rest];
    }
    if (count >= more || perhaps === undefined) return count;
    left[perhaps[0]] = without(perhaps[1], request);
    return count + 1;
  };
  const order = claims.toSorted(
    (one, other) => other.priority - one.priority || one.since - other.since || (one.key < other.key ? -1 : 1),
  );
  return { granted: new Map(order.map((one) => [one.key, place(one)] as const)), left };
};

const room = (node: string, gpus: number, labels: Record<string, string> = {}): Room => {
  const free = new Map([
    ["nvidia.com/gpu", BigInt(gpus) * ONE],
    ["pods", 100n * ONE],
  ]);
  return { node, labels, taints: [], total: free, free };
};
const spec = (gpus: number, nodeSelector: Record<string, string> = {}): PodSpec => ({
  nodeSelector,
  containers: [{ name: "server", resources: { requests: { "nvidia.com/gpu": String(gpus) } } }],
});
const claim = (key: string, more: number, rest: Partial<Claim> = {}): Claim => ({
  ...{ key, more, spec: spec(1), priority: 0, since: 0, ...rest },
});

describe("the ledger of devices", () => {
  it("gives the last device to the higher priority, and of equals to the older", () => {
    const rooms = [room("a", 1)];
    const of = (...claims: Claim[]) => Object.fromEntries(allocate(rooms, claims).granted);
    assert.deepEqual(of(claim("new", 1, { since: 2 }), claim("old", 1, { since: 1 })), { old: 1, new: 0 });
    assert.deepEqual(of(claim("low", 1), claim("high", 1, { priority: 5, since: 9 })), { high: 1, low: 0 });
  });

  it("gives nothing twice, whoever asks and in whatever order", () => {
    const rooms = [room("a", 2), room("b", 3)];
    const claims = [claim("x", 3, { since: 1 }), claim("y", 9, { since: 2 }), claim("z", 1, { since: 3 })];
    const { granted } = allocate(rooms, claims);
    assert.deepEqual(Object.fromEntries(granted), { x: 3, y: 2, z: 0 });
    assert.deepEqual(allocate(rooms, claims.toReversed()).granted, granted);
    assert.equal(rooms[0]?.free.get("nvidia.com/gpu"), 2n * ONE);
  });

  it("gives one more than is sure to fit, where only the scheduler knows", () => {
    const claimed = (key: string, more: number, since = 0): Claim =>
      claim(key, more, {
        since,
        spec: { containers: [], resourceClaims: [{ name: "gpu", resourceClaimTemplateName: "one-gpu" }] },
      });
    const dra = (unclaimed: number | undefined): Room => ({
      ...room("a", 0),
      devices: { offered: new Set(["nvidia.com/gpu"]), unclaimed },
    });
    const of = (rooms: Room[], ...claims: Claim[]) => Object.fromEntries(allocate(rooms, claims).granted);
    assert.deepEqual(of([dra(undefined)], claimed("x", 3), claimed("y", 0), claim("z", 2)), { x: 1, y: 0, z: 1 });
    assert.deepEqual(of([dra(1)], claimed("old", 3), claimed("new", 1, 1)), { old: 1, new: 0 });
    assert.deepEqual(of([dra(0)], claimed("x", 3)), { x: 0 });
    assert.deepEqual(of([room("b", 2), dra(5)], claim("x", 9)), { x: 3 });
    assert.deepEqual(of([room("b", 2), dra(5)], claim("x", 2)), { x: 2 });
  });

  it("counts whole pods on single nodes, of those that match", async () => {
    const rooms = [room("a", 3, { gpu: "l4" }), room("b", 8, { gpu: "t4" })];
    const wanted = claim("x", 9, { spec: spec(2, { gpu: "l4" }) });
    const { granted, left } = allocate(rooms, [wanted]);
    assert.equal(granted.get("x"), 1);
    assert.equal(await inSlices(freeOf(left, wanted.spec, "nvidia.com/gpu")), ONE);
    assert.equal(await inSlices(freeOf(rooms, wanted.spec, "nvidia.com/gpu")), 3n * ONE);
  });

  const specs = fc
    .record({
      gpus: fc.integer({ min: 0, max: 3 }),
      zone: fc.constantFrom(undefined, "a", "b"),
      isTolerant: fc.boolean(),
      isByClaim: fc.boolean(),
    })
    .map(
      ({ gpus, isByClaim, isTolerant, zone }): PodSpec => ({
        ...spec(gpus, zone === undefined ? {} : { zone }),
        ...(isTolerant ? { tolerations: [{ operator: "Exists" }] } : {}),
        ...(isByClaim ? { resourceClaims: [{ name: "x", resourceClaimTemplateName: "x" }] } : {}),
      }),
    );
  const rooms = fc.array(
    fc
      .record({
        gpus: fc.integer({ min: -1, max: 6 }),
        zone: fc.constantFrom("a", "b"),
        isTainted: fc.boolean(),
        unclaimed: fc.constantFrom(undefined, 0, 2, Number.POSITIVE_INFINITY),
      })
      .map(
        ({ gpus, isTainted, unclaimed, zone }): Room => ({
          ...room("n", gpus, { zone }),
          taints: isTainted ? [{ key: "k", effect: "NoSchedule" }] : [],
          ...(unclaimed === undefined ? {} : { devices: { unclaimed, offered: new Set<string>() } }),
        }),
      ),
    { maxLength: 12 },
  );
  const claims = fc
    .array(fc.record({ spec: specs, more: fc.nat(9), priority: fc.nat(1), since: fc.nat(3) }), { maxLength: 10 })
    .map((all) => all.map((one, i): Claim => ({ key: `claim-${i}`, ...one })));

  it("gives what it would give if each claim looked at each node", () => {
    fc.assert(
      fc.property(rooms, claims, (all, wanted) => assert.deepEqual(allocate(all, wanted), simple(all, wanted))),
      { numRuns: 500 },
    );
  });

  /** Nodes that are looked at, and the most of them between two turns of the event loop. */
  const looksOf = (nodes: number, work: (rooms: readonly Room[]) => Sliced<unknown>) => {
    let [looks, inSlice, most] = [0, 0, 0];
    const all = Array.from({ length: nodes }, (_, i): Room => {
      const { taints: _taints, ...rest } = room(`n${i}`, 4);
      return Object.defineProperty({ ...rest, taints: [] }, "taints", {
        enumerable: false,
        get: () => {
          looks += 1;
          inSlice += 1;
          return [];
        },
      });
    });
    for (const begun = work(all); begun.next().done !== true; inSlice = 0) most = Math.max(most, inSlice);
    return { looks, most: Math.max(most, inSlice) };
  };

  it("looks at few nodes at a time, and at those that are full once for each kind of pod", () => {
    const alike = Array.from({ length: 100 }, (_, i) => claim(`c${i}`, 100, { spec: spec(5) }));
    assert.deepEqual(looksOf(1000, (all) => allocating(all, alike)).looks, 1000);
    const different = Array.from({ length: 100 }, (_, i) => claim(`c${i}`, 100, { spec: spec(5 + i) }));
    const { looks, most } = looksOf(1000, (all) => allocating(all, different));
    assert.equal(looks, 100_000);
    assert.ok(most <= 500, `${most} in one go`);
    const empty = Array.from({ length: 30 }, (_, i) => room(`n${i}`, 200));
    const { granted, slices } = sliced(empty, [claim("one", 5000)]);
    assert.deepEqual([granted.get("one"), slices >= 3000 / 500], [3000, true]);
  });

  it("as do those who ask how many pods fit, and how much is free", () => {
    for (const work of [
      (all: readonly Room[]) => fits(all, spec(5), 9),
      (all: readonly Room[]) => freeOf(all, spec(1), "nvidia.com/gpu"),
    ]) {
      const { looks, most } = looksOf(5000, work);
      assert.equal(looks, 5000);
      assert.ok(most <= 500, `${most} in one go`);
    }
  });
});
