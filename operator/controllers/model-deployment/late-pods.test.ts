/** Pods of a canary that wait for longer than its deadline before they begin, or that their nodes give up: none of it is the revision's fault. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  during,
  pass,
  type Rollout,
  serving,
  spec,
  stable,
  statusOf,
  until,
  withoutTraffic,
} from "../../../test/simulation/passes.ts";
import type { Fate, World } from "../../../test/simulation/world.ts";
import type { Pod } from "../../platform/kube/objects.ts";
import { faultOf } from "./faults.ts";

/** Decided by pods: the traffic of the simulation takes its time. */
const ROLLOUT: Partial<Rollout> = { steps: [{ weight: "100%" }], progressDeadline: "1m", capacity: "surge" };
const good: Fate = { ready: true, digest: `sha256:${"a".repeat(64)}` };
const starting: Fate = { ready: false };

const begun = async (fate: Fate): Promise<{ world: World; old: string; become(fate: Fate): void }> => {
  const world = await serving(ROLLOUT, {}, withoutTraffic);
  const old = stable(world);
  let now = fate;
  world.fate = (revision) => (revision === old ? good : now);
  world.put(spec("two", ROLLOUT));
  const become = (fate: Fate) => {
    now = fate;
  };
  return { world, old, become };
};

const waits: Readonly<Record<string, Fate>> = {
  "a scheduling gate": { ready: false, gate: "example.com/approval" },
  "claims of devices": { ready: false, pending: "0/3 nodes are available: 3 cannot allocate all claims." },
  "room, which a pod of more priority has taken": {
    ready: false,
    pending: "0/3 nodes are available: 3 Insufficient nvidia.com/gpu. preemption: not eligible",
  },
  "a scheduler that does not look": { ready: false, untold: true },
};

describe("a canary whose pods have waited for longer than its deadline", () => {
  for (const [what, fate] of Object.entries(waits)) {
    it(`for ${what}: holds, says so, and has its time to start`, async () => {
      const { become, old, world } = await begun(fate);
      await during(world, 2);
      assert.deepEqual([stable(world), statusOf(world).rollout?.phase], [old, "preparing"]);
      if (fate.untold !== true) assert.match(statusOf(world).message ?? "", /wait/);
      become(starting);
      await pass(world);
      await pass(world);
      world.now += 30_000;
      await pass(world);
      assert.deepEqual([statusOf(world).rollout?.rejected, statusOf(world).rollout?.phase], [undefined, "preparing"]);
      // the watch tells of it at once, and no pass before the deadline is asked for
      become(good);
      world.act();
      await until(world, () => statusOf(world).rollout?.phase === "observing", 5);
    });
  }

  it("is rejected where it is not ready in that time then", async () => {
    const { become, old, world } = await begun({ ready: false, gate: "example.com/approval" });
    await during(world, 2);
    become(starting);
    await until(world, () => statusOf(world).rollout?.rejected !== undefined, 2);
    assert.equal(stable(world), old);
  });
});

describe("pods that their nodes gave up", () => {
  const evicted = (name: string): Pod => ({
    ...{ apiVersion: "v1", kind: "Pod", metadata: { name, namespace: "default" } },
    spec: { containers: [], nodeName: "node" },
    status: {
      ...{ phase: "Failed", reason: "Evicted", message: "The node was low on resource: memory." },
      containerStatuses: [
        {
          ...{ name: "server", ready: false, restartCount: 3, image: "i", imageID: "i" },
          state: { terminated: { exitCode: 137, reason: "Error" } },
        },
      ],
    },
  });
  const pods = [evicted("a"), evicted("b")];

  it("are no crash loop of the revision", () => {
    const cause = { reason: "CrashLooping", message: "ended once", stalled: false } as const;
    assert.equal(faultOf(cause, pods, false), "none");
  });

  it("have not begun to start in place of those that replace them", () => {
    assert.equal(faultOf(undefined, pods, true), "cluster");
  });
});
