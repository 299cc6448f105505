import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { runInside } from "../world/client.ts";
import { conditionOf, isReady, type Seen, statusOf, waitFor } from "../world/model-deployment.ts";
import { killOperator } from "./operator-process.ts";
import { modelDeployment, useWorld } from "./world.ts";

const PATIENCE_SECONDS = 300;

const scaleOf = ({ status }: Seen) =>
  z
    .looseObject({ replicas: z.number(), wanted: z.number().optional(), why: z.string().optional() })
    .parse(status.scale);

/** Requests all at once, or `perSecond` for `seconds`; resolves with how many were answered, and how the others failed. */
const LOAD = `
import http from "node:http";
const url = new URL(input.url);
const agent = new http.Agent({ keepAlive: true, maxSockets: input.sockets ?? 16 });
const failures = [], pending = new Set();
let answered = 0;
const took = [];
const send = () => new Promise((resolve) => {
  const at = Date.now();
  const request = http.request(url, { method: "POST", agent, timeout: 120_000, headers: { "content-type": "application/json" } }, (reply) => {
    let body = "";
    reply.setEncoding("utf8").on("data", (text) => { body += text; }).on("end", () => {
      if (reply.statusCode === 200) { answered++; took.push(Date.now() - at); } else failures.push(reply.statusCode + " " + body.slice(0, 300));
      resolve();
    });
  });
  request.on("timeout", () => request.destroy(new Error("no answer in 120 s")));
  request.on("error", (error) => {
    if (request.reusedSocket && error.code === "ECONNRESET") { send().then(resolve); return; }
    // a node learns of a new Service a moment after the API has it
    if (error.code === "ECONNREFUSED" && Date.now() < start + 10_000) { setTimeout(() => send().then(resolve), 200); return; }
    failures.push((error.code ?? "") + " " + error.message); resolve();
  });
  request.end(JSON.stringify({ inputs: [{ name: "x", shape: [1], datatype: "FP32", data: [3] }] }));
});
const start = Date.now();
for (let i = 0; i < input.count; i++) {
  const due = start + (input.perSecond ? (i * 1000) / input.perSecond : 0);
  if (due > Date.now()) await new Promise((resolve) => setTimeout(resolve, due - Date.now()));
  const sent = send();
  pending.add(sent); sent.then(() => pending.delete(sent));
}
await Promise.all(pending);
agent.destroy();
console.log(JSON.stringify({ answered, failures: failures.slice(0, 5), slowest: Math.max(0, ...took), start }));
`;
const loadReport = z.object({
  answered: z.number(),
  failures: z.array(z.string()),
  slowest: z.number(),
  start: z.number(),
});

const logLine = z.object({ time: z.string(), msg: z.string() });
const podsSchema = z.object({ items: z.array(z.object({ metadata: z.object({ name: z.string() }) })) });
const nodesSchema = z.object({ items: z.array(z.object({ metadata: z.object({ name: z.string() }) })).min(2) });

/** Devices of this file's own, so that no other test's pods come between. */
const DEVICE = "example.com/berth-scaling";
/** Which of them: each node has another kind. */
const KIND = "example.com/kind";

describe("the number of pods", () => {
  const { world, namespace } = useWorld("e2e-scaling");
  const key = { namespace, name: "scaled" };
  const url = `http://scaled.${namespace}.svc/v2/models/scaled/infer`;
  const applied = (scaling: object, spec: object = {}) =>
    world().apply(
      [
        modelDeployment(key.name, {
          model: { uri: "http://models.berth-models.svc:8080/lookup-slow.onnx" },
          scaling,
          ...spec,
        }),
      ],
      namespace,
    );
  const seen = (what: string, holds: (object: Seen) => boolean) =>
    waitFor(world().cluster, key, what, holds, PATIENCE_SECONDS);
  const load = async (options: { count: number; perSecond?: number; sockets?: number }) =>
    loadReport.parse(await runInside(world().cluster, LOAD, { url, ...options }));

  const kubectl = async (...args: string[]): Promise<string> =>
    (await world().cluster.kubectl(["-n", namespace, ...args])).stdout;
  const pods = async (): Promise<string[]> => {
    const list = await kubectl("get", "pods", "-l", "berth.dev/model-deployment=scaled", "-o", "json");
    return podsSchema.parse(JSON.parse(list)).items.map(({ metadata }) => metadata.name);
  };
  const gone = async (): Promise<void> => {
    for (const end = Date.now() + 60_000; (await pods()).length > 0; await sleep(200))
      if (Date.now() > end) throw new Error("its pods did not go within 60 s");
  };
  /** When the first pod was made that is not there yet (ms since 1970). */
  const watchFirstPod = async (): Promise<number> => {
    for (const end = Date.now() + 60_000; Date.now() < end; await sleep(5))
      if ((await pods()).length > 0) return Date.now();
    throw new Error("no pod within 60 s");
  };
  const nodes = async (): Promise<string[]> =>
    nodesSchema
      .parse(JSON.parse(await kubectl("get", "nodes", "-o", "json")))
      .items.map(({ metadata }) => metadata.name);
  /** `undefined`: none, and no label. */
  const offer = async (node: string, kind: string | undefined, devices: number | undefined): Promise<void> => {
    await kubectl("label", "node", node, "--overwrite", kind === undefined ? `${KIND}-` : `${KIND}=${kind}`);
    const path = `/status/capacity/${DEVICE.replace("/", "~1")}`;
    const patch = devices === undefined ? { op: "remove", path } : { op: "add", path, value: String(devices) };
    await kubectl("patch", "node", node, "--subresource=status", "--type=json", "-p", JSON.stringify([patch]));
  };

  it("follows the load: from 1 to 4 and back, and no request fails", async () => {
    await applied({ minReplicas: 1, maxReplicas: 4, target: { utilization: "6%" } });
    await seen("ready", isReady);
    await seen("heard", ({ status }) => status.conditions.some(({ reason }) => reason === "Heard"));
    const loaded = load({ count: 1200, perSecond: 20 });
    await seen("four pods", (object) => object.status.stable?.ready === 4 && isReady(object));
    const { answered, failures } = await loaded;
    assert.deepEqual([answered, failures], [1200, []]);
    await seen("one pod again", (object) => scaleOf(object).wanted === 1 && scaleOf(object).replicas === 1);
  });

  it("goes to zero when nobody asks, and 200 requests at once are all answered", async () => {
    await applied({ minReplicas: 0, maxReplicas: 4, idleBeforeZero: "10s", target: { utilization: "60%" } });
    await seen("asleep", (object) => scaleOf(object).replicas === 0 && isReady(object));
    const { answered, failures } = await load({ count: 200, sockets: 200 });
    assert.deepEqual([answered, failures], [200, []]);
    await seen("asleep again", (object) => scaleOf(object).replicas === 0 && isReady(object));
  });

  it("wakes within 300 ms of what the pod takes itself: its start, its load and its warm-up", async () => {
    await gone();
    const began = watchFirstPod();
    const { failures, slowest, start } = await load({ count: 1 });
    assert.deepEqual(failures, []);
    const created = await began;
    const [pod] = await pods();
    const lines = (await kubectl("logs", pod ?? "", "-c", "server")).trim().split("\n");
    const ready = lines.map((line) => logLine.parse(JSON.parse(line))).find(({ msg }) => msg.startsWith("ready in"));
    assert.ok(ready !== undefined, lines.join("\n"));
    const before = created - start;
    const after = start + slowest - Date.parse(ready.time);
    console.log(`woken in ${slowest} ms: ${before} ms to the pod, ${after} ms from its being ready to the answer`);
    assert.ok(before + after <= 300, `${before} ms before and ${after} ms after`);
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
    await kubectl("scale", "mdeploy", key.name, "--replicas=4");
    await seen("four pods", (object) => isReady(object) && object.status.stable?.ready === 4);
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
        {
          server: { executionProvider: "cpu" },
          accelerator: { resourceName: DEVICE, vendor: "nvidia" },
          scheduling: { nodeSelector: { [KIND]: "fast" } },
        },
      );
      await seen("on the fast node", (object) => isReady(object) && object.status.stable?.ready === 1);
      const loaded = load({ count: 1800, perSecond: 20 });
      const short = await seen("short of devices", (object) => statusOf(object, "CapacityAvailable") === "False");
      assert.match(
        conditionOf(short, "CapacityAvailable")?.message ?? "",
        /^[123] more example\.com\/berth-scaling needed \(\d free on nodes that match\)$/,
      );
      assert.equal(statusOf(short, "Ready"), "True");
      await seen("on both devices", (object) => object.status.stable?.ready === 2 && scaleOf(object).why === "devices");
      assert.equal((await pods()).length, 2);
      await offer(one, "fast", 4);
      await seen("on all of them", (object) => object.status.stable?.ready === 4);
      const { answered, failures } = await loaded;
      assert.deepEqual([answered, failures], [1800, []]);
    } finally {
      await Promise.all([one, other].map((node) => offer(node, undefined, undefined)));
    }
  });
});
