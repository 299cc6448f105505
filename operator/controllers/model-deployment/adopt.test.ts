/** Children that lost their owner: after a restore from a backup, `--cascade=orphan`, or a policy that sets labels. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createWorld, NAME, type World } from "../../../test/simulation/world.ts";
import { findCondition, MODEL_DEPLOYMENTS } from "../../api/v1alpha1/index.ts";
import type { KubeObject, ObjectMeta } from "../../platform/kube/objects.ts";
import { CONTROLLER_REVISIONS, DEPLOYMENTS, PODS, SERVICES } from "../../platform/kube/resources.ts";

const spec = { model: { uri: "https://models.example.com/a.onnx" }, scaling: { minReplicas: 2 } };
const newer = { model: { uri: "https://models.example.com/b.onnx" }, scaling: { minReplicas: 2 } };

const children = (world: World): KubeObject[] =>
  [...world.objects.values()].filter(({ kind }) => kind !== MODEL_DEPLOYMENTS.kind && kind !== PODS.kind);

/** Changes the metadata of every child. */
const change = (world: World, changed: (metadata: ObjectMeta) => ObjectMeta): void => {
  for (const object of children(world)) {
    world.objects.set(`${object.kind}/${object.metadata.name}`, { ...object, metadata: changed(object.metadata) });
  }
};
const withoutOwner = ({ ownerReferences: _, ...metadata }: ObjectMeta): ObjectMeta => metadata;

const restored = async (applied: typeof spec): Promise<World> => {
  const world = createWorld();
  world.put(spec);
  await world.settle();
  change(world, withoutOwner);
  world.erase(MODEL_DEPLOYMENTS, NAME);
  world.put(applied);
  world.writes.length = 0;
  return world;
};

describe("children without an owner", () => {
  it("are adopted, restored without status, without owner: nothing is made or taken away", async () => {
    const world = await restored(spec);
    await world.settle();
    const { metadata, status } = world.deployment();
    assert.equal(findCondition(status?.conditions, "Ready")?.status, "True");
    assert.equal(status?.stable?.ready, 2);
    const touched = world.writes.filter((write) =>
      /^(create|delete) (Deployment|ControllerRevision|Service|Pod)/.test(write),
    );
    assert.deepEqual(touched, []);
    for (const { kind, metadata: child } of children(world)) {
      assert.deepEqual(
        child.ownerReferences?.map(({ controller, uid }) => [controller, uid]),
        [[true, metadata.uid]],
        kind,
      );
    }
    const writes = world.writes.length;
    await world.reconcile();
    assert.equal(world.writes.length, writes);
  });

  it("serve on while a newer revision that was restored with them starts", async () => {
    const world = await restored(newer);
    const [old] = world.all(DEPLOYMENTS);
    world.fate = (revision) => ({ ready: revision === old?.metadata.name });
    await world.settle();
    const { status } = world.deployment();
    assert.equal(status?.stable?.revision, old?.metadata.name);
    assert.equal(status?.stable?.ready, 2);
    assert.equal(world.get(SERVICES, NAME)?.spec?.selector?.["berth.dev/revision"], old?.metadata.name);
  });

  it("are left alone by a ModelDeployment that is gone, whose cache has yet to hear of it", async () => {
    const world = createWorld();
    world.put(spec);
    await world.settle();
    change(world, withoutOwner);
    world.isGone = true;
    world.writes.length = 0;
    await world.reconcile();
    assert.deepEqual(world.writes, []);
  });

  it("stay whose they are if somebody else controls them: all are named", async () => {
    const world = createWorld();
    world.put(spec);
    await world.settle();
    const other = { apiVersion: "example.com/v1", kind: "Other", name: "x", uid: "x", controller: true };
    change(world, (metadata) => ({ ...metadata, ownerReferences: [other] }));
    world.erase(MODEL_DEPLOYMENTS, NAME);
    world.put(spec);
    await world.settle();
    const stalled = findCondition(world.deployment().status?.conditions, "Stalled");
    assert.equal(stalled?.reason, "NotOwned");
    const [revision] = world.all(CONTROLLER_REVISIONS);
    for (const what of ["ControllerRevision", "Deployment", "Service", "PodDisruptionBudget", "ConfigMap"]) {
      assert.match(stalled?.message ?? "", new RegExp(`${what} ${revision?.metadata.name}`));
    }
    assert.match(stalled?.message ?? "", /Service digits, NetworkPolicy digits|NetworkPolicy digits/);
  });

  it("get their labels back, which the caches select by, whichever child it is", async () => {
    const world = createWorld();
    world.put(spec);
    await world.settle();
    const name = "app.kubernetes.io/managed-by";
    for (const {
      kind,
      metadata: { name: called },
    } of children(world)) {
      const key = `${kind}/${called}`;
      const object = world.objects.get(key);
      assert.ok(object);
      const labels = { ...object.metadata.labels, [name]: "Helm" };
      world.objects.set(key, { ...object, metadata: { ...object.metadata, labels } });
      await world.settle();
      assert.equal(world.objects.get(key)?.metadata.labels?.[name], "berth", key);
      assert.equal(world.objects.get(key)?.metadata.uid, object.metadata.uid, key);
      assert.equal(findCondition(world.deployment().status?.conditions, "Ready")?.status, "True", key);
    }
  });

  it("count while their labels are gone: a newer revision does not take over what it must not", async () => {
    const world = createWorld();
    world.put(spec);
    await world.settle();
    const [old] = world.all(CONTROLLER_REVISIONS);
    assert.ok(old);
    const { labels: _, ...unlabelled } = old.metadata;
    world.objects.set(`ControllerRevision/${old.metadata.name}`, { ...old, metadata: unlabelled });
    world.fate = (revision) => ({ ready: revision === old.metadata.name });
    world.put(newer);
    await world.settle();
    assert.equal(world.deployment().status?.stable?.revision, old.metadata.name);
    assert.equal(world.get(SERVICES, NAME)?.spec?.selector?.["berth.dev/revision"], old.metadata.name);
  });
});
