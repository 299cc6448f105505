import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { allocate, type Claim, freeOf } from "./ledger.ts";
import { ONE, type PodSpec } from "./request.ts";
import type { Room } from "./room.ts";

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

  it("counts whole pods on single nodes, of those that match", () => {
    const rooms = [room("a", 3, { gpu: "l4" }), room("b", 8, { gpu: "t4" })];
    const wanted = claim("x", 9, { spec: spec(2, { gpu: "l4" }) });
    const { granted, left } = allocate(rooms, [wanted]);
    assert.equal(granted.get("x"), 1);
    assert.equal(freeOf(left, wanted.spec, "nvidia.com/gpu"), ONE);
    assert.equal(freeOf(rooms, wanted.spec, "nvidia.com/gpu"), 3n * ONE);
  });
});
