/** Models that are changed before they are loaded, behind the whole server: batches and all. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { intAttribute, modelOf, stringsAttribute, value } from "../../test/runtime/graphs.ts";
import { type Server, startServer } from "../../test/runtime/server.ts";
import { until } from "../../test/world/patience.ts";

const ask = async (url: string, body?: object): Promise<unknown> => {
  const response = await fetch(url, body === undefined ? {} : { method: "POST", body: JSON.stringify(body) });
  return await response.json();
};
const batched = async (server: Server): Promise<void> => {
  await server.ready;
  const status = async () => (await fetch(server.admin("/statusz"))).text();
  await until("batches", async () => /"state": "on"/.test(await status()), status);
};

test("requests that give an input and requests that leave it out share runs only where it is the same", async (t) => {
  const server = startServer(
    t,
    modelOf({
      input: [value("x", "FP32", ["n"]), value("scale", "FP32", [1])],
      output: [value("y", "FP32", ["n"])],
      node: [{ opType: "Mul", input: ["x", "scale"], output: ["y"] }],
      initializer: [{ name: "scale", dataType: 1, dims: [1], floatData: [3] }],
    }),
    ["--shards", "1", "--max-delay", "50ms"],
  );
  await batched(server);
  const answers = await Promise.all(
    Array.from({ length: 60 }, async (_, i) => {
      const scale = [undefined, null, 3, 10][i % 4];
      const inputs = scale === undefined || scale === null ? { x: [i], scale } : { x: [i], scale: [scale] };
      const answer = await ask(server.url("/v1/models/m:predict"), { inputs });
      return [answer, { outputs: [i * (scale ?? 3)] }];
    }),
  );
  for (const [answer, expected] of answers) assert.deepEqual(answer, expected);
  const text = JSON.stringify(await ask(server.url("/v2/models/m/stats")));
  const { inferences, runs } =
    /"inference_count":(?<inferences>\d+),"execution_count":(?<runs>\d+)/.exec(text)?.groups ?? {};
  assert.ok(Number(runs) < Number(inferences), text);
});

test("maps of classes are served as tensors, in batches", async (t) => {
  const mapType = { keyType: 8, valueType: { tensorType: { elemType: 1 } } };
  const server = startServer(
    t,
    modelOf(
      {
        input: [value("x", "FP32", ["n", 2])],
        output: [value("label", "INT64", ["n"]), { name: "p", type: { sequenceType: { elemType: { mapType } } } }],
        node: [
          {
            opType: "ArgMax",
            input: ["x"],
            output: ["label"],
            attribute: [intAttribute("axis", 1), intAttribute("keepdims", 0)],
          },
          { opType: "Softmax", input: ["x"], output: ["soft"] },
          {
            ...{ opType: "ZipMap", domain: "ai.onnx.ml", input: ["soft"], output: ["p"] },
            attribute: [stringsAttribute("classlabels_strings", "no", "yes")],
          },
        ],
      },
      { opsets: { "": 17, "ai.onnx.ml": 1 } },
    ),
    ["--shards", "1", "--max-delay", "50ms"],
  );
  await batched(server);
  const url = server.url("/v1/models/m:predict");
  const answers = await Promise.all(Array.from({ length: 20 }, () => ask(url, { instances: [[1, 1]] })));
  for (const answer of answers) {
    assert.deepEqual(answer, { predictions: [{ label: 0, p: [0.5, 0.5], p_classes: ["no", "yes"] }] });
  }
});

test("a model of any number of dimensions is served, each request by itself", async (t) => {
  const server = startServer(
    t,
    modelOf({
      input: [value("x", "FP32", undefined)],
      output: [value("y", "FP32", undefined)],
      node: [{ opType: "Relu", input: ["x"], output: ["y"] }],
    }),
  );
  await server.ready;
  for (const x of [1, [1, 2], [[[1]]]]) {
    assert.deepEqual(await ask(server.url("/v1/models/m:predict"), { inputs: { x } }), { outputs: x });
  }
  const status = await (await fetch(server.admin("/statusz"))).text();
  assert.match(status, /its input \\"x\\" may have any number of dimensions/);
});

test("what cannot be loaded says what to do", async (t) => {
  const cast = (to: number) => [{ opType: "Cast", input: ["x"], output: ["y"], attribute: [intAttribute("to", to)] }];
  const [float, bfloat16] = [1, 16];
  for (const [file, message] of [
    [
      modelOf({ input: [value("x", bfloat16, ["n"])], output: [value("y", float, ["n"])], node: cast(float) }),
      /input \\"x\\" has type bfloat16, which cannot be served: take float/,
    ],
    [
      modelOf(
        { input: [value("x", float, ["n"])], output: [value("y", float, ["n"])], node: cast(float) },
        { irVersion: 14 },
      ),
      /IR version 14, .* up to 13: save it with ir_version 13 or lower/,
    ],
  ] as const) {
    const server = startServer(t, file);
    assert.deepEqual(await server.exit, { code: 1, signal: null });
    assert.match(server.termination(), message);
  }
});
