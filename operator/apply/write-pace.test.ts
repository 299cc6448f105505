import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { Deployment } from "../platform/kube/objects.ts";
import { DEPLOYMENTS, NETWORK_POLICIES } from "../platform/kube/resources.ts";
import { type Action, restoreTemplate } from "./actions.ts";
import { createWritePace } from "./write-pace.ts";

const KEY = { namespace: "default", name: "a" };
const HOUR_MS = 3_600_000;

const policy = (port: number, uid = "u"): Action => ({
  verb: "apply",
  resource: NETWORK_POLICIES,
  object: {
    ...{ apiVersion: "networking.k8s.io/v1", kind: "NetworkPolicy" },
    metadata: { name: "a", namespace: "default", uid },
    ...{ spec: { port } },
  },
  manager: "berth",
});
const deployment = (generation: number): Deployment => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "a-1", namespace: "default", uid: "u", resourceVersion: "1", generation },
});
const restoreAt = (generation: number): Action => restoreTemplate(DEPLOYMENTS, deployment(generation), {});

describe("the pace of writes", () => {
  it("is bounded, whatever somebody else undoes, and when: 30 of one write an hour", () => {
    const gaps = fc.array(fc.oneof(fc.integer({ min: 0, max: 2_000 }), fc.integer({ min: 0, max: 1_500_000 })), {
      minLength: 1,
      maxLength: 400,
    });
    fc.assert(
      fc.property(gaps, fc.boolean(), (passes, isRestore) => {
        const pace = createWritePace();
        const writes: number[] = [];
        let now = 0;
        for (const [index, gap] of passes.entries()) {
          now += gap;
          const { due } = pace.due(KEY, [isRestore ? restoreAt(index) : policy(80, `u${index}`)], now);
          pace.done(KEY, due, now);
          if (due.length > 0) writes.push(now);
        }
        const inAnHour = writes.map((from) => writes.filter((at) => at >= from && at < from + HOUR_MS).length);
        assert.ok(Math.max(0, ...inAnHour) <= 30, `${Math.max(...inAnHour)}`);
      }),
    );
  });

  it("never stops: what is undone is put right again within ten minutes", () => {
    const pace = createWritePace();
    let now = 0;
    for (let times = 0; times < 40; times += 1) {
      const { againAfterMs = 0 } = pace.due(KEY, [policy(80)], now);
      assert.ok(againAfterMs <= 600_000);
      now += againAfterMs;
      const { due } = pace.due(KEY, [policy(80)], now);
      assert.equal(due.length, 1);
      pace.done(KEY, due, now);
    }
  });

  it("holds up neither other writes, nor one that means something else", () => {
    const pace = createWritePace();
    for (let times = 0; times < 5; times += 1) pace.done(KEY, [policy(80)], 0);
    const other: Action = { verb: "delete", resource: DEPLOYMENTS, name: "a", namespace: "default", uid: "u" };
    const { againAfterMs, due } = pace.due(KEY, [policy(80), policy(81), other], 1);
    assert.deepEqual(due, [policy(81), other]);
    assert.equal(againAfterMs, 9_999);
    pace.done(KEY, [policy(81)], 1);
    assert.deepEqual(pace.due(KEY, [policy(80)], 2).due, [policy(80)]);
  });

  it("says once after each time what is undone", () => {
    const pace = createWritePace();
    for (let times = 0; times < 5; times += 1) pace.done(KEY, [policy(80)], 0);
    const told = pace.due(KEY, [policy(80)], 1).contested;
    assert.deepEqual(told, [{ action: policy(80), times: 5, waitMs: 9_999 }]);
    assert.deepEqual(pace.due(KEY, [policy(80)], 2).contested, []);
    pace.done(KEY, [policy(80)], 10_000);
    assert.equal(pace.due(KEY, [policy(80)], 10_001).contested.length, 1);
  });

  it("restores a pod template after a minute, then two, and nothing else waits for that", () => {
    const pace = createWritePace();
    const other: Action = { verb: "delete", resource: DEPLOYMENTS, name: "b", namespace: "default", uid: "u" };
    const dueOf = (actions: Action[], now: number) => {
      const { contested: _, hindering: __, ...rest } = pace.due(KEY, actions, now);
      return rest;
    };
    const [first, second, third, fourth] = [restoreAt(1), restoreAt(3), restoreAt(5), restoreAt(7)];
    assert.deepEqual(dueOf([first, other], 1000), { due: [first, other] });
    pace.done(KEY, [first, other], 1000);
    assert.deepEqual(dueOf([second, other], 1500), { due: [other], againAfterMs: 59_500 });
    assert.deepEqual(dueOf([second], 61_000), { due: [second] });
    pace.done(KEY, [second], 61_000);
    assert.deepEqual(dueOf([third], 121_000), { due: [], againAfterMs: 60_000 });
    pace.done(KEY, [third], 10_000_000);
    assert.deepEqual(dueOf([fourth], 10_060_000), { due: [fourth] });
  });

  it("tries a restore again that failed, and not one that changed nothing", () => {
    const pace = createWritePace();
    const restore = restoreAt(1);
    assert.deepEqual(pace.due(KEY, [restore], 1000).due, [restore]);
    assert.deepEqual(pace.due(KEY, [restore], 1001).due, [restore]);
    pace.done(KEY, [restore], 1001);
    assert.deepEqual(pace.due(KEY, [restore], 10_000_000).due, []);
  });

  it("survives a clock that is put back", () => {
    const pace = createWritePace();
    for (let times = 0; times < 5; times += 1) pace.done(KEY, [policy(80)], HOUR_MS);
    assert.equal(pace.due(KEY, [policy(80)], 0).againAfterMs, 10_000);
  });

  const no = { kind: "refused", message: "no", isHopeless: false } as const;

  it("tries what is not taken after 1, 2, 4 … seconds, and then every 30, and says meanwhile why", () => {
    const pace = createWritePace();
    const waits: (number | undefined)[] = [];
    let now = 0;
    for (let times = 0; times < 8; times += 1) {
      assert.deepEqual(pace.due(KEY, [policy(80)], now).due, [policy(80)]);
      const wait = pace.done(KEY, [], now, [{ action: policy(80), obstacle: no }]) ?? 0;
      waits.push(wait);
      const { againAfterMs, due, hindering } = pace.due(KEY, [policy(80)], now + wait - 1);
      assert.deepEqual([due, hindering, againAfterMs], [[], [no], 1]);
      now += wait;
    }
    assert.deepEqual(
      waits,
      [1, 2, 4, 8, 16, 30, 30, 30].map((seconds) => seconds * 1000),
    );
  });

  it("takes a write for the same whatever time is in it, which is another in each pass", () => {
    const at = (time: string): Action => {
      const action = policy(80);
      assert.ok(action.verb === "apply");
      const metadata = { ...action.object.metadata, annotations: { at: time } };
      return { ...action, object: { ...action.object, metadata } };
    };
    const pace = createWritePace();
    pace.done(KEY, [], 0, [{ action: at("2026-01-01T00:00:00.000Z"), obstacle: no }]);
    assert.deepEqual(pace.due(KEY, [at("2026-01-01T00:00:01.000Z")], 999).due, []);
    for (let times = 0; times < 5; times += 1) pace.done(KEY, [at(`2026-01-01T00:01:0${times}Z`)], 60_000);
    assert.equal(pace.due(KEY, [at("2026-01-01T00:02:00Z")], 60_001).contested.length, 1);
  });

  it("holds up nothing else for that, nor a write that means something else, nor one that was taken since", () => {
    const pace = createWritePace();
    for (let times = 0; times < 5; times += 1) pace.done(KEY, [], 0, [{ action: policy(80), obstacle: no }]);
    const other: Action = { verb: "delete", resource: DEPLOYMENTS, name: "a", namespace: "default", uid: "u" };
    assert.deepEqual(pace.due(KEY, [policy(80), other], 1).due, [other]);
    assert.deepEqual(pace.due(KEY, [policy(81)], 1), { due: [policy(81)], contested: [], hindering: [] });
    assert.equal(pace.done(KEY, [policy(80)], 20_000), undefined);
    assert.deepEqual(pace.due(KEY, [policy(80)], 20_001).due, [policy(80)]);
    pace.done(KEY, [], 20_001, [{ action: policy(80), obstacle: no }]);
    pace.forget(KEY);
    assert.deepEqual(pace.due(KEY, [policy(80)], 20_002).due, [policy(80)]);
  });
});
