import assert from "node:assert/strict";
import { once } from "node:events";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { type Client, credentials, loadPackageDefinition, Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { RequestError } from "../../../errors/request-error.ts";
import type { InferenceCall, Service } from "../../../inference/index.ts";
import { encodeStrings } from "../../../tensors/strings.ts";
import { createGrpcServer } from "../../../transport/grpc/server.ts";
import type { LongCalls } from "../../../transport/grpc/types.ts";
import { createInferenceService } from "./service.ts";

const tensor = (
  name: string,
  datatype: "FP32" | "INT64" | "BYTES" | "BOOL" | "INT8" | "FP16",
  shape: (number | null)[],
) => ({
  name,
  datatype,
  shape,
  symbols: shape.map(() => null),
});

const seen: InferenceCall[] = [];
let cancelled: () => void = () => {};
let running = 0;
let mostRunning = 0;
/** Answers each output with the bytes of the input of the same place; "hang" never ends by itself. */
const service: Service = {
  model: {
    name: "echo",
    version: "3",
    inputs: [tensor("x", "FP32", [null, 2]), tensor("s", "BYTES", [null])],
    outputs: [tensor("y", "FP32", [null, 2]), tensor("t", "BYTES", [null])],
  },
  serverVersion: "0.0.1",
  ready: () => true,
  infer: (call) => {
    seen.push(call);
    const x = call.inputs.get("x");
    const s = call.inputs.get("s");
    assert.ok(x !== undefined && s !== undefined);
    if (call.priority === 99) throw new RequestError("Overloaded", "too much is waiting", 1.5);
    if (call.priority === 98) throw new Error("secret");
    if (call.priority === 97) {
      return {
        result: new Promise((_, reject) => {
          cancelled = () => reject(new RequestError("Cancelled", "gone"));
        }),
        cancel: () => cancelled(),
      };
    }
    mostRunning = Math.max(mostRunning, ++running);
    const result = new Promise<Map<string, typeof x>>((resolve) =>
      // The first of several takes longest, so that answers in the order of the requests are not a matter of luck.
      setTimeout(
        () =>
          resolve(
            new Map([
              ["t", s],
              ["y", x],
            ]),
          ),
        call.priority ?? 0,
      ),
    );
    void result.then(() => running--);
    return { result, cancel: () => {} };
  },
  statistics: () => ({
    lastInferenceMs: 1_700_000_000_000,
    inferenceCount: 5,
    executionCount: 2,
    success: { count: 4, ns: 1e9 },
    fail: { count: 1, ns: 5 },
    queue: { count: 4, ns: 1.25 },
    computeInput: { count: 2, ns: 1 },
    computeInfer: { count: 2, ns: 2 },
    computeOutput: { count: 2, ns: 3 },
    batches: [
      {
        size: 3,
        computeInput: { count: 1, ns: 1 },
        computeInfer: { count: 1, ns: 2 },
        computeOutput: { count: 1, ns: 3 },
      },
    ],
  }),
};

const reported: unknown[] = [];
/** Paths of the messages that were looked at, for how long they take to read; what is refused if its id is "refused". */
const looked: string[] = [];
const long: LongCalls = {
  ask: (path, message) => {
    looked.push(path);
    if (!message.includes("refused")) return undefined;
    return { answer: Promise.reject(new RequestError("TooLarge", "too much to read")), cancel: () => undefined };
  },
  resume: () => undefined,
};
const inference = createInferenceService(service, (error) => reported.push(error));
const server = createGrpcServer(
  [inference],
  {
    maxMessageBytes: 1024 * 1024,
    maxConnectionAgeMs: 60_000,
    graceMs: 1000,
    maxConcurrentStreams: 100,
    maxConnections: 10,
    keepaliveMs: 10_000,
    keepaliveTimeoutMs: 10_000,
    healthNames: [],
    long,
  },
  (error) => reported.push(error),
);

const PROTO = fileURLToPath(new URL("inference.proto", import.meta.url));
const definitions = loadSync(PROTO, { keepCase: true, longs: Number, enums: String, defaults: true, oneofs: true });
const methods = definitions["inference.GRPCInferenceService"];
assert.ok(methods !== undefined && !("format" in methods));
let client: Client;

before(async () => {
  const port = await server.listen(0, "127.0.0.1");
  const namespace = loadPackageDefinition(definitions).inference;
  assert.ok(namespace !== undefined && "GRPCInferenceService" in namespace);
  const Constructor = namespace.GRPCInferenceService;
  assert.ok(typeof Constructor === "function" && "service" in Constructor);
  client = new Constructor(`127.0.0.1:${port}`, credentials.createInsecure());
});
after(() => {
  client.close();
  server.close();
});

type Answer = {
  model_name: string;
  model_version: string;
  id: string;
  outputs: object[];
  raw_output_contents: Buffer[];
};
const methodOf = (name: string) => {
  const method = "format" in methods ? undefined : methods[name];
  assert.ok(method !== undefined);
  return method;
};
const start = (
  name: string,
  request: object,
  options: object,
  done: (error: ServiceError | null, value: unknown) => void,
) => {
  const { path, requestSerialize, responseDeserialize } = methodOf(name);
  return client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, new Metadata(), options, done);
};
const ask = (name: string, request: object = {}, options: object = {}): Promise<unknown> =>
  new Promise((resolve, reject) =>
    start(name, request, options, (error, value) => (error ? reject(error) : resolve(value))),
  );
const failure = async (name: string, request: object, options: object = {}): Promise<ServiceError> => {
  try {
    await ask(name, request, options);
  } catch (error) {
    if (error instanceof Error && "code" in error) return error as ServiceError;
  }
  return assert.fail("it was answered");
};
const isAnswer = (value: unknown): value is Answer => typeof value === "object" && value !== null && "outputs" in value;

const floats = (...values: number[]) => Buffer.from(Float32Array.from(values).buffer);
const x = { name: "x", datatype: "FP32", shape: [1, 2] };
const s = { name: "s", datatype: "BYTES", shape: [2] };
const raw = [floats(1.5, -2), Buffer.from(encodeStrings(["a", "ü"]))];
const request = { model_name: "echo", id: "42", inputs: [x, s], raw_input_contents: raw };
const parameters = (of: Record<string, object>) => ({ parameters: of });
const priority = (value: number) => parameters({ priority: { uint64_param: value } });

test("raw contents come back raw, with the id and the outputs in the model's order", async () => {
  const answer = await ask("ModelInfer", request);
  assert.ok(isAnswer(answer));
  assert.deepEqual(answer.raw_output_contents, raw);
  assert.equal(answer.id, "42");
  assert.equal(answer.model_name, "echo");
  assert.equal(answer.model_version, "3");
  assert.deepEqual(
    answer.outputs.map((output) => ({ ...output, contents: undefined, parameters: undefined })),
    [
      { name: "y", datatype: "FP32", shape: [1, 2], contents: undefined, parameters: undefined },
      { name: "t", datatype: "BYTES", shape: [2], contents: undefined, parameters: undefined },
    ],
  );
});

test("typed contents give the same; outputs are selected and ordered by the request", async () => {
  const answer = await ask("ModelInfer", {
    model_name: "echo",
    model_version: "3",
    inputs: [
      { ...s, contents: { bytes_contents: [Buffer.from("a"), Buffer.from("ü")] } },
      { ...x, contents: { fp32_contents: [1.5, -2] } },
    ],
    outputs: [{ name: "t" }, { name: "y" }],
  });
  assert.ok(isAnswer(answer));
  assert.deepEqual(answer.raw_output_contents, [raw[1], raw[0]]);
});

test("what does not fit is refused with InvalidArgument that names the tensor", async () => {
  const cases: [RegExp, object][] = [
    [/input "z" is unknown; the model's inputs are "x", "s"/, { inputs: [{ ...x, name: "z" }, s] }],
    [/input "x" is given twice/, { inputs: [x, x], raw_input_contents: [raw[0], raw[0]] }],
    [/input "s" is missing/, { inputs: [x], raw_input_contents: [raw[0]] }],
    [/input "x": datatype is INT8, the model wants FP32/, { inputs: [{ ...x, datatype: "INT8" }, s] }],
    [/input "x": shape is \[1,3\], the model wants \[-1,2\]/, { inputs: [{ ...x, shape: [1, 3] }, s] }],
    [/input "x": shape is \[-1,2\]/, { inputs: [{ ...x, shape: [-1, 2] }, s] }],
    [/input "x": its shape wants 16 bytes of FP32, raw_input_contents has 8/, { inputs: [{ ...x, shape: [2, 2] }, s] }],
    [/raw_input_contents has 1 entries for 2 inputs/, { raw_input_contents: [raw[0]] }],
    [
      /input "x": has both contents and raw_input_contents/,
      { inputs: [{ ...x, contents: { fp32_contents: [1, 2] } }, s] },
    ],
    [/input "x": its contents have 0 elements, its shape wants 2/, { raw_input_contents: [] }],
    [
      /input "x": FP32 is sent in fp32_contents, not in int_contents/,
      { inputs: [{ ...x, contents: { int_contents: [1, 2] } }, s], raw_input_contents: [] },
    ],
    [
      /input "s": the data|input "s": its shape wants 2 strings, the data ends after 1/,
      { raw_input_contents: [raw[0], Buffer.from(encodeStrings(["a"]))] },
    ],
    [
      /input "s": string 0 is not UTF-8/,
      { raw_input_contents: [raw[0], Buffer.from(encodeStrings([Buffer.from([0xff]), "b"]))] },
    ],
    [
      /input "s": string 1 holds a NUL byte/,
      { raw_input_contents: [raw[0], Buffer.from(encodeStrings(["a", "b\0"]))] },
    ],
    [/output "q" is unknown; the model's outputs are "y", "t"/, { outputs: [{ name: "q" }] }],
    [/output "y" is requested twice/, { outputs: [{ name: "y" }, { name: "y" }] }],
    [/parameter timeout is soon/, parameters({ timeout: { string_param: "soon" } })],
  ];
  for (const [message, change] of cases) {
    const error = await failure("ModelInfer", { ...request, ...change });
    assert.match(error.details, message);
    assert.equal(error.code, status.INVALID_ARGUMENT, error.details);
  }
});

test("bytes that are no request are refused with InvalidArgument, not with Internal", async () => {
  const { path, responseDeserialize } = methodOf("ModelInfer");
  for (const bytes of [[0x2a, 0x7f, 1], [0x0a], [0x0b], [0x2a, 0xff, 0xff, 0xff, 0xff, 0x0f]]) {
    const error = await new Promise<ServiceError | null>((resolve) => {
      client.makeUnaryRequest(
        path,
        () => Buffer.from(bytes),
        responseDeserialize,
        {},
        (error) => resolve(error),
      );
    });
    assert.equal(error?.code, status.INVALID_ARGUMENT);
    assert.match(error.details, /not a valid protobuf/);
  }
});

test("a classified output has its greatest values with their places; what cannot be classified is refused", async () => {
  const classified = (name: string, classes: number) => ({
    ...request,
    outputs: [{ name, ...parameters({ classification: { int64_param: classes } }) }],
  });
  const answer = await ask("ModelInfer", classified("y", 1));
  assert.ok(isAnswer(answer));
  assert.partialDeepStrictEqual(answer.outputs, [{ name: "y", datatype: "BYTES", shape: [1, 1] }]);
  assert.deepEqual(answer.raw_output_contents, [Buffer.from(encodeStrings(["1.500000:0"]))]);
  assert.deepEqual(seen.at(-1)?.classes, new Map([["y", 1]]));
  for (const [name, classes, fault] of [
    ["t", 1, /"t": classification wants numbers, it has BYTES/],
    ["y", 10_001, /"y": parameter classification.*1 to 10000/],
  ] as const) {
    const { code, details } = await failure("ModelInfer", classified(name, classes));
    assert.equal(code, status.INVALID_ARGUMENT);
    assert.match(details, fault);
  }
});

test("another model or version is not found", async () => {
  assert.equal((await failure("ModelInfer", { ...request, model_name: "other" })).code, status.NOT_FOUND);
  assert.equal((await failure("ModelInfer", { ...request, model_version: "9" })).code, status.NOT_FOUND);
  assert.match(
    (await failure("ModelReady", { name: "other" })).details,
    /model "other" is unknown; this server has "echo"/,
  );
});

test("failures have their status, say when to come back, and tell nothing else", async () => {
  const busy = await failure("ModelInfer", { ...request, ...priority(99) });
  assert.equal(busy.code, status.RESOURCE_EXHAUSTED);
  assert.equal(busy.details, "too much is waiting");
  assert.deepEqual(busy.metadata.get("retry-after"), ["2"]);
  assert.deepEqual(busy.metadata.get("grpc-retry-pushback-ms"), ["1500"]);
  reported.length = 0;
  const broken = await failure("ModelInfer", { ...request, ...priority(98) });
  assert.equal(broken.code, status.INTERNAL);
  assert.doesNotMatch(broken.details, /secret/);
  assert.match(String(reported[0]), /secret/);
});

/** Whether the last call's deadline is `ms` from a time between `before` and now, to the 10 ms that gRPC may round by. */
const isDue = (ms: number, before: number): void => {
  const deadline = seen.at(-1)?.deadline ?? 0;
  const now = performance.now();
  assert.ok(deadline >= before + ms - (now - before) - 10 && deadline <= now + ms + 10, `${deadline - now} ms`);
};

test("the earlier of the call's deadline and the parameter timeout counts, on performance.now's clock", async () => {
  let before = performance.now();
  await ask(
    "ModelInfer",
    { ...request, ...parameters({ timeout: { int64_param: 5_000_000 } }) },
    { deadline: Date.now() + 60_000 },
  );
  isDue(5000, before);
  before = performance.now();
  await ask(
    "ModelInfer",
    { ...request, ...parameters({ timeout: { string_param: "60000000" } }) },
    { deadline: Date.now() + 9_000 },
  );
  isDue(9000, before);
  await ask("ModelInfer", request);
  assert.equal(seen.at(-1)?.deadline, undefined);
});

test("a client that gives up and a deadline that passes cancel the inference", async () => {
  const gone = Promise.withResolvers<ServiceError | null>();
  const before = seen.length;
  const call = start("ModelInfer", { ...request, ...priority(97) }, {}, (error) => gone.resolve(error));
  while (seen.length === before) await new Promise(setImmediate);
  const { promise: reached, resolve } = Promise.withResolvers<void>();
  const reject = cancelled;
  cancelled = () => {
    reject();
    resolve();
  };
  call.cancel();
  assert.equal((await gone.promise)?.code, status.CANCELLED);
  await reached;
  const late = await failure("ModelInfer", { ...request, ...priority(97) }, { deadline: Date.now() + 50 });
  assert.equal(late.code, status.DEADLINE_EXCEEDED);
  const infer = () => server.snapshot().calls.find(({ method }) => method.endsWith("/ModelInfer"));
  while (infer()?.inFlight !== 0) await new Promise(setImmediate);
  // The client counts the deadline from a little earlier than the server can: either of them may be the first to end the call.
  const { [status.CANCELLED]: gaveUp = 0, [status.DEADLINE_EXCEEDED]: tooLate = 0 } = infer()?.codes ?? [];
  assert.equal(gaveUp + tooLate, 2);
  assert.ok(gaveUp >= 1);
});

test("a message that is too large fails its call alone", async () => {
  const large = { ...request, raw_input_contents: [Buffer.alloc(2 * 1024 * 1024)] };
  assert.equal((await failure("ModelInfer", large)).code, status.RESOURCE_EXHAUSTED);
  assert.ok(isAnswer(await ask("ModelInfer", request)));
});

test("the stream answers in order, tells failures in their message, and works on a bounded number", async () => {
  const { path, requestSerialize, responseDeserialize } = methodOf("ModelStreamInfer");
  const stream = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
  const answers: {
    error_message: string;
    infer_response: Answer & { parameters: Record<string, { bool_param: boolean }> };
  }[] = [];
  stream.on("data", (answer) => answers.push(answer));
  mostRunning = 0;
  const count = 40;
  for (let i = 0; i < count; i++) {
    const change = i === 3 ? { inputs: [x] } : {};
    const final = i === 5 ? { triton_enable_empty_final_response: { bool_param: true } } : {};
    stream.write({
      ...request,
      id: `r${i}`,
      ...parameters({ priority: { int64_param: (count - i) % 4 }, ...final }),
      ...change,
    });
  }
  stream.end();
  await once(stream, "end");
  assert.deepEqual(
    answers.map(({ infer_response }) => infer_response.id),
    Array.from({ length: count }, (_, i) => `r${i}`),
  );
  assert.match(answers[3]?.error_message ?? "", /raw_input_contents has 2 entries for 1 inputs/);
  assert.deepEqual(
    answers.flatMap(({ error_message }, i) => (error_message === "" ? [] : [i])),
    [3],
  );
  assert.deepEqual(answers[4]?.infer_response.raw_output_contents, raw);
  assert.equal(answers[5]?.infer_response.parameters.triton_final_response?.bool_param, true);
  assert.deepEqual(answers[6]?.infer_response.parameters, {});
  assert.ok(mostRunning > 1 && mostRunning <= 8, `${mostRunning} at a time`);
});

test("a large request of a stream is read as one of ModelInfer is, and its failure names it", async () => {
  const { path, requestSerialize, responseDeserialize } = methodOf("ModelStreamInfer");
  const stream = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
  const answers: { error_message: string; infer_response: Answer }[] = [];
  stream.on("data", (answer) => answers.push(answer));
  looked.length = 0;
  const large = encodeStrings(["a".repeat(20_000), "b"]);
  const both = { ...request, raw_input_contents: [floats(1, 2), Buffer.from(large)] };
  for (const id of ["first", "refused", "last"]) stream.write({ ...both, id });
  stream.end();
  await once(stream, "end");
  assert.deepEqual(looked, [path, path, path]);
  assert.deepEqual(
    answers.map(({ error_message, infer_response }) => [infer_response.id, error_message]),
    [
      ["first", ""],
      ["refused", "too much to read"],
      ["last", ""],
    ],
  );
  assert.deepEqual(answers[2]?.infer_response.raw_output_contents[1], Buffer.from(large));
});

test("a stream that the client gives up cancels what runs", async () => {
  const { path, requestSerialize, responseDeserialize } = methodOf("ModelStreamInfer");
  const stream = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
  stream.on("error", () => {});
  const before = seen.length;
  stream.write({ ...request, ...priority(97) });
  while (seen.length === before) await new Promise(setImmediate);
  const { promise: reached, resolve } = Promise.withResolvers<void>();
  const reject = cancelled;
  cancelled = () => {
    reject();
    resolve();
  };
  stream.cancel();
  await reached;
});

test("health, metadata, configuration, statistics and the index are those of the one model", async () => {
  assert.deepEqual(await ask("ServerLive"), { live: true });
  assert.deepEqual(await ask("ServerReady"), { ready: true });
  assert.deepEqual(await ask("ModelReady", { name: "echo", version: "3" }), { ready: true });
  assert.deepEqual(await ask("ModelMetadata", { name: "echo" }), {
    name: "echo",
    versions: ["3"],
    platform: "onnxruntime_onnx",
    inputs: [
      { name: "x", datatype: "FP32", shape: [-1, 2] },
      { name: "s", datatype: "BYTES", shape: [-1] },
    ],
    outputs: [
      { name: "y", datatype: "FP32", shape: [-1, 2] },
      { name: "t", datatype: "BYTES", shape: [-1] },
    ],
  });
  assert.deepEqual(await ask("ModelConfig", { name: "echo" }), {
    config: {
      name: "echo",
      platform: "onnxruntime_onnx",
      backend: "onnxruntime",
      max_batch_size: 0,
      input: [
        { name: "x", data_type: "TYPE_FP32", dims: [-1, 2], optional: false },
        { name: "s", data_type: "TYPE_STRING", dims: [-1], optional: false },
      ],
      output: [
        { name: "y", data_type: "TYPE_FP32", dims: [-1, 2] },
        { name: "t", data_type: "TYPE_STRING", dims: [-1] },
      ],
    },
  });
  assert.deepEqual(await ask("RepositoryIndex"), {
    models: [{ name: "echo", version: "3", state: "READY", reason: "" }],
  });
  const statistics = JSON.stringify(await ask("ModelStatistics", { name: "echo" }));
  assert.match(statistics, /"last_inference":1700000000000,"inference_count":5,"execution_count":2/);
  assert.match(statistics, /"success":\{"count":4,"ns":1000000000\}/);
  assert.match(statistics, /"queue":\{"count":4,"ns":1\}/);
});

test("what Triton has besides is UNIMPLEMENTED, and the message says why", async () => {
  const error = await failure("RepositoryModelLoad", {});
  assert.equal(error.code, status.UNIMPLEMENTED);
  assert.match(error.details, /models cannot be loaded/);
});

test("every method of the .proto file is there", () => {
  assert.deepEqual(Object.keys(inference.methods).sort(), Object.keys(methods).sort());
});
