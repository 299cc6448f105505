import assert from "node:assert/strict";
import { test } from "node:test";
import { createWorld, NAME } from "../../test/simulation/world.ts";
import { DEPLOYMENTS, SERVICES } from "../kube/resources.ts";

const serving = async () => {
  const world = createWorld();
  world.put({ model: { uri: "https://models.example.com/one.onnx" } });
  await world.settle();
  return world;
};

test("a child that was deleted is made again, if its ModelDeployment is still there", async () => {
  const world = await serving();
  const revision = world.deployment().status?.stable?.revision ?? assert.fail();
  world.erase(DEPLOYMENTS, revision);
  world.erase(SERVICES, NAME);
  await world.settle();
  assert.ok(world.get(DEPLOYMENTS, revision));
  assert.ok(world.get(SERVICES, NAME));
});

test("nothing is made for a ModelDeployment that only the cache still has", async () => {
  const world = await serving();
  const revision = world.deployment().status?.stable?.revision ?? assert.fail();
  world.erase(DEPLOYMENTS, revision);
  world.isGone = true;
  const writes = world.writes.length;
  await world.reconcile();
  assert.deepEqual(world.writes.slice(writes), []);
});
