import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createWorld, NAME, type World } from "../../../test/simulation/world.ts";
import { findCondition, MODEL_DEPLOYMENTS, type ModelDeploymentSpec } from "../../api/v1alpha1/index.ts";
import { CONTROLLER_REVISIONS, DEPLOYMENTS, PODS } from "../../platform/kube/resources.ts";

const model = { uri: "https://models.example.com/one.onnx" };
const OURS = "berth.dev/restartedAt";
const KUBECTL = "kubectl.kubernetes.io/restartedAt";
const TIME = "2026-01-01T00:00:00Z";

const serving = async (pods: number, spec: Partial<ModelDeploymentSpec> = {}): Promise<World> => {
  const world = createWorld();
  world.put({ model, scaling: { minReplicas: pods }, ...spec });
  await world.settle();
  return world;
};
const deploymentOf = (world: World) => world.all(DEPLOYMENTS)[0] ?? assert.fail();
const templateOf = (world: World) => deploymentOf(world).spec?.template ?? assert.fail();
const restartedBy = (world: World, value: string) => {
  const template = templateOf(world);
  template.metadata = { ...template.metadata, annotations: { ...template.metadata?.annotations, [KUBECTL]: value } };
};
const askedBy = (world: World, value: string) => world.annotate(MODEL_DEPLOYMENTS, NAME, OURS, value);
const rollingOf = (world: World) => {
  const { maxSurge, maxUnavailable } = deploymentOf(world).spec?.strategy?.rollingUpdate ?? {};
  return { surge: maxSurge, unavailable: maxUnavailable };
};
const careful = { surge: 1, unavailable: 0 };
const givingWay = { surge: 0, unavailable: 1 };

/** As the Deployment controller and the scheduler leave it: `done` pods are new, and one more has found no node. */
const underWay = (world: World, done: number, { isPending = true } = {}): void => {
  const { spec, status } = deploymentOf(world);
  const replicas = spec?.replicas ?? 0;
  Object.assign(status ?? assert.fail(), { replicas: replicas + 1, ...(done > 0 ? { updatedReplicas: done } : {}) });
  const pod = structuredClone(world.all(PODS)[0] ?? assert.fail());
  pod.metadata = { ...pod.metadata, name: `${pod.metadata.name}-new`, uid: "new" };
  pod.spec = { containers: [] };
  pod.status = {
    conditions: [
      { type: "PodScheduled", status: "False", reason: "Unschedulable", message: "0/1 nodes are available." },
    ],
  };
  if (isPending) world.objects.set(`Pod/${pod.metadata.name}`, JSON.parse(JSON.stringify(pod)));
};

describe("a restart", () => {
  it("that the annotation asks for gives the pods a new template, and the revision none", async () => {
    const world = await serving(2);
    const [before] = world.all(CONTROLLER_REVISIONS);
    askedBy(world, TIME);
    await world.settle();
    assert.equal(templateOf(world).metadata?.annotations?.[OURS], TIME);
    assert.deepEqual(world.all(CONTROLLER_REVISIONS), [before]);
    assert.equal(world.all(DEPLOYMENTS).length, 1);
    const writes = world.writes.length;
    await world.settle();
    assert.equal(world.writes.length, writes);
  });

  it("is not repeated when the annotation goes", async () => {
    const world = await serving(2);
    askedBy(world, TIME);
    await world.settle();
    const { annotations: _, ...metadata } = world.deployment().metadata;
    world.objects.set(`ModelDeployment/${NAME}`, { ...JSON.parse(JSON.stringify(world.deployment())), metadata });
    await world.settle();
    assert.equal(templateOf(world).metadata?.annotations?.[OURS], TIME);
  });

  it("by kubectl rollout restart is not undone, not even where an edit is", async () => {
    const world = await serving(2);
    restartedBy(world, TIME);
    await world.settle();
    assert.equal(templateOf(world).metadata?.annotations?.[KUBECTL], TIME);
    deploymentOf(world).metadata.managedFields = [{ manager: "kubectl-edit" }];
    const { spec } = templateOf(world);
    if (spec !== undefined) spec.hostNetwork = true;
    await world.settle();
    assert.equal(templateOf(world).spec?.hostNetwork, undefined);
    assert.equal(templateOf(world).metadata?.annotations?.[KUBECTL], TIME);
  });

  it("replaces pods one by one: first the new one, and where there is no room for it first the old one", async () => {
    const world = await serving(3);
    assert.deepEqual(rollingOf(world), careful);
    askedBy(world, TIME);
    await world.settle();
    underWay(world, 0, { isPending: false });
    await world.reconcile();
    assert.deepEqual(rollingOf(world), careful);
    underWay(world, 1);
    await world.reconcile();
    assert.deepEqual(rollingOf(world), givingWay);
    // the new pod has found a node; the next one will not
    world.erase(PODS, world.all(PODS).find(({ metadata }) => metadata.uid === "new")?.metadata.name ?? "");
    await world.reconcile();
    assert.deepEqual(rollingOf(world), givingWay);
    world.act();
    Object.assign(deploymentOf(world).status ?? {}, { updatedReplicas: 3 });
    await world.reconcile();
    assert.deepEqual(rollingOf(world), careful);
  });

  it("of a single pod waits for room, unless the routers hold the requests for as long as a start takes", async () => {
    const world = await serving(1);
    askedBy(world, TIME);
    await world.settle();
    underWay(world, 0);
    await world.reconcile();
    assert.deepEqual(rollingOf(world), careful);
    assert.match(world.deployment().status?.message ?? "", /restart: 0 of 1 pods are new; it waits: /);

    const routed = await serving(1, { traffic: { path: "router" } });
    askedBy(routed, TIME);
    await routed.settle();
    underWay(routed, 0);
    await routed.reconcile();
    assert.deepEqual(rollingOf(routed), givingWay);
  });

  it("leaves Ready as it is, while all pods but one are ready", async () => {
    const world = await serving(3);
    askedBy(world, TIME);
    await world.settle();
    underWay(world, 1);
    Object.assign(deploymentOf(world).status ?? {}, { replicas: 3, readyReplicas: 2, availableReplicas: 2 });
    world.now += 5_000;
    await world.reconcile();
    const { conditions, message } = world.deployment().status ?? {};
    assert.equal(findCondition(conditions, "Ready")?.status, "True");
    assert.match(message ?? "", /^2 pods serve digits-[0-9a-f]{8}; restart: 1 of 3 pods are new/);
  });
});
