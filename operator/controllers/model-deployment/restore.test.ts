/** A restore from a backup in the middle of a rollout: objects have no owner, and neither the ModelDeployment nor its records have a status. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createWorld, NAME, type World } from "../../../test/simulation/world.ts";
import {
  findCondition,
  MODEL_DEPLOYMENTS,
  MODEL_ROLLOUTS,
  type ModelDeploymentSpec,
} from "../../api/v1alpha1/index.ts";
import { CONTROLLER_REVISIONS, DEPLOYMENTS, PODS } from "../../platform/kube/resources.ts";

const spec = (file: string): ModelDeploymentSpec => ({
  model: { uri: `https://models.example.com/${file}.onnx` },
  rollout: { strategy: "canary", steps: [{ weight: "10%" }, { weight: "50%" }] },
});

const statusOf = (world: World) => world.deployment().status;
const stable = (world: World) => statusOf(world)?.stable?.revision;
const weightOf = (world: World) => statusOf(world)?.traffic?.routes.find(({ role }) => role === "canary")?.weight ?? 0;
const isStalled = (world: World) => findCondition(statusOf(world)?.conditions, "Stalled") !== undefined;

/** Passes until something is so; the weights that the canary had, one after the other. */
const weightsUntil = async (world: World, isSo: () => boolean): Promise<number[]> => {
  const seen: number[] = [];
  for (const end = world.now + 240 * 60_000; world.now < end; ) {
    const before = world.writes.length;
    const { requeueAfterMs = 1000 } = await world.reconcile();
    world.act();
    if (seen.at(-1) !== weightOf(world)) seen.push(weightOf(world));
    if (isSo()) return seen;
    if (world.writes.length > before) world.now += 10;
    else world.now += Math.min(Math.max(requeueAfterMs, 1), 60_000);
  }
  throw new Error(`it never came to that: ${statusOf(world)?.message}`);
};

/** The children come back without an owner, and the ModelDeployment is another one. Pods are their ReplicaSets' again by then. */
const restore = (world: World, restored: ModelDeploymentSpec): void => {
  world.erase(MODEL_DEPLOYMENTS, NAME);
  for (const [key, { metadata, status, ...object }] of world.objects) {
    if (object.kind === PODS.kind) continue;
    const { ownerReferences: _, ...rest } = metadata;
    const isRecord = object.kind === MODEL_ROLLOUTS.kind;
    world.objects.set(key, { ...object, metadata: rest, ...(isRecord || status === undefined ? {} : { status }) });
  }
  world.put(restored);
  world.changeLeader();
};

const interrupted = async (worse: boolean): Promise<{ world: World; old: string; canary: string }> => {
  const world = createWorld();
  world.put(spec("one"));
  await world.settle();
  const old = stable(world) ?? "";
  world.quality = (revision) => ({ errors: revision !== old && worse ? 0.05 : 0, slower: 1 });
  world.put(spec("two"));
  await weightsUntil(world, () => weightOf(world) === (worse ? 10 : 50));
  return { world, old, canary: statusOf(world)?.canary?.revision ?? "" };
};

describe("a restore in the middle of a rollout", () => {
  it("finds stable by its promotion, and the candidate starts over", async () => {
    const { world, old, canary } = await interrupted(false);
    const pods = world.all(PODS).filter(({ metadata }) => metadata.labels?.["berth.dev/revision"] === old);
    restore(world, spec("two"));
    const weights = await weightsUntil(world, () => stable(world) === canary);
    assert.deepEqual(weights, [0, 10, 50, 0]);
    const deleted = world.writes.indexOf(`delete Deployment/${old}`);
    assert.ok(pods.length > 0 && deleted < 0, "stable keeps its pods until the other one is promoted");
    await world.settle();
    assert.deepEqual(
      [world.all(DEPLOYMENTS).length, findCondition(statusOf(world)?.conditions, "Ready")?.status],
      [1, "True"],
    );
    assert.equal(world.all(CONTROLLER_REVISIONS).length, 2);
  });

  it("promotes nothing that is not proved: a harmful one is rejected, and stable serves all the time", async () => {
    const { world, old, canary } = await interrupted(true);
    restore(world, spec("two"));
    await weightsUntil(world, () => isStalled(world));
    assert.deepEqual([stable(world), statusOf(world)?.rollout?.rejected?.[0]?.revision], [old, canary]);
    await world.settle();
    assert.deepEqual(
      world.all(DEPLOYMENTS).map(({ metadata }) => metadata.name),
      [old],
    );
    restore(world, spec("two"));
    const weights = await weightsUntil(world, () => isStalled(world));
    assert.deepEqual([stable(world), weights], [old, [0]]);
    assert.equal(world.get(DEPLOYMENTS, canary), undefined);
  });
});
