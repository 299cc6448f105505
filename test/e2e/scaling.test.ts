import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { z } from "zod";
import { runInside } from "../world/client.ts";
import { isReady, type Seen, waitFor } from "../world/model-deployment.ts";
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
});
