import assert from "node:assert/strict";
import { test } from "node:test";
import { createWorld, NAME } from "../../../test/simulation/world.ts";
import { CONFIG_MAPS, DEPLOYMENTS, SERVICES } from "../../platform/kube/resources.ts";

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

for (const resource of [DEPLOYMENTS, CONFIG_MAPS]) {
  test(`no ${resource.kind} is made for a ModelDeployment that only the cache still has`, async () => {
    const world = await serving();
    world.objects.delete(`${resource.kind}/${world.deployment().status?.stable?.revision}`);
    world.isGone = true;
    const writes = world.writes.length;
    await world.reconcile();
    assert.deepEqual(world.writes.slice(writes), []);
    world.isGone = false;
    await world.reconcile();
    assert.ok(world.writes.slice(writes).some((write) => write.startsWith(`create ${resource.kind}/`)));
  });
}
