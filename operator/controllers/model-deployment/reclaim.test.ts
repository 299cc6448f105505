import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { serving, spec, stable, statusOf, until } from "../../../test/simulation/passes.ts";
import type { World } from "../../../test/simulation/world.ts";
import { errorFromStatus } from "../../platform/kube/errors.ts";
import type { ControllerRevision } from "../../platform/kube/objects.ts";
import { CONTROLLER_REVISIONS, DEPLOYMENTS } from "../../platform/kube/resources.ts";
import { createReclaim } from "./reclaim.ts";

const { signal } = new AbortController();

/** A revision on trial beside stable, whose ControllerRevision is gone. */
const withoutRecord = async (): Promise<{ world: World; old: string; record: ControllerRevision }> => {
  const world = await serving();
  const old = stable(world);
  world.put(spec("two"));
  await until(world, () => statusOf(world).rollout?.capacity !== undefined);
  const record = world.get(CONTROLLER_REVISIONS, old);
  assert.ok(record);
  world.erase(CONTROLLER_REVISIONS, old);
  return { world, old, record };
};

describe("the API server is asked for a ControllerRevision that is not seen", () => {
  it("once a minute, where its revision goes on by its Deployment", async () => {
    const { world } = await withoutRecord();
    const { get } = world.client;
    const asked: number[] = [];
    world.client.get = async (...request) => {
      asked.push(world.now);
      return await get(...request);
    };
    const reclaim = createReclaim(world.client);
    const begun = world.now;
    for (; world.now <= begun + 180_000; world.now += 1000) await reclaim.look(world.observed(), world.now, signal);
    assert.deepEqual(
      asked.map((at) => at - begun),
      [0, 60_000, 120_000, 180_000],
    );
  });

  it("and the pass goes on where it does not answer, unless nothing else is known of what serves", async () => {
    const { world, old } = await withoutRecord();
    world.client.get = () => Promise.reject(errorFromStatus("get", 500, { message: "boom" }));
    assert.equal(await createReclaim(world.client).look(world.observed(), world.now, signal), false);
    world.erase(DEPLOYMENTS, old);
    await assert.rejects(createReclaim(world.client).look(world.observed(), world.now, signal), /boom/);
  });

  it("and it gets its labels back if it is there", async () => {
    const { record, world, old } = await withoutRecord();
    const { labels: _, ...metadata } = record.metadata;
    world.objects.set(`ControllerRevision/${old}`, { ...record, metadata });
    assert.equal(await createReclaim(world.client).look(world.observed(), world.now, signal), true);
    assert.equal(world.get(CONTROLLER_REVISIONS, old)?.metadata.labels?.["berth.dev/revision"], old);
  });
});
