import assert from "node:assert/strict";
import { it } from "node:test";
import type { Service } from "../../inference/index.ts";
import { createOpenInference } from "../open-inference/index.ts";
import { openInferencePaths } from "../open-inference/openapi.ts";
import { responseSchemas } from "../open-inference/schema.ts";
import { createOpenApi, OPENAPI_PATH, openApiDocument } from "./index.ts";

const none = { count: 0, ns: 0 };
const info = { datatype: "FP32", shape: [null, 3], symbols: ["n", null] } as const;
const tensor = (name: string) => ({
  name,
  datatype: info.datatype,
  shape: [...info.shape],
  symbols: [...info.symbols],
});
const service: Service = {
  model: { name: "m", version: "2", inputs: [tensor("x")], outputs: [tensor("y")] },
  serverVersion: "0",
  ready: () => true,
  infer: ({ inputs }) => {
    const x = inputs.get("x") ?? assert.fail("no x");
    return { result: Promise.resolve(new Map([["y", x]])), cancel: () => undefined };
  },
  statistics: () => ({
    lastInferenceMs: 0,
    inferenceCount: 0,
    executionCount: 0,
    success: none,
    fail: none,
    queue: none,
    computeInput: none,
    computeInfer: none,
    computeOutput: none,
    batches: [],
  }),
};

const request = (method: string, body: string) => ({
  method,
  path: "",
  query: "",
  header: () => undefined,
  body: Buffer.from(body),
  onGone: undefined,
});

it("the document has exactly the paths and methods that are served, and each operation's id once", () => {
  const contribution = openInferencePaths(service);
  const served = createOpenInference(service).paths;
  const described = Object.entries(contribution).map(([path, item]) => [path, Object.keys(item).sort()]);
  const routed = [...served].map(([path, handlers]) => [
    path,
    Object.keys(handlers)
      .map((key) => key.toLowerCase())
      .sort(),
  ]);
  assert.deepEqual(
    new Map(described.map(([path, keys]) => [path, keys])),
    new Map(routed.map(([path, keys]) => [path, keys])),
  );
  const ids = [...JSON.stringify(openApiDocument(service, [contribution])).matchAll(/"operationId":"(\w+)"/g)].map(
    ([, id]) => id,
  );
  assert.equal(new Set(ids).size, ids.length);
  assert.equal(ids.length, 15);
});

it("the document names no response or schema that it does not have, and its example is answered as it says", async () => {
  const handle = createOpenApi(service, [openInferencePaths(service)]).paths.get(OPENAPI_PATH)?.GET;
  const text = String((await handle?.(request("GET", "")))?.parts[0]);
  const document = JSON.parse(text);
  for (const [, section, name] of text.matchAll(/"#\/components\/(\w+)\/(\w+)"/g)) {
    assert.ok(document.components[section ?? ""][name ?? ""], `${section}/${name}`);
  }
  const { example } = document.paths["/v2/models/m/infer"].post.requestBody.content["application/json"];
  assert.deepEqual(example, { inputs: [{ name: "x", shape: [1, 3], datatype: "FP32", data: [0.5, 0.5, 0.5] }] });
  const { paths } = createOpenInference(service);
  const answer = await paths.get("/v2/models/m/infer")?.POST?.(request("POST", JSON.stringify(example)));
  assert.deepEqual(
    responseSchemas.infer.strict().parse(JSON.parse(String(answer?.parts[0]))).outputs[0]?.data,
    [0.5, 0.5, 0.5],
  );
});

it("answers fit the schemas of the document", async () => {
  const { paths } = createOpenInference(service);
  const answers = [
    ["/v2", responseSchemas.server],
    ["/v2/models/m", responseSchemas.model],
    ["/v2/models/stats", responseSchemas.statistics],
    ["/v2/repository/index", responseSchemas.index],
    ["/v2/health/live", responseSchemas.live],
    ["/v2/models/m/versions/2/ready", responseSchemas.ready],
  ] as const;
  for (const [path, schema] of answers) {
    const answer = await paths.get(path)?.GET?.(request("GET", ""));
    const value: unknown = JSON.parse(String(answer?.parts[0]));
    assert.deepEqual(schema.parse(value), value, path);
  }
});
