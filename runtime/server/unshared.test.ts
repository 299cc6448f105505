/** A model whose rows meet in a way that no made-up row shows: only its graph tells. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { z } from "zod";
import { body, createBuilder, encode } from "../../test/graphs/builder.ts";
import { newDirectory } from "../../test/runtime/models.ts";
import { startServer } from "../../test/runtime/server.ts";
import { until } from "../../test/world/patience.ts";

const status = z.object({ batching: z.object({ state: z.string(), reason: z.string() }) });
const answer = z.object({ outputs: z.array(z.object({ data: z.array(z.number()) })) });

/** Gives back what it gets; or nothing but zeros, if the greatest of all rows is this very number. */
const TRAP = 42.125;
const trapModel = (): string => {
  const b = createBuilder();
  const x = b.input("x", "FP32", ["batch", 2]);
  const trapped = b.op("Equal", [b.op("ReduceMax", [x], { keepdims: 0 }), b.floats([TRAP], [])]);
  const y = b.op("If", [trapped], {
    then_branch: body(b, [], (inner) => [{ name: inner.op("Mul", [x, inner.floats([0])]), type: "FP32" }]),
    else_branch: body(b, [], (inner) => [{ name: inner.op("Identity", [x]), type: "FP32" }]),
  });
  b.output(y, "FP32", ["batch", 2]);
  const file = join(newDirectory(), "model.onnx");
  writeFileSync(file, encode(b));
  return file;
};

test("rows that meet by the graph never share a run; /statusz and the log name the node", async (t) => {
  const server = startServer(t, trapModel(), ["--shards", "1", "--max-delay", "5ms"]);
  await server.ready;
  const batching = async () => status.parse(await (await fetch(server.admin("/statusz"))).json()).batching;
  while ((await batching()).state === "proving");
  const { state, reason } = await batching();
  assert.equal(state, "unproved");
  assert.match(
    reason,
    /^along "batch", node "node\/ReduceMax_\d+" \(ReduceMax\): it reduces all axes, the batch among them$/,
  );
  await until("the log", () =>
    server.log.some((line) => line.startsWith("requests of model m are not batched: along ")),
  );
  const infer = async (value: number): Promise<number[]> => {
    const input = { name: "x", datatype: "FP32", shape: [1, 2], data: [value, 1] };
    const told = await fetch(server.url("/v2/models/m/infer"), {
      method: "POST",
      body: JSON.stringify({ inputs: [input] }),
    });
    return answer.parse(await told.json()).outputs[0]?.data ?? [];
  };
  const values = Array.from({ length: 40 }, (_, i) => (i % 2 === 0 ? 3 : TRAP));
  const answers = await Promise.all(values.map(infer));
  for (const [i, given] of answers.entries()) assert.deepEqual(given, i % 2 === 0 ? [3, 1] : [0, 0]);
});
