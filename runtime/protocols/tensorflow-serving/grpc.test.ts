import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import {
  credentials,
  type GrpcObject,
  loadPackageDefinition,
  Metadata,
  type ServiceClientConstructor,
  type ServiceDefinition,
  type ServiceError,
} from "@grpc/grpc-js";
import { loadSync, type Options } from "@grpc/proto-loader";
import fc from "fast-check";
import { RequestError } from "../../errors/request-error.ts";
import type { InferenceCall, Model, Service } from "../../inference/index.ts";
import {
  bytesOf,
  DATATYPES,
  type Datatype,
  type NumericArray,
  type Tensor,
  type TensorInfo,
} from "../../tensors/index.ts";
import { encodeStrings } from "../../tensors/strings.ts";
import { createGrpcServer } from "../../transport/grpc/server.ts";
import { createGrpcServices } from "./grpc.ts";

const info = (name: string, datatype: Datatype, shape: (number | null)[]): TensorInfo => ({
  name,
  datatype,
  shape,
  symbols: shape.map(() => null),
});
const numbers = Object.keys(DATATYPES) as (keyof typeof DATATYPES)[];

/** One input and one output of each type: the outputs echo the inputs. */
const echo: Model = {
  name: "echo",
  version: "7",
  inputs: [...numbers, "BYTES" as const].map((type) => info(`in_${type}`, type, [null])),
  outputs: [...numbers, "BYTES" as const].map((type) => info(`out_${type}`, type, [null])),
};
const scorer: Model = {
  name: "scorer",
  version: "v2",
  inputs: [info("x", "FP32", [null, 2]), info("n", "INT32", [null])],
  outputs: [info("scores", "FP32", [null, 2]), info("classes", "BYTES", [null, 2]), info("value", "FP32", [null, 1])],
};
const floats = (...values: number[]) => bytesOf(Float32Array.from(values));

const reported: unknown[] = [];
let calls: InferenceCall[] = [];
let cancels = 0;
let cancelled = () => {};
let answer: (call: InferenceCall) => Promise<Map<string, Tensor>>;
const serviceOf = (model: Model): Service => ({
  model,
  serverVersion: "0",
  ready: () => true,
  infer(call) {
    calls.push(call);
    return {
      result: answer(call),
      cancel: () => {
        cancels++;
        cancelled();
      },
    };
  },
  statistics: () => {
    throw new Error("not asked for");
  },
});
const echoed = async (call: InferenceCall) =>
  new Map(
    call.outputs.flatMap((name) => {
      const tensor = call.inputs.get(name.replace("out_", "in_"));
      return tensor === undefined ? [] : [[name, tensor] as const];
    }),
  );
const scored = async (call: InferenceCall) => {
  const n = call.inputs.get("x")?.shape[0] ?? 0;
  return new Map<string, Tensor>([
    ["scores", { datatype: "FP32", shape: [n, 2], bytes: floats(...Array.from({ length: 2 * n }, (_, i) => i / 2)) }],
    ["classes", { datatype: "BYTES", shape: [n, 2], bytes: encodeStrings(Array(n).fill(["no", "yes"]).flat()) }],
    ["value", { datatype: "FP32", shape: [n, 1], bytes: floats(...Array.from({ length: n }, (_, i) => -i)) }],
  ]);
};

const options: Options = { keepCase: true, longs: String, enums: String, oneofs: false, arrays: true };
const definition = loadSync(new URL("proto/serving.proto", import.meta.url).pathname, options);
const clientsOf = (port: number) => {
  const root = loadPackageDefinition(definition).tensorflow as GrpcObject;
  const serving = root.serving as Record<string, ServiceClientConstructor>;
  const make = (name: string) => {
    const Client = serving[name];
    assert.ok(Client);
    return new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  };
  return { prediction: make("PredictionService"), models: make("ModelService") };
};

const createServices = (model: Model) => createGrpcServices(serviceOf(model), { maxTensorBytes: 10_000 });

const start = async (model: Model) => {
  const server = createGrpcServer(createServices(model), SERVER, (error) => reported.push(error));
  const clients = clientsOf(await server.listen(0, "127.0.0.1"));
  const stop = () => {
    for (const client of Object.values(clients)) client.close();
    server.close();
  };
  return { ...clients, stop };
};
const SERVER = {
  maxMessageBytes: 100_000,
  maxConnectionAgeMs: 60_000,
  graceMs: 100,
  maxConcurrentStreams: 100,
  maxConnections: 10,
  keepaliveMs: 60_000,
  keepaliveTimeoutMs: 10_000,
  healthNames: [],
};
type Running = Awaited<ReturnType<typeof start>>;

// biome-ignore lint/suspicious/noExplicitAny: answers of a client without generated types
type Message = any;
const ask = (client: Running["prediction"], method: string, request: object): Promise<Message> =>
  new Promise((resolve, reject) => {
    const call = client[method];
    assert.ok(typeof call === "function");
    call.call(client, request, (error: ServiceError | null, value: unknown) =>
      error === null ? resolve(value) : reject(error),
    );
  });
const refused = (promise: Promise<unknown>, code: number, details: RegExp) =>
  assert.rejects(promise, (error: ServiceError) => {
    assert.match(error.details, details);
    assert.equal(error.code, code);
    return true;
  });

const NAMES: Record<Datatype, string> = {
  BOOL: "DT_BOOL",
  UINT8: "DT_UINT8",
  UINT16: "DT_UINT16",
  UINT32: "DT_UINT32",
  UINT64: "DT_UINT64",
  INT8: "DT_INT8",
  INT16: "DT_INT16",
  INT32: "DT_INT32",
  INT64: "DT_INT64",
  FP16: "DT_HALF",
  FP32: "DT_FLOAT",
  FP64: "DT_DOUBLE",
  BYTES: "DT_STRING",
};
const shapeOf = (...sizes: number[]) => ({ dim: sizes.map((size) => ({ size })) });
/** A value of each type in the field that a client would use. */
const typed: Record<Datatype, [field: string, values: (number | string | boolean | Buffer)[]]> = {
  BOOL: ["bool_val", [true, false, true]],
  UINT8: ["int_val", [0, 200, 255]],
  UINT16: ["int_val", [0, 300, 65535]],
  UINT32: ["uint32_val", [0, 300, 4294967295]],
  UINT64: ["uint64_val", ["0", "4294967296", "18446744073709551615"]],
  INT8: ["int_val", [-128, -1, 127]],
  INT16: ["int_val", [-32768, -1, 32767]],
  INT32: ["int_val", [-2147483648, -1, 2147483647]],
  INT64: ["int64_val", ["-9223372036854775808", "-1", "9223372036854775807"]],
  FP16: ["half_val", [0, 15360, 65535]],
  FP32: ["float_val", [0, -1.5, Number.POSITIVE_INFINITY]],
  FP64: ["double_val", [0, 0.1, Number.NEGATIVE_INFINITY]],
  BYTES: ["string_val", [Buffer.from(""), Buffer.from("é"), Buffer.from("abc")]],
};
const types = [...numbers, "BYTES" as const];
const typedInputs = (count: number, take: number) =>
  Object.fromEntries(
    types.map((type) => {
      const [field, values] = typed[type];
      return [`in_${type}`, { dtype: NAMES[type], tensor_shape: shapeOf(count), [field]: values.slice(0, take) }];
    }),
  );

describe("TensorFlow Serving over gRPC", () => {
  let one: Running;
  let two: Running;
  before(async () => {
    one = await start(echo);
    two = await start(scorer);
  });
  after(() => {
    one.stop();
    two.stop();
  });
  const spec = { name: "echo" };

  test("Predict takes typed values of every type and answers with them", async () => {
    answer = echoed;
    const result = await ask(one.prediction, "Predict", { model_spec: spec, inputs: typedInputs(3, 3) });
    assert.deepEqual(result.model_spec, { name: "echo", version: { value: "7" }, signature_name: "serving_default" });
    for (const type of types) {
      const [field, values] = typed[type];
      const output = result.outputs[`out_${type}`];
      assert.equal(output.dtype, NAMES[type]);
      assert.deepEqual(output.tensor_shape.dim, [{ size: "3" }]);
      assert.deepEqual(output[field], values, type);
    }
  });

  test("the last typed value repeats, and none are zeros", async () => {
    answer = echoed;
    const result = await ask(one.prediction, "Predict", { model_spec: spec, inputs: typedInputs(5, 3) });
    const empty = await ask(one.prediction, "Predict", { model_spec: spec, inputs: typedInputs(1, 0) });
    for (const type of types) {
      const [field, values] = typed[type];
      assert.deepEqual(result.outputs[`out_${type}`][field], [...values, values[2], values[2]], type);
      const zero =
        type === "BYTES" ? Buffer.from("") : type === "BOOL" ? false : type.endsWith("64") && type !== "FP64" ? "0" : 0;
      assert.deepEqual(empty.outputs[`out_${type}`][field], [zero], type);
    }
  });

  test("tensor_content is taken for numbers, and output_filter selects", async () => {
    answer = echoed;
    const inputs: Record<string, object> = typedInputs(3, 3);
    const values: NumericArray = BigInt64Array.of(-1n, 2n ** 40n, 3n);
    inputs.in_INT64 = { dtype: "DT_INT64", tensor_shape: shapeOf(3), tensor_content: bytesOf(values) };
    calls = [];
    const result = await ask(one.prediction, "Predict", { model_spec: spec, inputs, output_filter: ["out_INT64"] });
    assert.deepEqual(Object.keys(result.outputs), ["out_INT64"]);
    assert.deepEqual(result.outputs.out_INT64.int64_val, ["-1", "1099511627776", "3"]);
    assert.deepEqual(calls[0]?.outputs, ["out_INT64"]);
  });

  test("what does not fit the model is refused by name", async () => {
    answer = scored;
    const x = { dtype: "DT_FLOAT", tensor_shape: shapeOf(1, 2), float_val: [1, 2] };
    const n = { dtype: "DT_INT32", tensor_shape: shapeOf(1), int_val: [1] };
    const predict = (change: object) =>
      ask(two.prediction, "Predict", { model_spec: { name: "scorer" }, inputs: { x, n }, ...change });
    await predict({});
    await refused(predict({ model_spec: { name: "other" } }), 5, /model "other" is unknown.*"scorer"/);
    await refused(predict({ model_spec: undefined }), 3, /no name/);
    await refused(predict({ model_spec: { name: "scorer", version: { value: 3 } } }), 5, /version "3".*v2/);
    await refused(predict({ model_spec: { name: "scorer", version_label: "canary" } }), 3, /"canary".*"stable"/);
    await refused(predict({ model_spec: { name: "scorer", signature_name: "s" } }), 3, /"s".*serving_default/);
    await predict({ model_spec: { name: "scorer", version_label: "stable", signature_name: "serving_default" } });
    await refused(predict({ inputs: { x } }), 3, /input "n" is missing/);
    await refused(predict({ inputs: { x, n, y: x } }), 3, /input "y" is unknown/);
    await refused(predict({ output_filter: ["z"] }), 3, /"z" is unknown.*"scores"/);
    const withX = (change: object) => predict({ inputs: { n, x: { ...x, ...change } } });
    await refused(withX({ dtype: "DT_DOUBLE" }), 3, /"x": dtype is DT_DOUBLE.*DT_FLOAT/);
    await refused(withX({ tensor_shape: shapeOf(1, 3) }), 3, /"x": shape is \[1,3\].*\[-1,2\]/);
    await refused(withX({ tensor_shape: shapeOf(-1, 2) }), 3, /"x": shape is \[-1,2\]/);
    await refused(withX({ tensor_shape: { unknown_rank: true } }), 3, /"x".*unknown rank/);
    await refused(withX({ float_val: [1, 2, 3] }), 3, /"x": has 3 values, the shape has 2/);
    await refused(withX({ tensor_content: Buffer.alloc(7) }), 3, /"x": tensor_content has 7 bytes.*wants 8/);
    await refused(withX({ tensor_shape: shapeOf(1e9, 2) }), 8, /"x": has 8000000000 bytes.*at most 10000/);
  });

  test("errors of the queue keep their code, others say nothing of the server", async () => {
    const inputs = typedInputs(3, 3);
    answer = async () => {
      throw new RequestError("Overloaded", "later", 1);
    };
    await refused(ask(one.prediction, "Predict", { model_spec: spec, inputs }), 8, /^later$/);
    answer = async () => {
      throw new Error("secret /path");
    };
    await refused(ask(one.prediction, "Predict", { model_spec: spec, inputs }), 13, /^(?!.*secret)/);
    assert.match(String(reported.pop()), /secret/);
  });

  test("the deadline is passed on, and a client that goes cancels", async () => {
    calls = [];
    let began = () => {};
    const running = new Promise<void>((resolve) => {
      began = resolve;
    });
    answer = () => {
      began();
      return new Promise(() => {});
    };
    const gone = new Promise<void>((resolve) => {
      cancelled = resolve;
    });
    const predict = one.prediction.Predict;
    assert.ok(predict);
    const call = predict.call(
      one.prediction,
      { model_spec: spec, inputs: typedInputs(3, 3) },
      new Metadata(),
      { deadline: Date.now() + 60_000 },
      () => {},
    );
    await running;
    assert.equal(cancels, 0, "calls that were answered are not cancelled");
    const left = (calls[0]?.deadline ?? 0) - performance.now();
    assert.ok(left > 20_000 && left <= 60_100, `${left} ms`);
    call.cancel();
    await gone;
    assert.equal(cancels, 1);
    cancelled = () => {};
  });

  test("Classify, Regress and MultiInference read examples", async () => {
    answer = scored;
    calls = [];
    const example = (...x: number[]) => ({ features: { feature: { x: { float_list: { value: x } } } } });
    const context = {
      features: { feature: { n: { int64_list: { value: [-4] } }, other: { bytes_list: { value: [] } } } },
    };
    const input = { example_list_with_context: { examples: [example(1, 2), example(3, 4)], context } };
    const model_spec = { name: "scorer" };
    const { result } = await ask(two.prediction, "Classify", { model_spec, input });
    assert.deepEqual(
      result.classifications.map((one: Message) => one.classes.map((c: Message) => [c.label, c.score ?? 0])),
      [
        [
          ["no", 0],
          ["yes", 0.5],
        ],
        [
          ["no", 1],
          ["yes", 1.5],
        ],
      ],
    );
    const sent = calls.at(-1)?.inputs;
    assert.deepEqual(sent?.get("x")?.shape, [2, 2]);
    assert.deepEqual(Buffer.from(sent?.get("x")?.bytes ?? []), Buffer.from(floats(1, 2, 3, 4)));
    assert.deepEqual(Buffer.from(sent?.get("n")?.bytes ?? []), Buffer.from(bytesOf(Int32Array.of(-4, -4))));
    const regressed = await ask(two.prediction, "Regress", { model_spec, input });
    assert.deepEqual(
      regressed.result.regressions.map((one: Message) => Math.abs(one.value ?? 0)),
      [0, 1],
    );
    calls = [];
    const tasks = ["classify", "regress"].map((name) => ({ model_spec, method_name: `tensorflow/serving/${name}` }));
    const both = await ask(two.prediction, "MultiInference", { tasks, input });
    assert.equal(both.results[0].classification_result.classifications.length, 2);
    assert.equal(both.results[1].regression_result.regressions.length, 2);
    assert.equal(calls.length, 1);
    const classify = (examples: object[]) =>
      ask(two.prediction, "Classify", { model_spec, input: { example_list_with_context: { examples, context } } });
    await refused(classify([]), 3, /no examples/);
    await refused(classify([example(1, 2), example(1)]), 3, /example 1: feature "x" has 1 values.*2/);
    await refused(classify([example(1)]), 3, /example 0: feature "x" has 1 values.*\[-1,2\]/);
    await refused(
      classify([{ features: { feature: { x: { int64_list: { value: [1, 2] } } } } }]),
      3,
      /"x" is a int64_list.*float_list/,
    );
    await refused(classify([{ features: {} }]), 3, /example 0: feature "x" is missing/);
    await refused(ask(one.prediction, "Classify", { model_spec: spec, input }), 3, /cannot classify.*"scores"/);
  });

  test("one result that is asked for many times is refused before all of them are in memory", async () => {
    answer = scored;
    const feature = { x: { float_list: { value: [1, 2] } }, n: { int64_list: { value: [1] } } };
    const examples = Array.from({ length: 30 }, () => ({ features: { feature } }));
    const multi = (count: number) => {
      const task = { model_spec: { name: "scorer" }, method_name: "tensorflow/serving/classify" };
      return ask(two.prediction, "MultiInference", {
        tasks: Array(count).fill(task),
        input: { example_list: { examples } },
      });
    };
    const { results } = await multi(2);
    assert.deepEqual(results[1], results[0]);
    await refused(multi(64), 8, /the answer has \d+ bytes, and at most 10000 are allowed/);
  });

  test("metadata and status", async () => {
    const { metadata } = await ask(two.prediction, "GetModelMetadata", {
      model_spec: { name: "scorer" },
      metadata_field: ["signature_def"],
    });
    const any = metadata.signature_def;
    assert.equal(any.type_url, "type.googleapis.com/tensorflow.serving.SignatureDefMap");
    assert.ok(any.value.includes("serving_default") && any.value.includes("tensorflow/serving/predict"));
    await refused(ask(two.prediction, "GetModelMetadata", { model_spec: { name: "scorer" } }), 3, /signature_def/);
    const status = await ask(one.models, "GetModelStatus", { model_spec: spec });
    assert.equal(status.model_version_status[0].version, "7");
    assert.equal(status.model_version_status[0].state, "AVAILABLE");
    await refused(ask(one.models, "GetModelStatus", { model_spec: { name: "no" } }), 5, /"no"/);
    await refused(ask(one.models, "HandleReloadConfigRequest", {}), 12, /models cannot be reloaded/);
  });
});

test("every method of the .proto files is there", () => {
  for (const { name, methods } of createServices(echo)) {
    assert.deepEqual(Object.keys(methods).sort(), Object.keys(definition[name] ?? {}).sort());
  }
});

test("any bytes are refused with a RequestError or answered, never with another error", async () => {
  answer = scored;
  const [service] = createServices(scorer);
  /** The failure, where it is not a refusal. */
  const send = async (name: string, request: Uint8Array): Promise<unknown> => {
    const method = service?.methods[name];
    assert.ok(method !== undefined && "answer" in method);
    try {
      await method.answer(request, { deadline: Number.POSITIVE_INFINITY, onCancelled: undefined });
      return undefined;
    } catch (error) {
      return error;
    }
  };
  // requests that are nearly right, so that more than the outermost reader is reached
  const model_spec = { name: "scorer" };
  const x = { dtype: "DT_FLOAT", tensor_shape: shapeOf(1, 2), float_val: [1, 2] };
  const n = { dtype: "DT_INT32", tensor_shape: shapeOf(1), int_val: [-1] };
  const feature = { x: { float_list: { value: [1, 2] } }, n: { int64_list: { value: [-1] } } };
  const input = { example_list: { examples: [{ features: { feature } }] } };
  const requests: Record<string, object> = {
    Predict: { model_spec, inputs: { x, n }, output_filter: ["scores"] },
    Classify: { model_spec, input },
    Regress: { model_spec, input },
    MultiInference: { tasks: [{ model_spec, method_name: "tensorflow/serving/regress" }], input },
    GetModelMetadata: { model_spec, metadata_field: ["signature_def"] },
  };
  const methods = definition["tensorflow.serving.PredictionService"] as ServiceDefinition;
  const nearly = fc
    .tuple(
      fc.constantFrom(...Object.keys(requests)),
      fc.array(fc.tuple(fc.nat(200), fc.nat(255)), { maxLength: 4 }),
      fc.option(fc.nat(200), { nil: undefined }),
    )
    .map(([method, changes, end]): [string, Buffer] => {
      const request = methods[method]?.requestSerialize(requests[method]) ?? Buffer.alloc(0);
      for (const [at, byte] of changes) if (at < request.length) request[at] = byte;
      return [method, request.subarray(0, end)];
    });
  for (const [method, request] of Object.entries(requests)) {
    assert.equal(await send(method, methods[method]?.requestSerialize(request) ?? Buffer.alloc(0)), undefined, method);
  }
  await fc.assert(
    fc.asyncProperty(nearly, async ([method, request]) => {
      const failure = await send(method, request);
      assert.ok(failure === undefined || failure instanceof RequestError, String(failure));
    }),
    { numRuns: 3000, seed: 4 },
  );
  const nearlyNothing = fc.uint8Array({ maxLength: 40 });
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...Object.keys(service?.methods ?? {})),
      nearlyNothing,
      async (method, request) => {
        const failure = await send(method, request);
        assert.ok(failure === undefined || failure instanceof RequestError, String(failure));
      },
    ),
    { numRuns: 2000, seed: 4 },
  );
});
