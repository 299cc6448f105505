/** Batching as its users see it: the real server, shards and ports. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { z } from "zod";
import { newDirectory } from "../../test/runtime/models.ts";
import { normalised, quantisedText, trees } from "../../test/runtime/row-models.ts";
import { type Server, startServer } from "../../test/runtime/server.ts";
import { until } from "../../test/world/patience.ts";

const status = z.object({
  batching: z.object({ state: z.string(), reason: z.string(), checks: z.object({ different: z.number() }) }),
});
const metadata = z.object({ outputs: z.array(z.object({ name: z.string(), shape: z.array(z.number()) })) });
const answer = z.object({ outputs: z.array(z.object({ name: z.string(), data: z.array(z.number()) })) });

/** What /statusz says once the proof is over. */
const proved = async (server: Server) => {
  for (;;) {
    const { batching } = status.parse(await (await fetch(server.admin("/statusz"))).json());
    if (batching.state !== "proving") return batching;
  }
};
const infer = async (server: Server, input: object): Promise<number[][]> => {
  const body = JSON.stringify({ inputs: [input] });
  const told = await (await fetch(server.url("/v2/models/m/infer"), { method: "POST", body })).json();
  return answer.parse(told).outputs.map(({ data }) => data);
};
const row = (...data: number[]) => ({ name: "x", datatype: "FP32", shape: [1, data.length], data });

test("trees whose label is said to be [1] are told with -1, and batched", async (t) => {
  const server = startServer(t, trees([1]), ["--shards", "1"]);
  await server.ready;
  const { outputs } = metadata.parse(await (await fetch(server.url("/v2/models/m"))).json());
  assert.deepEqual(
    outputs.map(({ shape }) => shape),
    [[-1], [-1, 3]],
  );
  assert.equal((await proved(server)).state, "on");
  const flowers = Array.from({ length: 24 }, (_, i) => row(5, 3, [1.5, 4.3, 6][i % 3] ?? 0, [0.2, 1.3, 2][i % 3] ?? 0));
  const answers = await Promise.all(flowers.map((flower) => infer(server, flower)));
  const alone: number[][][] = [];
  for (const flower of flowers.slice(0, 3)) alone.push(await infer(server, flower));
  for (const [i, given] of answers.entries()) assert.deepEqual(given, alone[i % 3]);
  const metrics = await (await fetch(server.admin("/metrics"))).text();
  assert.match(metrics, /^berth_batching_ended 0$/m);
  assert.match(metrics, /^berth_batch_checks_total\{result="different"\} 0$/m);
});

test("a file that says so ends batching while the server runs, and for one that starts later", async (t) => {
  const file = join(newDirectory(), "ended");
  const options = ["--shards", "1", "--batching-ended-file", file];
  const server = startServer(t, trees([1]), options);
  await server.ready;
  assert.equal((await proved(server)).state, "on");
  writeFileSync(file, "m-7d-x2: a request had 1\nalone\n");
  await until("it has read it", async () => (await proved(server)).state === "ended");
  const later = startServer(t, trees([1]), options);
  await later.ready;
  await until("the other has, too", async () => (await proved(later)).state === "ended");
  for (const one of [server, later])
    assert.equal((await proved(one)).reason, "found in m-7d-x2: a request had 1 alone");
  assert.match(await (await fetch(later.admin("/metrics"))).text(), /^berth_batching_ended 1$/m);
});

for (const [name, model, requests] of [
  ["a quantised classifier of texts", quantisedText, [ids(5, 6, 7), ids(90, 95, 99)]],
  ["what divides by the greatest above 1", normalised, [row(0.1, 0.2, 0.3, 0.4), row(10, 20, 30, 40)]],
] as const) {
  test(`${name} answers each request as it would alone`, async (t) => {
    const server = startServer(t, model(), ["--shards", "1", "--max-delay", "5ms"]);
    await server.ready;
    const { state, reason } = await proved(server);
    assert.equal(state, "unproved", reason);
    const alone: number[][][] = [];
    for (const request of requests) alone.push(await infer(server, request));
    const sent = Array.from({ length: 40 }, (_, i) => i % 2);
    const answers = await Promise.all(sent.map((which) => infer(server, requests[which] ?? requests[0])));
    for (const [i, given] of answers.entries()) assert.deepEqual(given, alone[i % 2]);
  });
}

function ids(...data: number[]) {
  return { name: "input_ids", datatype: "INT64", shape: [1, data.length], data };
}
