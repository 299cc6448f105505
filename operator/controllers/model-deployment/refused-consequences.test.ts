/** What follows from a write that is refused for long is what the write was about, and is called by its name. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  during,
  readyPods,
  replicasOf,
  serving,
  spec,
  stable,
  statusOf,
  until,
  withoutTraffic,
} from "../../../test/simulation/passes.ts";
import { ACTION_ANNOTATION, MODEL_ROLLOUTS } from "../../api/v1alpha1/index.ts";
import { errorFromStatus } from "../../platform/kube/errors.ts";

describe("a swap whose pods are never asked for", () => {
  it("gives stable its place back, and says that the write was not accepted, not that there was no room", async () => {
    const world = await serving({}, {}, (world) => {
      withoutTraffic(world);
      world.slots = 1;
    });
    world.isOneOperator = true;
    const old = stable(world);
    world.refuses = (write) =>
      /^apply Deployment\/.* as berth-scaling$/.test(write) && !write.includes(old)
        ? errorFromStatus(write, 403, { message: 'admission webhook "policy.example.com" denied the request: no' })
        : undefined;
    world.put(spec("two"));
    await until(world, () => statusOf(world).rollout?.capacity?.retryAt !== undefined);
    assert.match(statusOf(world).rollout?.capacity?.why ?? "", /did not accept the write/);
    await until(world, () => readyPods(world, old) === 1);
    await until(world, () => /did not accept the write/.test(statusOf(world).message ?? ""), 5);
    assert.equal(statusOf(world).rollout?.rejected, undefined);
    world.refuses = () => undefined;
    await until(world, () => stable(world) !== old);
  });
});

describe("a rollout that is rolled back without a record", () => {
  for (const why of ["it was refused as long as the rollout ran", "somebody has deleted it"])
    it(`has one later, so that it can be tried again: ${why}`, async () => {
      const world = await serving();
      world.isOneOperator = true;
      const old = stable(world);
      world.quality = (revision) => ({ errors: revision === old ? 0 : 0.3, slower: 1 });
      world.refuses = (write) =>
        why.startsWith("it was") && write.startsWith("create ModelRollout/")
          ? errorFromStatus(write, 403, { message: 'admission webhook "policy.example.com" denied the request: no' })
          : undefined;
      world.put(spec("two"));
      await until(world, () => statusOf(world).rollout?.rejected !== undefined);
      await during(world, 5);
      for (const { metadata } of world.all(MODEL_ROLLOUTS)) world.erase(MODEL_ROLLOUTS, metadata.name);
      world.refuses = () => undefined;
      world.quality = () => ({ errors: 0, slower: 1 });
      await during(world, 5);
      const [record, ...others] = world.all(MODEL_ROLLOUTS);
      assert.ok(record !== undefined && others.length === 0);
      assert.deepEqual(
        [record.status?.state, record.status?.to],
        ["RolledBack", record.metadata.labels?.["berth.dev/revision"]],
      );
      world.annotate(MODEL_ROLLOUTS, record.metadata.name, ACTION_ANNOTATION, "retry");
      await until(world, () => stable(world) !== old);
    });
});

describe("a retry that cannot be taken off its ModelRollout", () => {
  it("takes one rejection back, and none that comes later; once it can, it goes", async () => {
    const world = await serving({ steps: [{ weight: "50%" }] });
    world.isOneOperator = true;
    const old = stable(world);
    const digest = `sha256:${"a".repeat(64)}`;
    world.fate = (revision) => (revision === old ? { ready: true, digest } : { ready: false, ended: { exitCode: 1 } });
    const rejections = () => world.events.filter((event) => event === "Warning RolledBack").length;
    world.put(spec("two", { steps: [{ weight: "50%" }] }));
    await until(world, () => rejections() === 1);
    const [record] = world.all(MODEL_ROLLOUTS);
    world.annotate(MODEL_ROLLOUTS, record?.metadata.name ?? "", ACTION_ANNOTATION, "retry");
    world.refuses = (write) =>
      /ModelRollout/.test(write) && !/ModelDeployment/.test(write)
        ? errorFromStatus(write, 403, { message: 'admission webhook "policy.example.com" denied the request: no' })
        : undefined;
    await until(world, () => rejections() === 2);
    for (const isNew of [false, true]) {
      if (isNew) world.changeLeader();
      await during(world, 60);
      assert.equal(rejections(), 2);
      assert.deepEqual(Object.keys(replicasOf(world)), [old]);
    }
    world.refuses = () => undefined;
    await during(world, 5);
    assert.equal(
      world.get(MODEL_ROLLOUTS, record?.metadata.name ?? "")?.metadata.annotations?.[ACTION_ANNOTATION],
      undefined,
    );
    assert.deepEqual([rejections(), statusOf(world).rollout?.retried], [2, undefined]);
  });
});
