/** A model whose batches are not what its rows are alone, as no made-up row has shown: batching ends, and all is told. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { z } from "zod";
import { magnifiedRow, plainRow } from "../../build/images/magnified.ts";
import { runInside, startInside } from "../world/client.ts";
import { conditionOf, isReady, type Seen, statusOf, waitFor } from "../world/model-deployment.ts";
import { eventually, PATIENCE_MS } from "../world/patience.ts";
import { modelDeployment, useWorld } from "./world.ts";

const ADMIN_PORT = 9090;
const batching = z.object({ state: z.string(), checks: z.object({ different: z.number() }) });
const status = z.object({ batching });
const report = z.object({ right: z.number(), wrong: z.number(), failures: z.array(z.string()) });

describe("a model whose live batches differ", () => {
  const { world, namespace } = useWorld("e2e-batching");
  const key = { namespace, name: "magnified" };
  const kubectl = async (...args: string[]): Promise<string> =>
    (await world().cluster.kubectl(["-n", namespace, ...args])).stdout;
  const seen = (what: string, holds: (object: Seen) => boolean) => waitFor(world().cluster, key, what, holds);
  const pod = () =>
    kubectl("get", "pod", "-l", `berth.dev/model-deployment=${key.name}`, "-o", "jsonpath={.items[0].metadata.name}");
  const admin = async (path: string): Promise<string> =>
    kubectl("get", "--raw", `/api/v1/namespaces/${namespace}/pods/${await pod()}:${ADMIN_PORT}/proxy${path}`);
  const seenBatching = async () => status.parse(JSON.parse(await admin("/statusz"))).batching;
  const input = (count: number) => ({
    url: `http://${key.name}.${namespace}.svc/v2/models/${key.name}/infer`,
    rows: [magnifiedRow(), plainRow()],
    ...{ count, patienceMs: PATIENCE_MS },
  });

  it("passes the proof, and is batched", async () => {
    const model = { uri: "http://models.berth-models.svc:8080/magnified.onnx" };
    await world().apply([modelDeployment(key.name, { model })], namespace);
    assert.equal(statusOf(await seen("ready", isReady), "BatchingEnded"), "absent");
    await eventually("batches are on", async () => (await seenBatching()).state === "on", seenBatching);
  });

  it("ends batching: with a condition, a metric, an event and a line of the log", async () => {
    const load = startInside(world().cluster, LOAD, input(0));
    await load.underWay();
    const ended = await seen("told", (object) => statusOf(object, "BatchingEnded") === "True");
    const { failures, right, wrong } = report.parse(await load.stop());
    assert.deepEqual(failures, []);
    assert.ok(wrong > 0 && right > 0, `${wrong} answers of batches were wrong, ${right} right`);
    const { message = "", reason } = conditionOf(ended, "BatchingEnded") ?? {};
    assert.equal(reason, "AnswersDiffered");
    assert.match(
      message,
      /^batching has ended in pod magnified-\S+ of magnified-\w+: a request had \S+ at element \d+ of its output/,
    );
    assert.ok(isReady(ended), "it serves on");
    assert.equal((await seenBatching()).state, "ended");
    const metrics = await admin("/metrics");
    assert.match(metrics, /^berth_batching_ended 1$/m);
    assert.match(metrics, /^berth_batch_checks_total\{result="different"\} 1$/m);
    assert.match(await kubectl("logs", await pod()), /batching of model magnified has ended.*requests at 20\d\d-/);
    await eventually("an event tells it", async () =>
      /AnswersDiffered/.test(await kubectl("events", "--for", `modeldeployment/${key.name}`)),
    );
  });

  it("answers each request as it would alone from then on, however many come at once", async () => {
    const { failures, right, wrong } = report.parse(await runInside(world().cluster, LOAD, input(1000)));
    assert.deepEqual({ failures, right, wrong }, { failures: [], right: 1000, wrong: 0 });
  });

  it("is batched again by a pod that is new, and that is told", async () => {
    await kubectl("delete", "pod", await pod(), "--wait=true", "--now");
    const again = await seen(
      "ready again",
      (object) => isReady(object) && statusOf(object, "BatchingEnded") === "absent",
    );
    assert.equal(again.status.stable?.ready, 1);
  });
});

/**
 * Sixteen clients, each of which asks again as soon as it is answered: `count` requests in all, or until SIGTERM. Before that each row is
 * asked alone: what comes is the right answer.
 */
const LOAD = `
import http from "node:http";
const agent = new http.Agent({ keepAlive: true, maxSockets: 16 });
const failures = [];
const ask = (row) => new Promise((resolve) => {
  const request = http.request(input.url, { method: "POST", agent, timeout: input.patienceMs, headers: { "content-type": "application/json" } }, (reply) => {
    let body = "";
    reply.setEncoding("utf8").on("data", (text) => { body += text; }).on("end", () => {
      if (reply.statusCode === 200) resolve(JSON.parse(body).outputs[0].data.join());
      else { failures.push(reply.statusCode + " " + body.slice(0, 200)); resolve(""); }
    });
  });
  request.on("timeout", () => request.destroy(new Error("no answer in " + input.patienceMs + " ms")));
  request.on("error", (error) => {
    if (request.reusedSocket && error.code === "ECONNRESET") { ask(row).then(resolve); return; }
    failures.push((error.code ?? "") + " " + error.message); resolve("");
  });
  request.end(JSON.stringify({ inputs: [{ name: "x", shape: [1, row.length], datatype: "FP32", data: row }] }));
});
const alone = [];
for (const row of input.rows) alone.push(await ask(row));
let stopped = false, sent = 0, right = 0, wrong = 0;
process.on("SIGTERM", () => { stopped = true; });
if (input.count === 0) underWay();
const client = async () => {
  while (!stopped && failures.length === 0 && (input.count === 0 || sent < input.count)) {
    const which = sent++ % input.rows.length;
    if (await ask(input.rows[which]) === alone[which]) right++; else wrong++;
  }
};
await Promise.all(Array.from({ length: 16 }, client));
agent.destroy();
console.log(JSON.stringify({ failures, right, wrong }));
`;
