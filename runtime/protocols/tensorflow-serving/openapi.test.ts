import assert from "node:assert/strict";
import { test } from "node:test";
import type { Model, Service } from "../../inference/index.ts";
import { bytesOf, type Datatype, type TensorInfo } from "../../tensors/index.ts";
import type { HttpRequest } from "../../transport/http/types.ts";
import { openApiPaths } from "./openapi.ts";
import { createPredictReader } from "./predict-json.ts";
import { createRoutes } from "./rest.ts";
import * as schemas from "./schemas.ts";

const info = (name: string, datatype: Datatype, shape: (number | null)[]): TensorInfo => ({
  name,
  datatype,
  shape,
  symbols: shape.map(() => null),
});
const model: Model = {
  name: "m",
  version: "3",
  inputs: [info("x", "FP32", [null, 2]), info("s", "BYTES", [null])],
  outputs: [info("scores", "FP32", [null, 2]), info("outputs", "FP32", [null])],
};
const service: Service = {
  model,
  serverVersion: "0",
  ready: () => true,
  infer: ({ outputs }) => {
    const tensor = (...shape: number[]) => ({
      datatype: "FP32" as const,
      shape,
      bytes: bytesOf(new Float32Array(shape.reduce((product, size) => product * size, 1))),
    });
    const all = new Map([
      ["scores", tensor(1, 2)],
      ["outputs", tensor(1)],
    ]);
    return { result: Promise.resolve(new Map([...all].filter(([name]) => outputs.includes(name)))), cancel: () => {} };
  },
  statistics: () => {
    throw new Error("not asked for");
  },
};
const routes = createRoutes(service);
const ask = async (method: "GET" | "POST", path: string, body: unknown = ""): Promise<unknown> => {
  const bytes = Buffer.from(JSON.stringify(body));
  const request: HttpRequest = { method, path, query: "", header: () => undefined, body: bytes, onGone: undefined };
  const response = await routes.paths.get(path)?.[method]?.(request);
  return JSON.parse(Buffer.concat((response?.parts ?? []).map((part) => Buffer.from(part))).toString());
};

test("the document has exactly the paths and methods that are served", () => {
  const documented = Object.entries(openApiPaths(service)).map(([path, item]) => [
    path,
    Object.keys(item).join().toUpperCase(),
  ]);
  assert.deepEqual(
    documented,
    [...routes.paths].map(([path, handlers]) => [path, Object.keys(handlers).join()]),
  );
  const ids = Object.values(openApiPaths(service)).map(
    (item) => JSON.stringify(item).match(/"operationId":"(\w+)"/)?.[1],
  );
  assert.equal(new Set(ids).size, ids.length);
});

test("answers are as the schemas say", async () => {
  const base = "/v1/models/m";
  schemas.modelsResponse.strict().parse(await ask("GET", "/v1/models"));
  schemas.statusResponse.strict().parse(await ask("GET", base));
  schemas.metadataResponse.strict().parse(await ask("GET", `${base}/metadata`));
  const examples = { examples: [{ x: [1, 2], s: "a" }] };
  schemas.resultsResponse.classify.parse(await ask("POST", `${base}:classify`, examples));
  schemas.resultsResponse.regress.parse(await ask("POST", `${base}:regress`, examples));
  schemas.predictResponse.parse(await ask("POST", `${base}:predict`, { instances: [{ x: [1, 2], s: "a" }] }));
});

const predict = (body: unknown) => ask("POST", "/v1/models/m:predict", body);
const row = { x: [1, 2], s: "a" };
for (const [what, right, body] of [
  ["rows", true, { instances: [row] }],
  ["columns", true, { inputs: { x: [[1, 2]], s: ["a"] } }],
  ["base64", true, { instances: [{ ...row, s: { b64: "YQ==" } }] }],
  ["the signature", true, { signature_name: "serving_default", instances: [row] }],
  ["another signature", false, { signature_name: "other", instances: [row] }],
  ["no rows", false, { instances: [] }],
  ["a row that lacks an input", false, { instances: [{ x: [1, 2] }] }],
  ["a row with more than the inputs", false, { instances: [{ ...row, z: 1 }] }],
  ["a list of another length", false, { instances: [{ ...row, x: [1, 2, 3] }] }],
  ["a text for a number", false, { instances: [{ ...row, x: ["1", 2] }] }],
  ["a number for a text", false, { instances: [{ ...row, s: 1 }] }],
  ["neither form", false, {}],
  ["null for what may be left out", true, { signature_name: null, inputs: null, instances: [row] }],
  ["null for the other form", true, { instances: null, inputs: { x: [[1, 2]], s: ["a"] } }],
  ["null for both forms", false, { instances: null, inputs: null }],
  ["null for an input", false, { instances: [{ ...row, x: null }] }],
] as const) {
  test(`schema and reader agree: ${what} ${right ? "is" : "is not"} a request`, async () => {
    assert.equal(schemas.predictRequest(model).safeParse(body).success, right);
    if (right) await predict(body);
    else await assert.rejects(predict(body), /./);
  });
}

const odd: Model = {
  ...model,
  inputs: [
    { ...info("x", "FP32", []), anyRank: true },
    { ...info("scale", "FP32", [1]), default: { shape: [1], base64: "AACAPw==" } },
  ],
};
for (const [what, right, body] of [
  ["a number, and the default", true, { inputs: 5 }],
  ["a list of lists", true, { inputs: { x: [[1, 2]] } }],
  ["rows of any number of dimensions", true, { instances: [[[1, 2]]] }],
  ["null for the default", true, { inputs: { x: [1], scale: null } }],
  ["another value than the default", true, { inputs: { x: [1], scale: [2] } }],
  ["a default of another shape", false, { inputs: { x: [1], scale: [2, 3] } }],
  ["the default alone", false, { inputs: { scale: [2] } }],
  ["a text", false, { inputs: { x: "1" } }],
] as const) {
  test(`schema and reader agree of unknown ranks and defaults: ${what} ${right ? "is" : "is not"} a request`, () => {
    const read = createPredictReader(odd);
    const bytes = Buffer.from(JSON.stringify(body));
    assert.equal(schemas.predictRequest(odd).safeParse(body).success, right);
    if (right) read(bytes);
    else assert.throws(() => read(bytes), { name: "Error" });
  });
}
