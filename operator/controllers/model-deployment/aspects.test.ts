import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createWorld, type World } from "../../../test/simulation/world.ts";
import { findCondition, type ModelDeploymentSpec } from "../../api/v1alpha1/index.ts";

const spec = (file: string): ModelDeploymentSpec => ({ model: { uri: `https://models.example.com/${file}.onnx` } });

const settled = async (fate: World["fate"] = () => ({ ready: true })): Promise<World> => {
  const world = createWorld();
  world.fate = fate;
  world.surveyed = () => ({ rooms: [], waiting: [], placed: new Map(), priorities: new Map() });
  world.put(spec("one"));
  await world.settle();
  return world;
};

const told = (world: World) =>
  (["ModelLoaded", "CapacityAvailable"] as const).map((type) => {
    const condition = findCondition(world.deployment().status?.conditions, type);
    return `${condition?.status} ${condition?.reason}`;
  });

describe("the sides of the newest revision", () => {
  it("are good when it serves", async () => {
    assert.deepEqual(told(await settled()), ["True Loaded", "True Scheduled"]);
  });

  it("are told apart while it starts", async () => {
    const world = await settled(() => ({ ready: false }));
    assert.deepEqual(told(world), ["Unknown Starting", "True Scheduled"]);
  });

  it("are those of the new revision while the old one serves", async () => {
    const world = await settled();
    const old = world.deployment().status?.stable?.revision;
    world.fate = (revision) => ({ ready: revision === old });
    world.put(spec("two"));
    await world.settle();
    assert.deepEqual(told(world), ["Unknown Starting", "True Scheduled"]);
    assert.equal(findCondition(world.deployment().status?.conditions, "Available")?.status, "True");
  });

  it("name what the pods cannot get", async () => {
    const world = await settled(() => ({ ready: false, pending: "0/1 nodes are available: 1 Insufficient cpu." }));
    assert.deepEqual(told(world), ["Unknown Starting", "False Unschedulable"]);
  });

  it("name what is wrong with the model", async () => {
    const failure = JSON.stringify({ outcome: "failed", code: "ModelInvalid", message: "no operator Foo" });
    const world = await settled(() => ({ ready: false, failure }));
    assert.deepEqual(told(world), ["False ModelInvalid", "True Scheduled"]);
  });
});
