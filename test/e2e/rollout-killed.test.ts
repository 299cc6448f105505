import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { OPERATOR_NAMESPACE } from "../world/helm.ts";
import { isReady, read, type Seen, waitFor } from "../world/model-deployment.ts";
import { CLUSTER_PATIENCE_S, eventually } from "../world/patience.ts";
import { startProber } from "../world/prober.ts";
import { operatorProcesses, replaceOperator } from "./operator-process.ts";
import { modelDeployment, useWorld } from "./world.ts";

const trialSchema = z.object({ phase: z.string().optional(), step: z.number().optional() });
const lease = z.object({ spec: z.object({ holderIdentity: z.string().default("") }) });

describe("a rollout whose operator has a bad day", () => {
  const { world, namespace } = useWorld("e2e-rollout-killed");
  const key = { namespace, name: "lookup" };
  const settings = {
    ...{ strategy: "canary", steps: [{ weight: "30%" }, { weight: "60%" }], stepDuration: { min: "15s" } },
    analysis: { latency: { mode: "off" } },
  };
  const applied = (file: string) =>
    world().apply(
      [
        modelDeployment(key.name, {
          ...{ model: { uri: `http://models.berth-models.svc:8080/${file}.onnx` }, rollout: settings },
          scaling: { minReplicas: 2 },
        }),
      ],
      namespace,
    );
  const kubectl = async (...args: string[]): Promise<string> => (await world().cluster.kubectl(args)).stdout;
  const seen = (what: string, holds: (object: Seen) => boolean) => waitFor(world().cluster, key, what, holds);
  const where = ({ status }: Seen): string => {
    const { phase, step } = trialSchema.parse(status.rollout ?? {});
    return phase === undefined ? "" : `${phase} ${step}`;
  };
  const probed = () =>
    startProber(world().cluster, {
      ...{ url: `http://lookup.${namespace}.svc`, model: key.name, perSecond: 40, entries: 32 },
    });
  const routers = ["pods", "-n", namespace, "-l", "berth.dev/router=true"];
  const deleteOneRouter = async (): Promise<void> => {
    const [one = ""] = (await kubectl("get", ...routers, "-o", "name")).trim().split("\n");
    await kubectl("delete", "-n", namespace, one, "--wait=false");
  };

  it("which is killed with -9 in each step, its routers deleted, is promoted all the same, and no request fails", async () => {
    await applied("lookup");
    const before = await seen("ready", isReady);
    const prober = probed();
    await applied("lookup-again");
    const killedIn = new Set<string>();
    for (const end = Date.now() + CLUSTER_PATIENCE_S * 1000; Date.now() < end; await sleep(150)) {
      const object = await read(world().cluster, namespace, key.name);
      if (isReady(object) && object.status.stable?.revision !== before.status.stable?.revision) break;
      const here = where(object);
      if (here === "" || killedIn.has(here)) continue;
      if (here.startsWith("observing")) await deleteOneRouter();
      if ((await replaceOperator(world())) > 0) killedIn.add(here);
    }
    const after = await seen("promoted", isReady);
    assert.notEqual(after.status.stable?.revision, before.status.stable?.revision);
    assert.ok(
      ["observing 0", "observing 1"].every((step) => killedIn.has(step)),
      `killed in: ${[...killedIn].join(", ")}`,
    );
    await prober.stopUnharmed();
  });

  it("whose status is wiped, and whose spec is taken back, leaves stable as it was", async () => {
    const before = await seen("ready", isReady);
    const prober = probed();
    await applied("lookup");
    await seen("on trial", (object) => where(object) === "observing 0");
    const wiped = JSON.stringify([{ op: "replace", path: "/status", value: { observedGeneration: -1 } }]);
    await kubectl("patch", "mdeploy", key.name, "-n", namespace, "--subresource=status", "--type=json", "-p", wiped);
    const again = await seen("on trial again", (object) => where(object) === "observing 0");
    assert.equal(again.status.stable?.revision, before.status.stable?.revision);
    await applied("lookup-again");
    const after = await seen("back", isReady);
    assert.deepEqual([after.status.stable?.revision, after.status.canary], [before.status.stable?.revision, undefined]);
    await prober.stopUnharmed();
  });

  it("whose leader is paused for longer than its lease goes on with the next one, and the old one spoils nothing", async () => {
    const holder = async (): Promise<string> => {
      const all = z
        .object({ items: z.array(lease) })
        .parse(JSON.parse(await kubectl("get", "leases", "-n", OPERATOR_NAMESPACE, "-o", "json")));
      return all.items[0]?.spec.holderIdentity ?? "";
    };
    const operators = (replicas: number) =>
      kubectl("scale", "deployment", "berth-operator", "-n", OPERATOR_NAMESPACE, `--replicas=${replicas}`);
    const before = await seen("ready", isReady);
    const leading = await holder();
    const [leader] = await operatorProcesses(world().handle.where.name);
    if (leader === undefined) throw new Error("no operator runs");
    await operators(2);
    const prober = probed();
    try {
      await kubectl(
        "rollout",
        "status",
        "deployment",
        "berth-operator",
        "-n",
        OPERATOR_NAMESPACE,
        `--timeout=${CLUSTER_PATIENCE_S}s`,
      );
      await applied("lookup");
      await seen("on trial", (object) => where(object) === "observing 0");
      process.kill(leader, "SIGSTOP");
      await eventually("the other one takes the lead", async () => (await holder()) !== leading, holder);
      process.kill(leader, "SIGCONT");
      const after = await seen(
        "promoted",
        (object) => isReady(object) && object.status.stable?.revision !== before.status.stable?.revision,
      );
      assert.equal(after.status.canary, undefined);
      await prober.stopUnharmed();
    } finally {
      await operators(1);
    }
  });
});
