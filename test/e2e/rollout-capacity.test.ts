import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { z } from "zod";
import { conditionOf, isReady, isStalled, type Seen, waitFor } from "../world/model-deployment.ts";
import { startProber } from "../world/prober.ts";
import { modelDeployment, useWorld } from "./world.ts";

/** Devices of this file's own, so that no other test's pods come between: two on one node. */
const DEVICE = "example.com/berth-slot";
const nodes = z.object({ items: z.array(z.object({ metadata: z.object({ name: z.string() }) })).min(1) });
const rollout = z.object({ capacity: z.object({ plan: z.string(), why: z.string() }) });

describe("a rollout without spare devices", () => {
  const { world, namespace } = useWorld("e2e-rollout-capacity");
  const key = { namespace, name: "lookup" };
  const settings = {
    ...{ strategy: "canary", steps: [{ weight: "50%" }], stepDuration: { min: "10s" } },
    analysis: { latency: { mode: "off" } },
  };
  let node = "";

  const offer = async (devices: number | undefined): Promise<void> => {
    const path = `/status/capacity/${DEVICE.replace("/", "~1")}`;
    const patch = devices === undefined ? { op: "remove", path } : { op: "add", path, value: String(devices) };
    const target = ["patch", "node", node, "--subresource=status", "--type=json", "-p", JSON.stringify([patch])];
    await world().cluster.kubectl(target);
  };
  const applied = (file: string, replicas: number) =>
    world().apply(
      [
        modelDeployment(key.name, {
          model: { uri: `http://models.berth-models.svc:8080/${file}.onnx` },
          server: { executionProvider: "cpu" },
          accelerator: { resourceName: DEVICE, vendor: "nvidia" },
          scaling: { minReplicas: replicas },
          rollout: settings,
          // a device may change hands slowly on a busy machine
          traffic: { queue: { maxWait: "5m" } },
        }),
      ],
      namespace,
    );
  const seen = (what: string, holds: (object: Seen) => boolean) => waitFor(world().cluster, key, what, holds);
  const planned = async (plan: string): Promise<void> => {
    const object = await seen(`planned as ${plan}`, ({ status }) => status.rollout?.capacity !== undefined);
    const { capacity } = rollout.parse(object.status.rollout);
    assert.equal(capacity.plan, plan, capacity.why);
  };
  const onAnother = (stable: string | undefined) => (object: Seen) =>
    isReady(object) && object.status.stable?.revision !== stable;
  /** Resolves when requests are under way: what is swapped at once would hold the very first of them. */
  const probed = async () => {
    const prober = startProber(world().cluster, {
      ...{ url: `http://lookup.${namespace}.svc`, model: key.name, perSecond: 30, entries: 32 },
    });
    await prober.underWay();
    return prober;
  };

  before(async () => {
    const { stdout } = await world().cluster.kubectl(["get", "nodes", "-o", "json"]);
    node = nodes.parse(JSON.parse(stdout)).items[0]?.metadata.name ?? "";
    await offer(2);
  });
  after(() => offer(undefined));

  it("before anything was promoted, corrects a first revision that holds the only device and is never ready", async () => {
    await offer(1);
    await applied("unloadable", 1);
    await seen("stalled", isStalled);
    await applied("lookup", 1);
    await seen("ready", isReady);
    await offer(2);
  });

  it("with two pods hands them over one after the other, and no request fails", async () => {
    await applied("lookup", 2);
    const { status } = await seen("ready", isReady);
    const prober = await probed();
    await applied("lookup-again", 2);
    await planned("handover");
    await seen("told", (object) =>
      /capacity handover: it replaces stable's pods stepwise/.test(object.status.message ?? ""),
    );
    await seen("promoted", onAnother(status.stable?.revision));
    await prober.stopUnharmed();
  });

  it("with one pod and one device holds requests while the device changes hands, and none fails", async () => {
    await applied("lookup-again", 1);
    await offer(1);
    const { status } = await seen("on one pod", (object) => isReady(object) && object.status.stable?.replicas === 1);
    const prober = await probed();
    await applied("lookup", 1);
    await planned("swap");
    await seen("promoted", onAnother(status.stable?.revision));
    await prober.stopUnharmed();
  });

  it("brings the old one back where the new one does not load", async () => {
    const { status } = await seen("ready", isReady);
    const prober = await probed();
    await applied("unloadable", 1);
    await planned("swap");
    const after = await seen("rejected", isStalled);
    assert.equal(conditionOf(after, "Stalled")?.reason, "RolledBack");
    assert.match(after.status.message ?? "", /ModelInvalid/);
    assert.equal(after.status.stable?.revision, status.stable?.revision);
    await seen("served again", (object) => object.status.stable?.ready === 1);
    await prober.stopUnharmed();
  });
});
