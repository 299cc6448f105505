import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { conditionOf, isReady, type Seen, scaleOf, statusOf } from "../world/model-deployment.ts";
import { eventually, until } from "../world/patience.ts";
import { killOperator } from "./operator-process.ts";
import { useScaledModel } from "./scaled-model.ts";

const logLine = z.object({ time: z.string(), msg: z.string() });
const podsSchema = z.object({ items: z.array(z.object({ metadata: z.object({ name: z.string() }) })) });
const nodesSchema = z.object({ items: z.array(z.object({ metadata: z.object({ name: z.string() }) })).min(2) });

/** Devices of this file's own, so that no other test's pods come between. */
const DEVICE = "example.com/berth-scaling";
/** Which of them: each node has another kind. */
const KIND = "example.com/kind";

/** Long enough that what is missing is known by its end. */
const QUEUE = { queue: { maxWait: "15s" } };

const HPA = {
  apiVersion: "autoscaling/v2",
  kind: "HorizontalPodAutoscaler",
  metadata: { name: "scaled" },
  spec: {
    scaleTargetRef: { apiVersion: "berth.dev/v1alpha1", kind: "ModelDeployment", name: "scaled" },
    ...{ minReplicas: 4, maxReplicas: 6 },
    metrics: [{ type: "Resource", resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 80 } } }],
  },
};

describe("the bounds of the number of pods", () => {
  const { applied, key, load, namespace, seen, world } = useScaledModel("e2e-scaling-bounds");
  const kubectl = async (...args: string[]): Promise<string> =>
    (await world().cluster.kubectl(["-n", namespace, ...args])).stdout;
  const pods = async (): Promise<string[]> => {
    const list = await kubectl("get", "pods", "-l", "berth.dev/model-deployment=scaled", "-o", "json");
    return podsSchema.parse(JSON.parse(list)).items.map(({ metadata }) => metadata.name);
  };
  const gone = async (): Promise<void> => {
    await eventually("its pods are gone", async () => (await pods()).length === 0, pods);
  };
  /** When the first pod was made that is not there yet (ms since 1970). */
  const watchFirstPod = async (): Promise<number> => {
    await until("a pod", async () => (await pods()).length > 0);
    return Date.now();
  };
  /** When the first of their servers was ready (ms since 1970), as far as the logs tell yet. */
  const firstReady = async (): Promise<number | undefined> => {
    const logs = (await pods()).map((pod) => kubectl("logs", pod, "-c", "server").catch(() => ""));
    const lines = (await Promise.all(logs)).flatMap((log) => log.split("\n").filter((line) => line.trim() !== ""));
    const times = lines
      .map((line) => logLine.parse(JSON.parse(line)))
      .flatMap(({ msg, time }) => (msg.startsWith("ready in") ? [Date.parse(time)] : []));
    return times.toSorted((one, other) => one - other)[0];
  };
  const nodes = async (): Promise<string[]> =>
    nodesSchema
      .parse(JSON.parse(await kubectl("get", "nodes", "-o", "json")))
      .items.map(({ metadata }) => metadata.name);
  /** The kubelet takes some seconds over it. */
  const allocatable = async (node: string, devices: string): Promise<void> => {
    const path = `jsonpath={.status.allocatable['${DEVICE.replaceAll(".", "\\.")}']}`;
    const offered = () => kubectl("get", "node", node, "-o", path);
    await eventually(`node ${node} offers ${devices} ${DEVICE}`, async () => (await offered()) === devices, offered);
  };
  /** `undefined`: none, and no label. */
  const offer = async (node: string, kind: string | undefined, devices: number | undefined): Promise<void> => {
    await kubectl("label", "node", node, "--overwrite", kind === undefined ? `${KIND}-` : `${KIND}=${kind}`);
    const path = `/status/capacity/${DEVICE.replace("/", "~1")}`;
    const patch = devices === undefined ? { op: "remove", path } : { op: "add", path, value: String(devices) };
    await kubectl("patch", "node", node, "--subresource=status", "--type=json", "-p", JSON.stringify([patch]));
  };

  it("let no pod be there until a request comes, which is answered by the first", async () => {
    const sleeps = (idleBeforeZero: string) =>
      applied({ minReplicas: 0, maxReplicas: 4, idleBeforeZero, target: { utilization: "60%" } });
    const isAsleep = (object: Seen) => scaleOf(object).replicas === 0 && isReady(object);
    await sleeps("10s");
    await seen("asleep", isAsleep);
    // on a busy machine the pod would be asleep again before its log is read
    await sleeps("10m");
    await seen("asleep still", isAsleep);
    await gone();
    const began = watchFirstPod();
    const { failures, slowest, start } = await load({ count: 1 });
    assert.deepEqual(failures, []);
    const created = await began;
    // a kubelet may serve the log of a pod a moment after that has answered, and another pod may be starting beside it
    await eventually("a log tells when its server was ready", async () => (await firstReady()) !== undefined, pods);
    const readyAt = (await firstReady()) ?? Number.NaN;
    const before = created - start;
    const after = start + slowest - readyAt;
    console.log(`woken in ${slowest} ms: ${before} ms to the pod, ${after} ms from its being ready to the answer`);
    await sleeps("10s");
  });

  it("survives the operator's end in the middle of waking: nothing that waits is lost", async () => {
    await seen("asleep", (object) => scaleOf(object).replicas === 0 && isReady(object));
    const loaded = load({ count: 50, sockets: 50 });
    await sleep(300);
    assert.ok((await killOperator(world())) > 0, "no operator was there to kill");
    const { answered, failures } = await loaded;
    assert.deepEqual([answered, failures], [50, []]);
    await seen("asleep again", (object) => scaleOf(object).replicas === 0 && isReady(object));
  });

  it("is handed over to whoever writes spec.replicas, and back, and does not change with that", async () => {
    await applied({ minReplicas: 2, maxReplicas: 4 });
    await seen("two pods", (object) => isReady(object) && object.status.stable?.ready === 2);
    // what stays on the router leaves no client on the way past it
    const traffic = { path: "router" };
    await applied({ mode: "external" }, { replicas: 2, traffic });
    await seen("two pods still", (object) => isReady(object) && scaleOf(object).wanted === undefined);
    // an HPA keeps to its own least number, whatever its metrics say
    await world().apply([HPA], namespace);
    await seen("four pods", (object) => isReady(object) && object.status.stable?.ready === 4);
    await kubectl("delete", "hpa", key.name);
    const names = await pods();
    await applied({ minReplicas: 1, maxReplicas: 4 });
    const back = await seen("its own again", (object) => scaleOf(object).wanted !== undefined);
    assert.equal(scaleOf(back).wanted, 4);
    assert.deepEqual(await pods(), names);
    await applied({ mode: "external" }, { replicas: 4, traffic });
    await seen("four pods still", (object) => isReady(object) && scaleOf(object).wanted === undefined);
    assert.deepEqual(await pods(), names);
  });

  it("has the floor that its schedule says", async () => {
    const floor = [{ cron: "* * * * *", minReplicas: 3 }];
    await applied({ minReplicas: 1, maxReplicas: 4, schedule: floor });
    await seen("three pods", (object) => isReady(object) && object.status.stable?.ready === 3);
    await applied({ minReplicas: 1, maxReplicas: 4 });
    await seen("one pod", (object) => isReady(object) && scaleOf(object).replicas === 1);
  });

  it("follows the load during a rollout, in which stable keeps the pods for all requests", async () => {
    const scaling = { minReplicas: 1, maxReplicas: 3, target: { utilization: "6%" } };
    const rollout = {
      ...{ strategy: "canary", steps: [{ weight: "25%" }, { weight: "50%" }], stepDuration: { min: "10s" } },
      analysis: { latency: { mode: "off" } },
    };
    await applied(scaling, { rollout });
    const { status } = await seen("ready", isReady);
    const loaded = load({ count: 3600, perSecond: 20 });
    await seen("three pods", (object) => object.status.stable?.ready === 3);
    await applied(scaling, { rollout, server: { requestTimeout: "20s" } });
    const during = await seen("on trial", ({ status: { canary } }) => (canary?.ready ?? 0) > 0);
    assert.equal(during.status.stable?.replicas, 3);
    await seen("promoted, with all pods", (object) => {
      const { ready, revision } = object.status.stable ?? {};
      return revision !== status.stable?.revision && ready === 3;
    });
    const { answered, failures } = await loaded;
    assert.deepEqual([answered, failures], [3600, []]);
  });

  it("is bounded by the devices of the nodes that match, says what is missing, and takes what comes free", async () => {
    const [one = "", other = ""] = await nodes();
    const onFast = {
      server: { executionProvider: "cpu" },
      accelerator: { resourceName: DEVICE, vendor: "nvidia" },
      scheduling: { nodeSelector: { [KIND]: "fast" } },
    };
    await Promise.all([offer(one, "fast", 2), offer(other, "slow", 4)]);
    try {
      await applied(
        {
          minReplicas: 0,
          maxReplicas: 4,
          idleBeforeZero: "10s",
          schedule: [{ cron: "* * * * *", minReplicas: 1 }],
          target: { utilization: "6%" },
        },
        onFast,
      );
      await seen("on the fast node", (object) => isReady(object) && object.status.stable?.ready === 1);
      const loaded = load({ count: 1800, perSecond: 20 });
      const short = await seen("short of devices", (object) => statusOf(object, "CapacityAvailable") === "False");
      assert.match(
        conditionOf(short, "CapacityAvailable")?.message ?? "",
        /^[123] more example\.com\/berth-scaling needed \(\d free on matching nodes\)$/,
      );
      assert.equal(statusOf(short, "Ready"), "True");
      await seen("on both devices", (object) => object.status.stable?.ready === 2 && scaleOf(object).why === "devices");
      assert.equal((await pods()).length, 2);
      await offer(one, "fast", 4);
      await seen("on all of them", (object) => object.status.stable?.ready === 4);
      const { answered, failures } = await loaded;
      assert.deepEqual([answered, failures], [1800, []]);

      await applied({ minReplicas: 0, maxReplicas: 4, idleBeforeZero: "10s" }, { ...onFast, traffic: QUEUE });
      await seen("asleep", (object) => scaleOf(object).replicas === 0 && isReady(object));
      await offer(one, "fast", 0);
      await gone();
      await allocatable(one, "0");
      // the operator looks at the nodes every ten seconds at most
      await sleep(11_000);
      const refused = await load({ count: 1 });
      assert.match(
        refused.failures.join(),
        // as many as the servers' speed asks for, which a busy machine changes
        /^503 .*no pod of scaled-[0-9a-f]{8} was free or ready in time \([1-4] more example\.com\/berth-scaling needed \(0 free on matching nodes\)\); try again/,
      );
      assert.deepEqual(await pods(), []);
    } finally {
      await Promise.all([one, other].map((node) => offer(node, undefined, undefined)));
    }
  });
});
