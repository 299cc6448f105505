/** A status that cannot be so: nothing follows from it but that it is put right. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  during,
  pass,
  type Rollout,
  readyPods,
  replicasOf,
  routes,
  serving,
  spec,
  stable,
  statusOf,
  until,
} from "../../../test/simulation/passes.ts";
import { createFollowers } from "../../../test/simulation/routers.ts";
import type { World } from "../../../test/simulation/world.ts";
import type { ModelDeploymentSpec, RolloutStatus } from "../../api/v1alpha1/index.ts";

const STEPS: Partial<Rollout> = { steps: [{ weight: "50%", pause: true }] };
const more: Partial<ModelDeploymentSpec> = { scaling: { minReplicas: 3 } };
const IMMEDIATE: Partial<Rollout> = { strategy: "immediate" };
const routed: Partial<ModelDeploymentSpec> = { ...more, traffic: { path: "router" } };
const candidate = (world: World): string => statusOf(world).rollout?.revision ?? "";

/** A canary that is being watched, with half of the requests. */
const watched = async (): Promise<{ world: World; old: string }> => {
  const world = await serving(STEPS, more);
  world.isOneOperator = true;
  const old = stable(world);
  world.put(spec("two", STEPS, more));
  await until(world, () => statusOf(world).rollout?.phase === "observing");
  return { world, old };
};

const editRollout = (world: World, change: (rollout: RolloutStatus) => RolloutStatus): void => {
  const status = statusOf(world);
  world.editStatus({ ...status, rollout: change(status.rollout ?? {}) });
};

const editCapacity = (world: World, change: Partial<NonNullable<RolloutStatus["capacity"]>>): void =>
  editRollout(world, (rollout) => ({
    ...rollout,
    ...(rollout.capacity === undefined ? {} : { capacity: { ...rollout.capacity, ...change } }),
  }));

describe("a status that somebody has edited", () => {
  it("takes no pod away that requests need, and asks for none without an end", async () => {
    const { old, world } = await watched();
    const before = replicasOf(world);
    for (const count of [0, 2 ** 31 - 1]) {
      editCapacity(world, { stable: count, canary: count });
      for (let passes = 0; passes < 4; passes++) {
        await world.reconcile();
        for (const [name, replicas] of Object.entries(replicasOf(world)))
          assert.ok(replicas >= (name === old ? 2 : 1) && replicas <= 3, `${name}: ${replicas}`);
        world.act();
      }
    }
    assert.deepEqual(replicasOf(world), before);
  });

  it("sends no request to a revision without pods for its being called stable", async () => {
    const { old, world } = await watched();
    const second = candidate(world);
    world.fate = (revision) => ({ ready: revision === old, digest: `sha256:${"a".repeat(64)}` });
    world.act();
    const status = statusOf(world);
    world.editStatus({ ...status, stable: { revision: second, executionProvider: "cpu", replicas: 3, ready: 3 } });
    await pass(world);
    assert.deepEqual([stable(world), readyPods(world, old)], [old, 3]);
    assert.equal(statusOf(world).rollout?.revision, second);
  });

  it("keeps nothing of what was added, and is not refused for what is left of it", async () => {
    const world = await serving({}, more);
    world.isOneOperator = true;
    const status = statusOf(world);
    const since = new Date(world.now).toISOString();
    const capacity = { plan: "swap" as const, why: "", spare: 0, stable: 0, canary: 3, since };
    world.editStatus({ ...status, rollout: { revision: stable(world), phase: "observing", capacity } });
    await world.settle();
    assert.deepEqual([statusOf(world), replicasOf(world)], [status, { [stable(world)]: 3 }]);

    world.put(spec("two", STEPS, more));
    await until(world, () => statusOf(world).rollout?.phase === "observing");
    editCapacity(world, { spare: 1 });
    world.put(spec("one", {}, more));
    await until(world, () => statusOf(world).rollout === undefined, 5);
    assert.notEqual(statusOf(world).phase, "Degraded");
  });

  for (const short of [0, 1, 2])
    it(`leaves routers a way back from any epoch that they take: ${short} below the last`, async () => {
      const world = await serving(IMMEDIATE, routed);
      world.isOneOperator = true;
      const followers = createFollowers(world);
      followers.follow();
      await during(world, 1, followers.follow);
      const { traffic } = statusOf(world);
      assert.ok(traffic !== undefined);
      world.editStatus({ ...statusOf(world), traffic: { ...traffic, epoch: 2 ** 52 - short } });
      followers.follow();
      assert.equal(world.routers()[0]?.epoch, 2 ** 52 - short);
      const old = stable(world);
      world.put(spec("two", IMMEDIATE, routed));
      await until(world, () => {
        followers.follow();
        return stable(world) !== old;
      });
      await during(world, 2, followers.follow);
      assert.equal(followers.words(), `${stable(world)} 100 %, 3 ready`);
      assert.equal(world.routers()[0]?.epoch, statusOf(world).traffic?.epoch);
      assert.ok((statusOf(world).traffic?.epoch ?? 0) < 2 ** 52);
    });

  it("holds nothing up until a time that is far away", async () => {
    const { old, world } = await watched();
    const far = "2999-01-01T00:00:00Z";
    editRollout(world, (rollout) => ({ ...rollout, since: far }));
    await until(world, () => statusOf(world).rollout?.phase === "paused", 60);
    editCapacity(world, { since: far, retryAt: far });
    await during(world, 1);
    assert.equal(statusOf(world).rollout?.capacity?.since.startsWith("2999"), false);
    assert.equal(stable(world), old);
  });
});

describe("a swap that nothing tells of any more", () => {
  const swap = async (): Promise<{ world: World; old: string; second: string }> => {
    const world = await serving({}, {}, (one) => {
      one.slots = 1;
    });
    world.isOneOperator = true;
    const old = stable(world);
    world.put(spec("two"));
    await until(world, () => replicasOf(world)[old] === 0);
    return { world, old, second: candidate(world) };
  };

  for (const isLost of ["the status", "the rollout"])
    it(`goes on with the pod that answers: ${isLost} is lost`, async () => {
      const { old, second, world } = await swap();
      await until(world, () => readyPods(world, second) === 1, 1);
      if (isLost === "the status") world.loseStatus();
      else editRollout(world, () => ({}));
      await pass(world);
      assert.deepEqual([readyPods(world, second), routes(world)], [1, ["canary 100"]]);
      await until(world, () => stable(world) === second, 10);
      assert.equal(replicasOf(world)[old] ?? 0, 0);
    });

  it("gives stable its room back where none does", async () => {
    const { old, second, world } = await swap();
    world.fate = (revision) => ({ ready: revision !== second, digest: `sha256:${"a".repeat(64)}` });
    world.act();
    assert.equal(readyPods(world, second), 0);
    world.loseStatus();
    await until(world, () => readyPods(world, old) === 1, 1);
    assert.deepEqual(routes(world), ["stable 100"]);
  });
});
