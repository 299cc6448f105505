/** What follows from a write that is refused for long is what the write was about, and is called by its name. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  readyPods,
  serving,
  spec,
  stable,
  statusOf,
  until,
  withoutTraffic,
} from "../../../test/simulation/passes.ts";
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
