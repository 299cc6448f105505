/** Children that are deleted, and that finalizers of others keep. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { during, replicasOf, serving, spec, stable, statusOf } from "../../../test/simulation/passes.ts";
import { NAME, type World } from "../../../test/simulation/world.ts";
import { REVISION_LABEL } from "../../api/v1alpha1/index.ts";
import type { KubeObject, Resource } from "../../platform/kube/objects.ts";
import { DEPLOYMENTS, SERVICES } from "../../platform/kube/resources.ts";

const finalize = (world: World, resource: Resource<KubeObject>, name: string, finalizers: string[]): void => {
  const object = world.get(resource, name) ?? assert.fail(name);
  object.metadata.finalizers = finalizers;
};

const replaced = async (finalizers: string[]): Promise<{ world: World; old: string }> => {
  const world = await serving({ strategy: "immediate" });
  world.isOneOperator = true;
  const old = stable(world);
  finalize(world, DEPLOYMENTS, old, finalizers);
  world.put(spec("two", { strategy: "immediate" }));
  await during(world, 30);
  return { world, old };
};

describe("a superseded Deployment that a finalizer keeps", () => {
  it("is deleted once, and the status says what keeps its pods", async () => {
    const { old, world } = await replaced(["example.com/hold", "example.com/log"]);
    assert.equal(
      statusOf(world).message,
      `${stable(world)} serves; Deployment ${old} is deleted, but its pods stay because of finalizers example.com/hold, example.com/log; check that the controller that removes them runs`,
    );
    assert.equal(world.writes.filter((write) => write === `delete Deployment/${old}`).length, 1);
    assert.ok(!world.events.includes("Warning WriteUndone"), world.events.join());
    world.erase(DEPLOYMENTS, old);
    await during(world, 1);
    assert.deepEqual([Object.keys(replicasOf(world)), statusOf(world).phase], [[stable(world)], "Healthy"]);
  });

  it("waits for nothing but its pods where somebody has deleted it in the foreground", async () => {
    const { old, world } = await replaced(["foregroundDeletion"]);
    assert.match(
      statusOf(world).message ?? "",
      new RegExp(`Deployment ${old} is deleted and stays until its pods are gone$`),
    );
  });
});

describe("the clients' Service, deleted and kept by a finalizer", () => {
  it("sends requests to whoever serves for as long as it is there", async () => {
    const world = await serving({ strategy: "immediate" });
    world.isOneOperator = true;
    finalize(world, SERVICES, NAME, ["service.kubernetes.io/load-balancer-cleanup"]);
    await world.client.delete(SERVICES, { name: NAME, namespace: "default" });
    world.put(spec("two", { strategy: "immediate" }));
    await during(world, 10);
    assert.equal(world.get(SERVICES, NAME)?.spec?.selector?.[REVISION_LABEL], stable(world));
    assert.deepEqual(Object.keys(replicasOf(world)), [stable(world)]);
    world.erase(SERVICES, NAME);
    await during(world, 1);
    assert.equal(world.get(SERVICES, NAME)?.spec?.selector?.[REVISION_LABEL], stable(world));
  });
});
