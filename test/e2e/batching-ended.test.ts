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
const batching = z.object({ state: z.string(), reason: z.string(), checks: z.object({ different: z.number() }) });
const status = z.object({ batching });
const report = z.object({ right: z.number(), wrong: z.number(), failures: z.array(z.string()) });

describe("a model whose live batches differ", () => {
  const { world, namespace } = useWorld("e2e-batching");
  const key = { namespace, name: "magnified" };
  const kubectl = async (...args: string[]): Promise<string> =>
    (await world().cluster.kubectl(["-n", namespace, ...args])).stdout;
  const seen = (what: string, holds: (object: Seen) => boolean) => waitFor(world().cluster, key, what, holds);
  const pods = async (): Promise<string[]> =>
    (
      await kubectl(
        "get",
        "pod",
        "-l",
        `berth.dev/model-deployment=${key.name}`,
        "-o",
        "jsonpath={.items[*].metadata.name}",
      )
    ).split(" ");
  const admin = (pod: string, path: string): Promise<string> =>
    kubectl("get", "--raw", `/api/v1/namespaces/${namespace}/pods/${pod}:${ADMIN_PORT}/proxy${path}`);
  const batchingOf = async (pod: string) => status.parse(JSON.parse(await admin(pod, "/statusz"))).batching;
  const input = (count: number, host = `${key.name}.${namespace}.svc`) => ({
    url: `http://${host}/v2/models/${key.name}/infer`,
    rows: [magnifiedRow(), plainRow()],
    ...{ count, patienceMs: PATIENCE_MS },
  });
  /** That is asked, and whose batches differ; and another one, which nobody asks. */
  let [asked, other, address] = ["", "", ""];

  it("passes the proof, and is batched", async () => {
    const model = { uri: "http://models.berth-models.svc:8080/magnified.onnx" };
    await world().apply([modelDeployment(key.name, { model, scaling: { minReplicas: 2 } })], namespace);
    assert.equal(statusOf(await seen("ready", isReady), "BatchingEnded"), "absent");
    [asked = "", other = ""] = await pods();
    for (const pod of [asked, other])
      await eventually(
        "batches are on",
        async () => (await batchingOf(pod)).state === "on",
        () => batchingOf(pod),
      );
  });

  it("ends batching: with a condition, a metric, an event and a line of the log", async () => {
    address = await kubectl("get", "pod", asked, "-o", "jsonpath={.status.podIP}");
    const load = startInside(world().cluster, LOAD, input(0, `${address}:8080`));
    await load.underWay();
    const ended = await seen("told", (object) => statusOf(object, "BatchingEnded") === "True");
    const { failures, right, wrong } = report.parse(await load.stop());
    assert.deepEqual(failures, []);
    assert.ok(wrong > 0 && right > 0, `${wrong} answers of batches were wrong, ${right} right`);
    const { message = "", reason } = conditionOf(ended, "BatchingEnded") ?? {};
    assert.equal(reason, "BatchResultsDiffer");
    assert.match(
      message,
      /^batching has ended for all pods of magnified-\w+: magnified-\S+: a request had \S+ at element \d+ of its output/,
    );
    assert.ok(isReady(ended), "it serves on");
    assert.equal((await batchingOf(asked)).state, "ended");
    const metrics = await admin(asked, "/metrics");
    assert.match(metrics, /^berth_batching_ended 1$/m);
    assert.match(metrics, /^berth_batch_checks_total\{result="different"\} 1$/m);
    assert.match(await kubectl("logs", asked), /batching of model magnified has ended.*requests at 20\d\d-/);
    await eventually("an event tells it", async () =>
      /BatchResultsDiffer/.test(await kubectl("events", "--for", `modeldeployment/${key.name}`)),
    );
  });

  it("answers each request as it would alone from then on, however many come at once", async () => {
    const { failures, right, wrong } = report.parse(
      await runInside(world().cluster, LOAD, input(1000, `${address}:8080`)),
    );
    assert.deepEqual({ failures, right, wrong }, { failures: [], right: 1000, wrong: 0 });
  });

  it("ends in the other pods of the revision, and in one that starts later", async () => {
    // the kubelet looks once in a minute or two whether what it has mounted has changed
    await eventually(
      "the other pod is told",
      async () => (await batchingOf(other)).state === "ended",
      () => batchingOf(other),
    );
    const { checks, reason } = await batchingOf(other);
    assert.equal(checks.different, 0);
    assert.ok(reason.startsWith(`found in ${asked}: a request had`), reason);
    await kubectl("delete", "pod", asked, "--wait=true", "--now");
    const again = await seen("ready again", (object) => isReady(object) && object.status.stable?.ready === 2);
    assert.equal(statusOf(again, "BatchingEnded"), "True");
    const later = (await pods()).find((name) => name !== other) ?? assert.fail("no other pod");
    await eventually(
      "it knows",
      async () => (await batchingOf(later)).state === "ended",
      () => batchingOf(later),
    );
    const { failures, right, wrong } = report.parse(await runInside(world().cluster, LOAD, input(1000)));
    assert.deepEqual({ failures, right, wrong }, { failures: [], right: 1000, wrong: 0 });
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
