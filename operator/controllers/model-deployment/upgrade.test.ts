import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  during,
  isStalled,
  type Rollout,
  reason,
  routes,
  serving as servingFrom,
  spec as specOf,
  stable,
  statusOf,
  until,
} from "../../../test/simulation/passes.ts";
import { createWorld, type World } from "../../../test/simulation/world.ts";
import { ACTION_ANNOTATION, MODEL_ROLLOUTS, type ModelDeploymentSpec } from "../../api/v1alpha1/index.ts";
import { CONTROLLER_REVISIONS, DEPLOYMENTS } from "../../platform/kube/resources.ts";

const STEPS = [{ weight: "10%" }, { weight: "50%" }];
const spec = (file: string, rollout: Partial<Rollout> = {}): ModelDeploymentSpec =>
  specOf(file, { steps: STEPS, ...rollout });
const serving = (rollout: Partial<Rollout> = {}): Promise<World> => servingFrom({ steps: STEPS, ...rollout });

const digest = `sha256:${"a".repeat(64)}`;
const revisions = (world: World) => world.all(CONTROLLER_REVISIONS).map(({ metadata }) => metadata.name);
const imageOf = (world: World, revision: string) =>
  world.get(DEPLOYMENTS, revision)?.spec?.template.spec?.containers[0]?.image;

const attempts = (world: World) => world.all(MODEL_ROLLOUTS).map(({ metadata }) => metadata.name);

/** The second revision is rejected by what the routers have counted. */
const rejecting = async (rollout: Partial<Rollout> = {}): Promise<{ world: World; old: string; rejected: string }> => {
  const world = await serving(rollout);
  const old = stable(world);
  world.quality = (revision) => ({ errors: revision === old ? 0.001 : 0.05, slower: 1 });
  world.put(spec("two", rollout));
  await until(world, () => isStalled(world));
  await world.settle();
  return { world, old, rejected: statusOf(world).rollout?.rejected?.[0]?.revision ?? assert.fail() };
};

const upgrades: [string, Partial<World["settings"]>][] = [
  ["another runtime image", { runtimeImage: "berth-runtime:2" }],
  ["another pull policy", { runtimeImagePullPolicy: "Always" }],
  ["http:// refused", { allowHttpModels: false }],
];

const upgrade = (world: World, settings: Partial<World["settings"]> = { runtimeImage: "berth-runtime:2" }): void => {
  world.changeLeader();
  world.settings = { ...world.settings, ...settings };
};

describe("an upgrade of the operator", () => {
  it("retries no rejected revision", async () => {
    const { world, rejected } = await rejecting();
    const before = revisions(world);
    for (const [name, settings] of upgrades) {
      upgrade(world, settings);
      await during(world, 3);
      assert.deepEqual([reason(world), routes(world)], ["RolledBack", ["stable 100"]], name);
      assert.deepEqual(revisions(world), before, name);
      assert.equal(world.get(DEPLOYMENTS, rejected), undefined, name);
    }
  });

  it("starts no rollout under way from the beginning", async () => {
    const world = await serving();
    world.put(spec("two", { steps: [{ weight: "10%" }, { weight: "50%", pause: true }] }));
    await until(world, () => statusOf(world).rollout?.phase === "paused");
    const { name: record = "", revision: canary = "" } = statusOf(world).rollout ?? {};
    for (const [name, settings] of upgrades) {
      upgrade(world, settings);
      await during(world, 3);
      const { revision, step } = statusOf(world).rollout ?? {};
      assert.deepEqual([revision, step, routes(world)], [canary, 1, ["stable 50", "canary 50"]], name);
      assert.equal(imageOf(world, canary), "berth-runtime:1", name);
    }
    world.annotate(MODEL_ROLLOUTS, record, ACTION_ANNOTATION, "resume");
    await until(world, () => stable(world) === canary);
    assert.deepEqual(
      world.all(MODEL_ROLLOUTS).map(({ metadata }) => metadata.name),
      [record],
    );
  });

  it("restarts no first revision that fetches its model, and none that waits for a node", async () => {
    for (const fate of [
      { ready: false, digest },
      { ready: false, pending: "0/1 nodes are available: 1 Insufficient nvidia.com/gpu." },
    ]) {
      const world = createWorld();
      world.fate = () => fate;
      world.put(spec("one"));
      await during(world, 2);
      const first = statusOf(world).canary?.revision ?? "";
      upgrade(world);
      await during(world, 2);
      assert.deepEqual([statusOf(world).canary?.revision, revisions(world)], [first, [first]]);
      world.fate = () => ({ ready: true });
      await during(world, 2);
      assert.equal(stable(world), first);
    }
  });

  it("renders a canary anew whose image was not there, and tries it; it was not rejected for that", async () => {
    const world = await serving();
    const old = stable(world);
    upgrade(world, { runtimeImage: "nobody-has-this:1" });
    world.fate = (revision) => (revision === old ? { ready: true, digest } : { ready: false, image: "not found" });
    world.put(spec("two"));
    await until(world, () => reason(world) === "ImageUnavailable");
    for (let i = 0; i < 40; i++) {
      await during(world, 1);
      world.now += 60_000;
    }
    assert.deepEqual([reason(world), statusOf(world).rollout?.rejected], ["ImageUnavailable", undefined]);
    upgrade(world);
    world.fate = () => ({ ready: true, digest });
    await until(world, () => stable(world) !== old);
    assert.equal(imageOf(world, stable(world)), "berth-runtime:2");
  });

  it("renders a revision anew that takes over at once, and that its image keeps from that", async () => {
    const world = createWorld();
    const immediate = (file: string) => ({ model: { uri: `https://models.example.com/${file}.onnx` } });
    world.put(immediate("one"));
    await world.settle();
    const old = stable(world);
    const failure = JSON.stringify({ outcome: "failed", code: "ModelInvalid", message: "opset 99 is unknown" });
    world.fate = (revision) => (revision === old ? { ready: true, digest } : { ready: false, digest, failure });
    world.put(immediate("two"));
    await world.settle();
    assert.equal(reason(world), "ModelInvalid");
    upgrade(world);
    world.fate = () => ({ ready: true, digest });
    await world.settle();
    assert.deepEqual([stable(world) === old, imageOf(world, stable(world))], [false, "berth-runtime:2"]);
  });
});

describe("a rejection", () => {
  it("holds for the same spec in other words", async () => {
    const { world } = await rejecting();
    const before = revisions(world);
    world.put({ ...spec("two"), resources: { requests: { cpu: "0.1", memory: "256Mi" } }, server: {} });
    await during(world, 3);
    assert.deepEqual([reason(world), routes(world), revisions(world)], ["RolledBack", ["stable 100"], before]);
  });

  it("outlives a lost status, by the ControllerRevision", async () => {
    const { world, old, rejected } = await rejecting();
    const told = statusOf(world).rollout?.rejected;
    world.loseStatus();
    await during(world, 3);
    assert.deepEqual([stable(world), reason(world), routes(world)], [old, "RolledBack", ["stable 100"]]);
    assert.deepEqual(statusOf(world).rollout?.rejected, told);
    assert.equal(world.get(DEPLOYMENTS, rejected), undefined);
  });

  it("is not forgotten while others come and go", async () => {
    const { world, rejected } = await rejecting();
    world.quality = () => ({ errors: 0, slower: 1 });
    for (const file of ["three", "four", "five", "six", "seven"]) {
      world.put({ model: spec(file).model });
      await world.settle();
    }
    assert.ok(revisions(world).includes(rejected));
    upgrade(world);
    world.put(spec("two"));
    await during(world, 3);
    assert.equal(reason(world), "RolledBack");
  });

  it("of an older version, by name alone, holds as well", async () => {
    const { world, rejected } = await rejecting();
    const marks = world.get(CONTROLLER_REVISIONS, rejected)?.metadata.annotations ?? assert.fail();
    delete marks["berth.dev/rejected"];
    upgrade(world);
    await during(world, 3);
    assert.equal(reason(world), "RolledBack");
  });

  it("is taken back by retry, also after an upgrade and a lost status", async () => {
    const { world, old, rejected } = await rejecting();
    upgrade(world);
    await during(world, 3);
    world.quality = () => ({ errors: 0, slower: 1 });
    world.annotate(MODEL_ROLLOUTS, `${rejected}-1`, ACTION_ANNOTATION, "retry");
    await until(world, () => stable(world) !== old);
    await world.settle();
    assert.deepEqual([statusOf(world).rollout, isStalled(world)], [undefined, false]);
    const marks = world.all(CONTROLLER_REVISIONS).map(({ metadata }) => metadata.annotations?.["berth.dev/rejected"]);
    assert.deepEqual(marks, [undefined, undefined].concat(marks.length > 2 ? [undefined] : []));
  });

  it("holds for the same analysis in other words, and for the key that an operator before has written of it", async () => {
    const tolerances = [{ output: "y", match: "topK" as const }];
    const { world, rejected } = await rejecting({ analysis: { outputs: { tolerances } } });
    const outputs = { maxDisagreement: "2.0%", tolerances: [{ k: 1, match: "topK" as const, output: "y" }] };
    world.put(spec("two", { analysis: { outputs, latency: { mode: "gate" } } }));
    await during(world, 3);
    assert.deepEqual(attempts(world), [`${rejected}-1`]);
    world.put(spec("two", { analysis: { outputs: { tolerances } } }));
    const told = world.deployment().status?.rollout?.rejected?.[0] ?? assert.fail();
    told.analysis = "errors:1.25/0.005 latency:gate outputs:0.02 tolerances:a200baa3";
    upgrade(world);
    await during(world, 3);
    assert.deepEqual([reason(world), attempts(world)], ["RolledBack", [`${rejected}-1`]]);
  });

  it("does not hold against another analysis, and the spec of stable clears the error", async () => {
    const { world, old, rejected } = await rejecting();
    upgrade(world);
    world.put({ ...spec("one"), server: { requestTimeout: "30000ms" } });
    await world.settle();
    assert.deepEqual([stable(world), reason(world), isStalled(world)], [old, "Serving", false]);
    world.put(spec("two"));
    await during(world, 3);
    assert.equal(reason(world), "RolledBack");
    world.put(spec("two", { analysis: { errors: { floor: "20%" } } }));
    await until(world, () => stable(world) !== old);
    assert.ok(revisions(world).includes(rejected));
  });
});

describe("revisions that an older version told apart", () => {
  it("are the same now: the one that serves goes on", async () => {
    const world = createWorld();
    const immediate = (file: string) => ({ model: { uri: `https://models.example.com/${file}.onnx` } });
    for (const file of ["one", "two"]) {
      world.put(immediate(file));
      await world.settle();
    }
    const serves = stable(world);
    // the first one was made by the same spec, with its defaults left out
    const first = world.all(CONTROLLER_REVISIONS).find(({ metadata }) => metadata.name !== serves) ?? assert.fail();
    Object.assign(first.data ?? {}, { spec: immediate("two") });
    world.put({ ...immediate("two"), server: { batching: { maxBatchSize: 32 } } });
    const writes = world.writes.length;
    await world.settle();
    assert.equal(stable(world), serves);
    assert.deepEqual(
      world.writes.slice(writes).filter((write) => !write.includes("/status")),
      [],
    );
  });
});
