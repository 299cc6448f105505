/** A pod with a limit of 512 MiB, and more than fits in it at once: what is too much is refused, and the server is never ended for it. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { z } from "zod";
import { infer, runInside } from "../world/client.ts";
import { isReady, waitFor } from "../world/model-deployment.ts";
import { PATIENCE_MS } from "../world/patience.ts";
import { ANGLE_FILE, answerHere, distance, inferBody, question } from "../world/reference.ts";
import { modelDeployment, useWorld } from "./world.ts";

/** Each of some 4 MB as JSON; all of them at once are more than the limit, and so are their numbers. */
const REQUESTS = { count: 160, rows: 8, width: 192 };
const LIMIT = "512Mi";

const pods = z.object({
  items: z.array(
    z.object({
      metadata: z.object({ uid: z.string() }),
      status: z.object({
        containerStatuses: z.array(z.object({ restartCount: z.number(), lastState: z.looseObject({}) })),
      }),
    }),
  ),
});
const report = z.object({
  statuses: z.record(z.string(), z.number()),
  failures: z.array(z.string()),
  sent: z.number(),
});

describe("a pod with little memory", () => {
  const { world, namespace } = useWorld("e2e-memory");
  const key = { namespace, name: "small" };
  const podsOf = async () => {
    const labels = ["-l", `berth.dev/model-deployment=${key.name}`];
    const { stdout } = await world().cluster.kubectl(["get", "pods", "-n", namespace, ...labels, "-o", "json"]);
    return pods.parse(JSON.parse(stdout)).items;
  };

  it("outlives a burst of large requests, and answers rightly after it", async () => {
    const spec = { resources: { limits: { memory: LIMIT } } };
    await world().apply([modelDeployment(key.name, spec)], namespace);
    const { status } = await waitFor(world().cluster, key, "ready", isReady);
    const before = await podsOf();
    const { upright } = await question(REQUESTS.width);
    const [, ...shape] = upright.shape;
    const many = new Float32Array(REQUESTS.rows * upright.data.length);
    for (let row = 0; row < REQUESTS.rows; row++) many.set(upright.data, row * upright.data.length);
    const body = inferBody({ shape: [REQUESTS.rows, ...shape], data: many });
    const url = `${status.url}/v2/models/${key.name}/infer`;
    const { failures, sent, statuses } = report.parse(
      await runInside(world().cluster, BURST, { url, body, count: REQUESTS.count, patienceMs: PATIENCE_MS }),
    );
    assert.ok(sent > 512 * 2 ** 20, `${sent} bytes were sent`);
    assert.deepEqual(failures, []);
    assert.ok((statuses[200] ?? 0) > 0, JSON.stringify(statuses));
    const others = Object.keys(statuses).filter((one) => one !== "200" && one !== "429");
    assert.deepEqual(others, [], JSON.stringify(statuses));

    const answer = await infer(world().cluster, { url: status.url ?? "", model: key.name }, upright);
    assert.ok(distance(answer, await answerHere(ANGLE_FILE, upright)) < 1e-4);
    const after = await podsOf();
    assert.deepEqual(after, before);
    assert.deepEqual(
      after.flatMap(({ status: { containerStatuses } }) => containerStatuses),
      [{ restartCount: 0, lastState: {} }],
    );
    await waitFor(world().cluster, key, "ready", isReady);
  });
});

/** All at once, each on a connection of its own. One that is refused before all of it is sent may see its connection end. */
const BURST = `
import http from "node:http";
const failures = [], statuses = {};
const body = Buffer.from(input.body);
const send = () => new Promise((resolve) => {
  const request = http.request(input.url, { method: "POST", agent: false, timeout: input.patienceMs, headers: { "content-type": "application/json", "content-length": body.length } }, (reply) => {
    reply.resume().on("end", () => { statuses[reply.statusCode] = (statuses[reply.statusCode] ?? 0) + 1; resolve(); });
    reply.on("error", resolve);
  });
  request.on("timeout", () => request.destroy(new Error("no answer in " + input.patienceMs + " ms")));
  request.on("error", (error) => { failures.push((error.code ?? "") + " " + error.message); resolve(); });
  request.end(body);
});
await Promise.all(Array.from({ length: input.count }, send));
console.log(JSON.stringify({ statuses, failures: failures.slice(0, 10), sent: body.length * input.count }));
`;
