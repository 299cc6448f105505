/** Somebody has deleted a ControllerRevision whose Deployment is there: `kubectl delete`, a prune, half a restore. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  during,
  readyPods,
  replicasOf,
  routes,
  serving,
  spec,
  stable,
  statusOf,
  until,
  weightOf,
} from "../../../test/simulation/passes.ts";
import type { World } from "../../../test/simulation/world.ts";
import { ACTION_ANNOTATION, findCondition, MODEL_ROLLOUTS } from "../../api/v1alpha1/index.ts";
import { errorFromStatus } from "../../platform/kube/errors.ts";
import { CONTROLLER_REVISIONS, DEPLOYMENTS, PODS, SERVICES } from "../../platform/kube/resources.ts";

const ROLLOUT = { steps: [{ weight: "25%", pause: true }] };
const TWO = { scaling: { minReplicas: 2 } };
const canary = (world: World) => statusOf(world).rollout?.revision ?? "";
const told = (world: World) => findCondition(statusOf(world).conditions, "RevisionUnrecorded");
const recorded = (world: World) => world.all(CONTROLLER_REVISIONS).map(({ metadata }) => metadata.name);
const uids = (world: World, revision: string) =>
  world.all(PODS).flatMap(({ metadata }) => (metadata.labels?.["berth.dev/revision"] === revision ? metadata.uid : []));

const namedLike = (world: World, revision: string) =>
  [...world.objects.keys()].filter((key) => key.endsWith(`/${revision}`));

/** A revision on trial that waits for a person at 25 % of the requests. */
const onTrial = async (): Promise<{ world: World; old: string; next: string }> => {
  const world = await serving(ROLLOUT, TWO);
  const old = stable(world);
  world.put(spec("two", ROLLOUT, TWO));
  await until(world, () => statusOf(world).rollout?.phase === "paused");
  return { world, old, next: canary(world) };
};

/** Nothing more is to be done, and nothing is asked. */
const atRest = async (world: World): Promise<void> => {
  await world.settle();
  const writes = world.writes.length;
  await world.reconcile();
  assert.deepEqual(world.writes.slice(writes), []);
};

describe("a revision whose ControllerRevision is gone", () => {
  it("serves on as stable beside a canary, with its pods and its share, and the status says what to do", async () => {
    const { world, old, next } = await onTrial();
    const pods = uids(world, old);
    world.erase(CONTROLLER_REVISIONS, old);
    await during(world, 6, () => assert.deepEqual([stable(world), routes(world)], [old, ["stable 75", "canary 25"]]));
    assert.deepEqual(uids(world, old), pods);
    assert.deepEqual(recorded(world), [next]);
    assert.match(
      told(world)?.message ?? "",
      new RegExp(`ControllerRevision ${old} is missing.*Restore it from a backup`),
    );
    assert.deepEqual(
      world.events.filter((event) => event.includes("Unrecorded")),
      ["Warning Unrecorded"],
    );
    assert.equal(statusOf(world).stable?.ready, 2);
  });

  it("is recorded again, as it runs, where the spec is its own", async () => {
    const world = await serving(ROLLOUT, TWO);
    const old = stable(world);
    const [pods, before] = [uids(world, old), world.get(CONTROLLER_REVISIONS, old)];
    world.erase(CONTROLLER_REVISIONS, old);
    world.settings = { ...world.settings, runtimeImage: "berth-runtime:2" };
    await atRest(world);
    const after = world.get(CONTROLLER_REVISIONS, old);
    assert.deepEqual(after?.data, before?.data);
    assert.deepEqual([stable(world), uids(world, old), told(world)], [old, pods, undefined]);
    assert.equal(after?.metadata.annotations?.["berth.dev/promoted"], "1");
  });

  it("is recorded again when the user goes back to its spec in the middle of a rollout", async () => {
    const { world, old, next } = await onTrial();
    const pods = uids(world, old);
    world.erase(CONTROLLER_REVISIONS, old);
    await during(world, 1);
    world.put(spec("one", ROLLOUT, TWO));
    await until(world, () => world.get(DEPLOYMENTS, next) === undefined);
    await atRest(world);
    assert.deepEqual([stable(world), uids(world, old), told(world)], [old, pods, undefined]);
    assert.deepEqual(recorded(world).toSorted(), [next, old].toSorted());
  });

  it("goes on with its trial, and is recorded again", async () => {
    const { world, old, next } = await onTrial();
    const pods = uids(world, next);
    world.erase(CONTROLLER_REVISIONS, next);
    await during(world, 5, () => assert.equal(weightOf(world, next), 25));
    assert.deepEqual([stable(world), statusOf(world).rollout?.phase, uids(world, next)], [old, "paused", pods]);
    assert.deepEqual(recorded(world).toSorted(), [next, old].toSorted());
  });

  it("gives its share back where another revision is wanted by then, and leaves nothing", async () => {
    const { world, old, next } = await onTrial();
    world.erase(CONTROLLER_REVISIONS, next);
    world.put(spec("three", ROLLOUT, TWO));
    await until(world, () => statusOf(world).rollout?.phase === "paused" && canary(world) !== next);
    assert.equal(stable(world), old);
    assert.deepEqual(namedLike(world, next), [`ConfigMap/${next}`]);
  });

  it("is replaced by the one that has proved itself, and then gone with what belonged to it; its pin stays", async () => {
    const { world, old, next } = await onTrial();
    world.erase(CONTROLLER_REVISIONS, old);
    world.put(spec("two", { steps: [{ weight: "25%" }] }, TWO));
    const record = statusOf(world).rollout?.name ?? "";
    world.annotate(MODEL_ROLLOUTS, record, ACTION_ANNOTATION, "promote");
    await until(world, () => stable(world) === next);
    await atRest(world);
    assert.deepEqual([namedLike(world, old), told(world)], [[`ConfigMap/${old}`], undefined]);
  });

  it("serves on where the API server takes no ControllerRevision, which is told of", async () => {
    for (const status of [403, 422]) {
      const world = await serving(ROLLOUT, TWO);
      const old = stable(world);
      const pods = uids(world, old);
      world.refuses = (write) =>
        write.includes("ControllerRevision/") ? errorFromStatus(write, status, { message: "no" }) : undefined;
      world.erase(CONTROLLER_REVISIONS, old);
      await atRest(world).catch(() => undefined);
      assert.deepEqual([stable(world), uids(world, old)], [old, pods]);
      assert.match(findCondition(statusOf(world).conditions, "Ready")?.message ?? "", /refused a write/);
      assert.equal(told(world)?.status, "True");
      world.refuses = () => undefined;
      world.now += 60_000;
      await atRest(world);
      assert.deepEqual([recorded(world), told(world)], [[old], undefined]);
    }
  });

  it("comes to rest with nothing recorded, no status and another spec, where the API server takes no ControllerRevision", async () => {
    for (const file of ["one", "three"]) {
      const { world, old } = await onTrial();
      world.refuses = (write) =>
        write.includes("ControllerRevision/") ? errorFromStatus(write, 422, { message: "no" }) : undefined;
      for (const name of recorded(world)) world.erase(CONTROLLER_REVISIONS, name);
      world.loseStatus();
      world.put(spec(file, ROLLOUT, TWO));
      await world.settle();
      assert.deepEqual([stable(world), readyPods(world, old)], [old, 2], file);
      assert.deepEqual(Object.keys(replicasOf(world)), [old], file);
    }
  });

  it("serves on by its Deployment where its ControllerRevision holds nothing that can be run, and marks that once", async () => {
    const { world, old } = await onTrial();
    const [record, pods] = [world.get(CONTROLLER_REVISIONS, old), uids(world, old)];
    assert.ok(record);
    const { containers: _, ...containerless } = world.get(DEPLOYMENTS, old)?.spec?.template.spec ?? {};
    const model = { uri: "https://models.example.com/one.onnx" };
    for (const data of [
      {},
      { spec: { model }, template: { spec: null } },
      { spec: { model }, template: { spec: containerless } },
    ]) {
      const { "berth.dev/promoted": __, ...annotations } = record.metadata.annotations ?? {};
      world.objects.set(`ControllerRevision/${old}`, {
        ...record,
        data,
        metadata: { ...record.metadata, annotations },
      });
      const writes = world.writes.length;
      await during(world, 2, () => assert.deepEqual([stable(world), uids(world, old)], [old, pods]));
      assert.equal(world.get(DEPLOYMENTS, old)?.spec?.template.spec?.containers.length, 1);
      const marked = world.writes.slice(writes).filter((write) => write.includes("ControllerRevision/"));
      assert.deepEqual(marked, [`apply ControllerRevision/${old} as berth`]);
      assert.match(told(world)?.message ?? "", /cannot be read.*Delete it, unless/);
    }
  });

  it("keeps its role though the label of its Deployment was changed, too", async () => {
    const { world, old } = await onTrial();
    world.erase(CONTROLLER_REVISIONS, old);
    const deployment = world.get(DEPLOYMENTS, old);
    assert.ok(deployment);
    const { metadata } = deployment;
    const labels = { ...metadata.labels, "berth.dev/revision": "other" };
    world.objects.set(`Deployment/${old}`, { ...deployment, metadata: { ...metadata, labels } });
    await during(world, 3, () => assert.deepEqual([stable(world), readyPods(world, old)], [old, 2]));
  });

  it("is not mistaken for its copy when the status is lost", async () => {
    const { world, old } = await onTrial();
    const record = world.get(CONTROLLER_REVISIONS, old);
    assert.ok(record);
    const copy = { ...record, metadata: { ...record.metadata, name: "digits-copy", uid: "copy" } };
    const others = [...world.objects];
    world.objects.clear();
    for (const [key, object] of [["ControllerRevision/digits-copy", copy] as const, ...others])
      world.objects.set(key, object);
    world.loseStatus();
    await during(world, 3);
    assert.deepEqual([stable(world), readyPods(world, old)], [old, 2]);
  });

  it("is none that a record has which is named like the ModelDeployment, as its Service is", async () => {
    const { world, old } = await onTrial();
    const record = world.get(CONTROLLER_REVISIONS, old);
    assert.ok(record);
    const copy = { ...record, metadata: { ...record.metadata, name: "digits", uid: "copy" } };
    world.objects.set("ControllerRevision/digits", copy);
    const writes = world.writes.length;
    await during(world, 6);
    assert.deepEqual(
      world.writes.slice(writes).filter((write) => write.includes("Service/")),
      [],
    );
    assert.deepEqual([stable(world), readyPods(world, old)], [old, 2]);
    assert.ok(world.get(SERVICES, "digits"));
    assert.equal(world.get(DEPLOYMENTS, "digits"), undefined);
  });

  it("is stable without a status, too, if it has pods that were proved and nothing else was promoted", async () => {
    const { world, old } = await onTrial();
    const pods = uids(world, old);
    world.erase(CONTROLLER_REVISIONS, old);
    world.loseStatus();
    world.changeLeader();
    await during(world, 6);
    assert.deepEqual([stable(world), uids(world, old)], [old, pods]);
    assert.equal(readyPods(world, old), 2);
  });
});
