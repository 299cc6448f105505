/** The pods of a revision made anew while clients ask: with room for one more, and on nodes that are full. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { z } from "zod";
import { startLoad } from "../world/client.ts";
import { isReady, type Seen, waitFor } from "../world/model-deployment.ts";
import { CLUSTER_PATIENCE_S, eventually } from "../world/patience.ts";
import { ANGLE_FILE, answerHere, inferBody, question } from "../world/reference.ts";
import { modelDeployment, useWorld } from "./world.ts";

/** Devices of this file's own: one on each node. */
const DEVICE = "example.com/berth-restart";
const names = z.object({ items: z.array(z.object({ metadata: z.object({ name: z.string() }) })) });

describe("a restart under load", () => {
  const { world, namespace } = useWorld("e2e-restart");
  const kubectl = async (...args: string[]): Promise<string> =>
    (await world().cluster.kubectl(["-n", namespace, ...args])).stdout;
  const namesOf = async (...args: string[]): Promise<string[]> =>
    names.parse(JSON.parse(await kubectl("get", ...args, "-o", "json"))).items.map(({ metadata: { name } }) => name);
  const podsOf = (name: string) => namesOf("pods", "-l", `berth.dev/model-deployment=${name}`);

  const offerOnEachNode = async (): Promise<void> => {
    const [one = "", other = ""] = await namesOf("nodes");
    const path = `/status/capacity/${DEVICE.replace("/", "~1")}`;
    const patch = JSON.stringify([{ op: "add", path, value: "1" }]);
    for (const node of [one, other]) {
      await kubectl("patch", "node", node, "--subresource=status", "--type=json", "-p", patch);
    }
  };

  /** All pods are others when it ends, and each request was answered, and rightly. */
  const restarted = async (before: Seen, name: string, restart: () => Promise<unknown>): Promise<void> => {
    const old = new Set(await podsOf(name));
    const { upright } = await question(192);
    const request = { body: inferBody(upright), expected: await answerHere(ANGLE_FILE, upright), perSecond: 25 };
    const url = `${before.status.url}/v2/models/${name}/infer`;
    const loaded = startLoad(world().cluster, { url, ...request });
    await loaded.underWay();
    await restart();
    const isNew = async (): Promise<boolean> => {
      const pods = await podsOf(name);
      return pods.length === old.size && pods.every((pod) => !old.has(pod));
    };
    await eventually("all pods are others", isNew, () => podsOf(name));
    await waitFor(world().cluster, { namespace, name }, "ready", isReady);
    const { answered, failures } = await loaded.stop();
    assert.deepEqual(failures, []);
    assert.ok(answered > 50, `${answered} requests were answered`);
    const after = await waitFor(world().cluster, { namespace, name }, "ready", isReady);
    assert.equal(after.status.stable?.revision, before.status.stable?.revision);
  };

  const ready = async (name: string, spec: Record<string, unknown>): Promise<Seen> => {
    await world().apply([modelDeployment(name, { scaling: { minReplicas: 2 }, ...spec })], namespace);
    return await waitFor(world().cluster, { namespace, name }, "ready", isReady);
  };
  const now = () => new Date().toISOString();

  it("by kubectl rollout restart fails not one request, and is not undone", async () => {
    const before = await ready("roomy", {});
    const deployment = before.status.stable?.revision ?? "";
    await restarted(before, "roomy", () => kubectl("rollout", "restart", `deployment/${deployment}`));
    await kubectl("rollout", "status", `deployment/${deployment}`, `--timeout=${CLUSTER_PATIENCE_S}s`);
  });

  it("by the annotation fails not one request, where there is no room for a pod more", async () => {
    await offerOnEachNode();
    const before = await ready("full", {
      accelerator: { vendor: "nvidia", resourceName: DEVICE },
      server: { executionProvider: "cpu" },
    });
    await restarted(before, "full", () => kubectl("annotate", "mdeploy/full", `berth.dev/restartedAt=${now()}`));
  });
});
