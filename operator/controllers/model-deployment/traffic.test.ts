import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createWorld, NAME, type World } from "../../../test/simulation/world.ts";
import { findCondition, type ModelDeploymentSpec } from "../../api/v1alpha1/index.ts";
import { DEPLOYMENTS, SERVICES } from "../../platform/kube/resources.ts";
import { LEAVING_MS } from "./traffic.ts";

const spec = (file: string, path: "direct" | "router" = "router"): ModelDeploymentSpec => ({
  model: { uri: `https://models.example.com/${file}.onnx` },
  traffic: { path },
});

const statusOf = (world: World) => {
  const { status } = world.deployment();
  if (status === undefined) throw new Error("no status");
  return status;
};
const reason = (world: World) => findCondition(statusOf(world).conditions, "Ready")?.reason;
const client = (world: World) => world.get(SERVICES, NAME)?.spec;
const portOf = (world: World) => client(world)?.ports?.map(({ targetPort }) => targetPort);

/** Passes until something is as it should be. */
const until = async (world: World, isSo: () => boolean): Promise<void> => {
  for (let round = 0; round < 30; round++) {
    if (isSo()) return;
    const { requeueAfterMs = 100 } = await world.reconcile();
    world.act();
    world.now += Math.min(requeueAfterMs, 500);
  }
  throw new Error("it never came to that");
};

describe("a ModelDeployment whose requests go through the router", () => {
  it("serves directly until two routers follow its table, and then through them", async () => {
    const world = createWorld();
    const follow = world.routers;
    world.routers = () => [];
    world.put(spec("one"));
    await until(world, () => reason(world) === "Routing");
    const { stable, traffic } = statusOf(world);
    assert.deepEqual(traffic?.routes, [{ revision: stable?.revision, role: "stable", weight: 100 }]);
    assert.deepEqual(portOf(world), ["http", "grpc"]);
    world.routers = () => follow().slice(1);
    for (let i = 0; i < 3; i++) await world.reconcile();
    assert.deepEqual(portOf(world), ["http", "grpc"], "one router is none");
    world.routers = () => [{ epoch: (traffic?.epoch ?? 0) - 1, port: traffic?.port }, ...follow()];
    for (let i = 0; i < 3; i++) await world.reconcile();
    assert.deepEqual(portOf(world), ["http", "grpc"], "one that is behind would not know where to send requests");
    world.routers = follow;
    await world.settle();
    assert.deepEqual(portOf(world), [traffic?.port, traffic?.port]);
    assert.deepEqual(client(world)?.selector, { "app.kubernetes.io/managed-by": "berth", "berth.dev/router": "true" });
    assert.equal(reason(world), "Serving");
  });

  it("is updated by a new table; the old pods go only when all routers follow it", async () => {
    const world = createWorld();
    world.put(spec("one"));
    await world.settle();
    const { stable: old, traffic: before } = statusOf(world);
    const lagging = [before, before];
    world.routers = () => lagging;
    world.put(spec("two"));
    await until(world, () => statusOf(world).stable?.revision !== old?.revision);
    for (let i = 0; i < 30; i++) {
      await world.reconcile();
      world.now += 1000;
    }
    assert.ok(world.get(DEPLOYMENTS, old?.revision ?? ""), "a router may still send it requests");
    const { traffic } = statusOf(world);
    assert.ok((traffic?.epoch ?? 0) > (before?.epoch ?? 0));
    world.routers = () => [traffic, traffic];
    await world.settle();
    assert.equal(world.get(DEPLOYMENTS, old?.revision ?? ""), undefined);
    assert.deepEqual(portOf(world), [before?.port, before?.port]);
    assert.equal(reason(world), "Serving");
  });

  it("goes back to its pods at once, and leaves the routers their table until the last client has left them", async () => {
    const world = createWorld();
    world.put(spec("one"));
    await world.settle();
    world.put(spec("one", "direct"));
    await until(world, () => portOf(world)?.[0] === "http");
    const switched = world.now;
    await world.reconcile();
    assert.ok(statusOf(world).traffic);
    world.now = switched + LEAVING_MS + 1000;
    await world.settle();
    assert.equal(statusOf(world).traffic, undefined);
    assert.equal(reason(world), "Serving");
  });

  it("gets a newer table after its status was lost, on the same port", async () => {
    const world = createWorld();
    world.put(spec("one"));
    await world.settle();
    const { traffic } = statusOf(world);
    world.now += 5000;
    world.loseStatus();
    await world.settle();
    const after = statusOf(world).traffic;
    assert.equal(after?.port, traffic?.port);
    assert.ok((after?.epoch ?? 0) > (traffic?.epoch ?? 0));
    assert.equal(reason(world), "Serving");
  });
});
