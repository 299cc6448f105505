/** Children that a person or another tool edits in the middle of a rollout. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  pass,
  readyPods,
  replicasOf,
  routes,
  serving,
  spec,
  stable,
  statusOf,
  until,
} from "../../../test/simulation/passes.ts";
import { NAME, type World } from "../../../test/simulation/world.ts";
import { PIN_KEY } from "../../api/v1alpha1/index.ts";
import { CONFIG_MAPS, DEPLOYMENTS, PODS, SERVICES } from "../../platform/kube/resources.ts";

const candidate = (world: World): string => statusOf(world).rollout?.revision ?? "";

/** As the API server stores `type: ExternalName`: without any address of the Service. */
const makeExternal = (world: World, name: string): void => {
  const service = world.get(SERVICES, name);
  assert.ok(service?.spec);
  Object.assign(service.spec, { type: "ExternalName", externalName: "elsewhere.example.com" });
  delete service.spec.clusterIP;
};

describe("a Service that somebody has made a name for something else", () => {
  for (const which of ["the clients'", "a revision's"])
    it(`is made anew, once: ${which}`, async () => {
      const world = await serving();
      const name = which === "the clients'" ? NAME : stable(world);
      const before = structuredClone(world.get(SERVICES, name)?.spec);
      makeExternal(world, name);
      const writes = world.writes.length;
      await world.settle();
      assert.deepEqual(world.get(SERVICES, name)?.spec, before);
      const made = world.writes.slice(writes).filter((write) => write.endsWith(` Service/${name}`));
      assert.deepEqual(made, [`delete Service/${name}`, `create Service/${name}`]);
    });
});

describe("a Service to which somebody has added what sends requests astray", () => {
  for (const which of ["the clients'", "a revision's"])
    it(`is as it was: ${which}`, async () => {
      const world = await serving();
      const name = which === "the clients'" ? NAME : stable(world);
      const spec = () => world.get(SERVICES, name)?.spec ?? assert.fail();
      const before = structuredClone(spec());
      Object.assign(spec(), { internalTrafficPolicy: "Local", publishNotReadyAddresses: true });
      Object.assign(spec().ports?.[0] ?? assert.fail(), { port: 8000 });
      const writes = world.writes.length;
      await world.settle();
      assert.deepEqual([spec(), world.writes.slice(writes)], [before, [`patch Service/${name}`]]);
    });
});

describe("a pin that somebody has replaced", () => {
  const other = `sha256:${"b".repeat(64)}`;

  it("costs no pod: it is that of the bytes that are served again", async () => {
    const world = await serving({}, { scaling: { minReplicas: 2 } });
    const pin = () => world.get(CONFIG_MAPS, stable(world))?.data;
    const before = structuredClone(pin());
    const pods = () => world.all(PODS).map(({ metadata }) => metadata.uid);
    const served = pods();
    Object.assign(pin() ?? assert.fail(), { [PIN_KEY]: other });
    await world.settle();
    assert.deepEqual([pin(), pods()], [before, served]);
  });
});

describe("a swap in which somebody deletes the new pods", () => {
  const swapped = async (more: Parameters<typeof spec>[1] = {}): Promise<{ world: World; old: string }> => {
    const world = await serving(more, {}, (one) => {
      one.slots = 1;
    });
    world.isOneOperator = true;
    const old = stable(world);
    world.put(spec("two", more));
    await until(world, () => readyPods(world, candidate(world)) === 1);
    await pass(world);
    return { world, old };
  };
  const paused = { stepDuration: { min: "5m" } };

  for (const what of ["its pod", "its Deployment"])
    it(`gives their successors the time that a swap has: ${what}`, async () => {
      const { old, world } = await swapped(paused);
      const second = candidate(world);
      world.now += 120_000;
      await pass(world);
      if (what === "its Deployment") world.erase(DEPLOYMENTS, second);
      world.erase(PODS, `${second}-0`);
      // what the controllers tell before there is another pod
      const deployment = world.get(DEPLOYMENTS, second);
      if (deployment?.status) Object.assign(deployment.status, { replicas: 0, readyReplicas: 0, availableReplicas: 0 });
      await world.reconcile();
      assert.deepEqual([statusOf(world).rollout?.phase, routes(world)], ["observing", ["canary 100"]]);
      await until(world, () => readyPods(world, second) === 1, 1);
      assert.equal(statusOf(world).rollout?.phase, "observing");
      await until(world, () => stable(world) !== old);
    });

  it("turns back where none comes in that time", async () => {
    const { old, world } = await swapped(paused);
    const second = candidate(world);
    world.now += 120_000;
    await pass(world);
    const { act } = world;
    world.act = () => {
      const { replicas = 0 } = world.get(DEPLOYMENTS, second)?.spec ?? {};
      if (replicas > 0) world.slots = 0;
      act();
      world.slots = 1;
    };
    world.erase(PODS, `${second}-0`);
    const from = world.now;
    await until(world, () => replicasOf(world)[old] === 1, 5);
    assert.ok(world.now - from < 60_000, `${(world.now - from) / 1000} s is longer than requests are held`);
  });
});
