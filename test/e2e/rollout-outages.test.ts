/** Corners of rollouts on the real cluster: a stable revision that breaks, and a rollout that is left in the middle. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { z } from "zod";
import { request } from "../world/client.ts";
import { conditionOf, isReady, type Seen, waitFor } from "../world/model-deployment.ts";
import { startProber } from "../world/prober.ts";
import { modelDeployment, useWorld } from "./world.ts";

const PATIENCE_SECONDS = 600;
const server = "http://models.berth-models.svc:8080";
/** Devices of this file's own: four on one node. */
const DEVICE = "example.com/berth-outage";
const nodes = z.object({ items: z.array(z.object({ metadata: z.object({ name: z.string() }) })).min(1) });
const counts = z.object({ readyReplicas: z.number().default(0) });
const traffic = z.object({ routes: z.array(z.object({ revision: z.string(), weight: z.number() })) });

describe("a rollout in trouble", () => {
  const { world, namespace } = useWorld("e2e-rollout-outages");
  const key = { namespace, name: "lookup" };
  const seen = (what: string, holds: (object: Seen) => boolean) =>
    waitFor(world().cluster, key, what, holds, PATIENCE_SECONDS);
  const probed = () =>
    startProber(world().cluster, {
      ...{ url: `http://lookup.${namespace}.svc`, model: key.name, perSecond: 20, entries: 20 },
    });
  let node = "";
  const offer = async (devices: number | undefined): Promise<void> => {
    const path = `/status/capacity/${DEVICE.replace("/", "~1")}`;
    const patch = devices === undefined ? { op: "remove", path } : { op: "add", path, value: String(devices) };
    const target = ["patch", "node", node, "--subresource=status", "--type=json", "-p", JSON.stringify([patch])];
    await world().cluster.kubectl(target);
  };

  before(async () => {
    const { stdout } = await world().cluster.kubectl(["get", "nodes", "-o", "json"]);
    node = nodes.parse(JSON.parse(stdout)).items[0]?.metadata.name ?? "";
    await offer(4);
  });
  after(() => offer(undefined));

  it("replaces a stable revision that is broken, and its clients are answered by the canary until then", async () => {
    const rollout = { strategy: "canary", steps: [{ weight: "20%" }, { weight: "50%" }] };
    const applied = (file: string) =>
      world().apply([modelDeployment(key.name, { model: { uri: `${server}/${file}` }, rollout })], namespace);
    const mutable = "mutable/broken";
    const put = (to: string) => request(world().cluster, `${server}/${mutable}?to=${to}.onnx`, { method: "PUT" });
    assert.ok((await put("lookup")).status < 300);
    await applied(mutable);
    const first = await seen("ready and pinned", (one) => isReady(one) && one.status.stable?.modelDigest !== undefined);
    await applied("lookup-again.onnx");
    await seen("on trial", (one) => /20 % of the requests go to/.test(one.status.message ?? ""));
    const prober = probed();
    // its bytes are others now: a pod that starts anew refuses them
    await put("lookup-wrong");
    const stable = first.status.stable?.revision ?? "";
    await world().cluster.kubectl([
      "delete",
      "pod",
      "-n",
      namespace,
      "-l",
      `berth.dev/revision=${stable}`,
      "--wait=false",
    ]);
    const after = await seen("replaced", (one) => isReady(one) && one.status.stable?.revision !== stable);
    assert.equal(conditionOf(after, "Available")?.status, "True");
    await prober.stopUnharmed();
    const { stdout } = await world().cluster.kubectl(["get", "modelrollouts", "-n", namespace, "-o", "yaml"]);
    assert.match(stdout, /stable answered no request, and the new revision did/);
    await world().cluster.kubectl(["delete", "mdeploy", key.name, "-n", namespace]);
  });

  it("that is left in the middle of a handover gives its share back as stable's pods return", async () => {
    const rollout = {
      ...{ strategy: "canary", steps: [{ weight: "50%" }], stepDuration: { min: "5m" } },
      analysis: { latency: { mode: "off" } },
    };
    const applied = (file: string) =>
      world().apply(
        [
          modelDeployment(key.name, {
            model: { uri: `${server}/${file}` },
            server: { executionProvider: "cpu" },
            accelerator: { resourceName: DEVICE, vendor: "nvidia" },
            scaling: { minReplicas: 4 },
            rollout,
          }),
        ],
        namespace,
      );
    const third = `${server}/mutable/third?to=lookup.onnx`;
    assert.ok((await request(world().cluster, third, { method: "PUT" })).status < 300);
    await applied("lookup.onnx");
    const first = await seen("ready", isReady);
    const stable = first.status.stable?.revision ?? "";
    await applied("lookup-again.onnx");
    await seen("half way", (one) => /50 % of the requests go to/.test(one.status.message ?? ""));
    const prober = probed();
    await applied("mutable/third");
    let most = 0;
    await seen("stable again whole, and the next one begun", (one) => {
      const weight =
        (traffic.parse(one.status.traffic).routes.find(({ revision }) => revision === stable)?.weight ?? 0) / 100;
      most = Math.max(
        most,
        Math.ceil(weight * 4) - counts.parse({ readyReplicas: one.status.stable?.ready }).readyReplicas,
      );
      return one.status.canary !== undefined && weight === 1 && one.status.rollout?.phase !== "retreating";
    });
    assert.ok(most <= 1, `stable was ${most} pods short of its share`);
    await prober.stopUnharmed();
  });
});
