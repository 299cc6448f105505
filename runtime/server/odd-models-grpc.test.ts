/** The same models over gRPC: what is left out there has the model's value, and what is given is checked. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { credentials, makeGenericClientConstructor, type ServiceError } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { modelOf, value } from "../../test/runtime/graphs.ts";
import { startServer } from "../../test/runtime/server.ts";

const file = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const OPTIONS = { keepCase: true, longs: String, enums: String, defaults: true, oneofs: true };
const definitions = {
  ...loadSync(file("../protocols/open-inference/grpc/inference.proto"), OPTIONS),
  ...loadSync(file("../protocols/tensorflow-serving/proto/serving.proto"), {
    ...OPTIONS,
    includeDirs: [file("../protocols/tensorflow-serving/proto")],
  }),
};

const caller = (address: string, service: string) => {
  const definition = definitions[service];
  assert.ok(definition !== undefined && !("format" in definition), service);
  const Client = makeGenericClientConstructor(definition, service);
  const client = new Client(address, credentials.createInsecure());
  const call = (method: string, request: object): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const unary = client[method];
      assert.ok(typeof unary === "function");
      unary.call(client, request, (error: ServiceError | null, answer: unknown) =>
        error === null ? resolve(answer) : reject(error),
      );
    });
  return { call, close: () => client.close() };
};

test("inputs with a default over gRPC", async (t) => {
  const server = startServer(
    t,
    modelOf({
      input: [value("x", "FP32", ["n"]), value("scale", "FP32", [1])],
      output: [value("y", "FP32", ["n"])],
      node: [{ opType: "Mul", input: ["x", "scale"], output: ["y"] }],
      initializer: [{ name: "scale", dataType: 1, dims: [1], floatData: [3] }],
    }),
  );
  await server.ready;
  const v2 = caller(server.grpc(), "inference.GRPCInferenceService");
  const tensorflow = caller(server.grpc(), "tensorflow.serving.PredictionService");
  t.after(() => {
    v2.close();
    tensorflow.close();
  });
  const tensor = (name: string, ...values: number[]) => ({
    ...{ name, datatype: "FP32", shape: [values.length], contents: { fp32_contents: values } },
  });
  const infer = async (...inputs: object[]) => JSON.stringify(await v2.call("ModelInfer", { model_name: "m", inputs }));
  const raw = (...values: number[]) => JSON.stringify(Buffer.from(Float32Array.from(values).buffer));
  assert.ok((await infer(tensor("x", 1, 2))).includes(raw(3, 6)));
  assert.ok((await infer(tensor("x", 1, 2), tensor("scale", 10))).includes(raw(10, 20)));
  await assert.rejects(infer(tensor("x", 1), tensor("scale", 1, 2)), {
    code: 3,
    details: /input "scale": shape is \[2\]/,
  });
  await assert.rejects(infer(tensor("scale", 1)), {
    code: 3,
    details: 'input "x" is missing; send every input that has no default',
  });
  const config = JSON.stringify(await v2.call("ModelConfig", { name: "m" }));
  assert.match(config, /"name":"x"[^}]*"optional":false/);
  assert.match(config, /"name":"scale"[^}]*"optional":true/);

  const proto = (...values: number[]) => ({
    ...{ dtype: "DT_FLOAT", tensor_shape: { dim: [{ size: values.length }] }, float_val: values },
  });
  const predict = async (inputs: object) =>
    JSON.stringify(await tensorflow.call("Predict", { model_spec: { name: "m" }, inputs }));
  assert.match(await predict({ x: proto(1, 2) }), /"float_val":\[3,6\]/);
  assert.match(await predict({ x: proto(1, 2), scale: proto(10) }), /"float_val":\[10,20\]/);
  await assert.rejects(predict({ x: proto(1), scale: proto(1, 2) }), {
    code: 3,
    details: /input "scale": shape is \[2\]/,
  });
});
