import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { createWorld, NAME, type World } from "../../../test/simulation/world.ts";
import { findCondition, type ModelDeploymentSpec } from "../../api/v1alpha1/index.ts";
import type { Scale } from "../../domain/scaling/scale.ts";
import { errorFromStatus, KubeError } from "../../platform/kube/errors.ts";
import type { ObjectKey } from "../../platform/kube/objects.ts";
import { DEPLOYMENTS } from "../../platform/kube/resources.ts";
import { createStatusWriter } from "./write-status.ts";

const spec = (file: string): ModelDeploymentSpec => ({
  model: { uri: `https://models.example.com/${file}.onnx` },
  scaling: { minReplicas: 1, maxReplicas: 3 },
  traffic: { path: "router" },
});
const statusOf = (world: World) => {
  const { status } = world.deployment();
  if (status === undefined) throw new Error("no status");
  return status;
};
const ready = (world: World) => {
  const { message, reason, status } = findCondition(statusOf(world).conditions, "Ready") ?? {};
  return { message, reason, status };
};

const invalid = new KubeError("apply ModelDeployment: status.scale.why: Unsupported value", {
  ...{ kind: "terminal", reason: "Invalid", status: 422 },
});
const undeclared = new KubeError("failed to create typed patch object: .status.new: field not declared in schema", {
  ...{ kind: "retryable", reason: "InternalError", status: 500 },
});
type Status = { scale?: unknown; rollout?: unknown; stable?: { revision?: string }; traffic?: unknown };

/** An API server whose CRD takes no status of which this is true. */
const refusing = (world: World, isRefused: (status: Status) => boolean, error: Error = invalid): { times: number } => {
  const refused = { times: 0 };
  world.refuses = (_write, object: { kind?: string; status?: Status }) => {
    if (object.kind !== "ModelDeployment" || object.status === undefined || !isRefused(object.status)) return undefined;
    refused.times += 1;
    return error;
  };
  return refused;
};

describe("the status of a ModelDeployment", () => {
  it("is within the CRD's bounds whatever pods and routers have said", async () => {
    const number = fc.oneof(fc.double(), fc.constantFrom(90_000, -1, Number.NaN, Number.POSITIVE_INFINITY));
    const text = fc.oneof(fc.string({ maxLength: 3000 }), fc.constant("x".repeat(3000)));
    const learnt = fc.record({
      startSeconds: number,
      phases: fc.record({ schedule: number, pull: number, fetch: number, load: number }, { requiredKeys: [] }),
      curve: fc.record({ each: number, perItem: number, maxBatch: number, parallel: number }),
    });
    const scales: fc.Arbitrary<Scale> = fc.record({
      wanted: fc.integer({ min: 1, max: 3 }),
      canary: fc.constant(undefined),
      why: fc.constantFrom("load", "devices", "blind"),
      words: text,
      learnt,
      shortage: fc.option(text, { nil: undefined }),
      deaf: fc.option(text, { nil: undefined }),
    });
    await fc.assert(
      fc.asyncProperty(scales, async (scale) => {
        const world = createWorld();
        world.scale = () => scale;
        world.put(spec("one"));
        await world.settle();
        assert.equal(ready(world).status, "True");
        world.put(spec("two"));
        await world.settle();
        assert.match(statusOf(world).message ?? "", /serve/);
        assert.deepEqual(
          world.events.filter((event) => event.includes("Refused")),
          [],
        );
      }),
      { numRuns: 30 },
    );
  });
});

describe("a status that the API server refuses", () => {
  for (const error of [invalid, undeclared]) {
    it(`says so, and keeps promotion and routing table going (${error.status})`, async () => {
      const world = createWorld();
      world.put(spec("one"));
      await world.settle();
      const first = statusOf(world);
      refusing(world, ({ scale }) => scale !== undefined, error);
      world.put(spec("two"));
      for (let i = 0; i < 40; i++) {
        world.now += (await world.reconcile()).requeueAfterMs ?? 1_000;
        world.act();
      }
      const { observedGeneration, scale, stable, traffic } = statusOf(world);
      assert.notEqual(stable?.revision, first.stable?.revision);
      assert.deepEqual(traffic?.routes, [{ revision: stable?.revision, role: "stable", weight: 100 }]);
      assert.deepEqual([ready(world).status, ready(world).reason, scale], ["False", "StatusRefused", undefined]);
      assert.ok(ready(world).message?.includes(error.message));
      assert.equal(observedGeneration, 2);
      assert.equal(world.events.filter((event) => event === "Warning StatusRefused").length, 1);

      world.refuses = () => undefined;
      await world.settle();
      assert.equal(ready(world).status, "True");
      assert.equal(statusOf(world).scale?.replicas, 1);
    });
  }

  it("is sent once in 30 seconds, and the minimal one only when it changes", async () => {
    const world = createWorld();
    world.put(spec("one"));
    await world.settle();
    const [key, events, told]: [ObjectKey, string[], unknown[]] = [{ namespace: "default", name: NAME }, [], []];
    const { write } = createStatusWriter(world.client, { event: (_object, _type, reason) => events.push(reason) });
    const by = { log: { error: (of: unknown) => void told.push(of) }, signal: new AbortController().signal };
    const status = { ...statusOf(world), message: "another" };
    const refused = refusing(world, ({ scale }) => scale !== undefined);
    const sent = async () => {
      const modelDeployment = world.deployment();
      const owner = { name: NAME, namespace: "default", uid: modelDeployment.metadata.uid ?? "" };
      const { againAfterMs = 0 } = await write(key, { modelDeployment, owner }, status, world.now, by);
      world.now += 1_000;
      return againAfterMs;
    };
    assert.equal(await sent(), 30_000);
    const writes = world.writes.length;
    const waits = [];
    for (let i = 0; i < 60; i++) waits.push(await sent());
    assert.deepEqual(waits.slice(0, 31), [...Array.from({ length: 29 }, (_, i) => 29_000 - 1000 * i), 30_000, 29_000]);
    assert.deepEqual([refused.times, world.writes.length - writes], [3, 0]);
    assert.deepEqual([events, told.length], [["StatusRefused"], 1]);
    world.refuses = () => undefined;
    world.now += 30_000;
    await sent();
    assert.equal(statusOf(world).message, "another");
  });

  it("leaves the routing that there is where even the new rollout's is refused", async () => {
    const world = createWorld();
    world.put(spec("one"));
    await world.settle();
    const { stable, traffic } = statusOf(world);
    refusing(world, (status) => status.scale !== undefined || status.stable?.revision !== stable?.revision);
    world.put(spec("two"));
    for (let i = 0; i < 40; i++) {
      world.now += (await world.reconcile()).requeueAfterMs ?? 1_000;
      world.act();
    }
    assert.equal(ready(world).reason, "StatusRefused");
    assert.deepEqual(statusOf(world).stable, stable);
    assert.deepEqual(statusOf(world).traffic, traffic);
  });

  it("is no refusal where the API server only fails: the pass is tried again", async () => {
    const world = createWorld();
    world.put(spec("one"));
    const down = new KubeError("etcd is down", { kind: "retryable", reason: "InternalError", status: 500 });
    refusing(world, () => true, down);
    await assert.rejects(world.settle(), down);
    assert.deepEqual(world.events, []);
  });

  it("and kept out by missing rights is told of by one event, and tried again every ten seconds", async () => {
    const world = createWorld();
    world.put(spec("one"));
    await world.settle();
    const { traffic } = statusOf(world);
    const forbidden = errorFromStatus("apply ModelDeployment default/digits (status)", 403, {
      message: `User "system:serviceaccount:b:o" cannot patch resource "modeldeployments/status" in API group "berth.dev"`,
    });
    const refused = refusing(world, () => true, forbidden);
    world.isOneOperator = true;
    world.put(spec("two"));
    for (const end = world.now + 300_000; world.now < end; ) {
      world.now += (await world.reconcile()).requeueAfterMs ?? 1_000;
      world.act();
    }
    assert.ok(refused.times >= 25 && refused.times <= 35, `${refused.times} times in five minutes`);
    assert.deepEqual(statusOf(world).traffic, traffic);
    assert.deepEqual(
      world.events.filter((event) => event.includes("Refused")),
      ["Warning StatusRefused"],
    );
    world.refuses = () => undefined;
    await world.settle();
    assert.equal(ready(world).status, "True");
    assert.equal(world.all(DEPLOYMENTS).length, 1);
  });
});
