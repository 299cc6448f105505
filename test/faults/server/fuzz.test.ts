import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { InferenceError } from "../../../runtime/engine/errors.ts";
import { RequestError } from "../../../runtime/errors/request-error.ts";
import type { Service } from "../../../runtime/inference/index.ts";
import {
  answerDecoder,
  answerEncoder,
  decodeControl,
  decodeJob,
  encodeControl,
  encodeRefusal,
  jobEncoder,
  MalformedFrame,
} from "../../../runtime/inference/shards/frames.ts";
import { frameReader } from "../../../runtime/inference/shards/link.ts";
import { parseDocument } from "../../../runtime/protocols/json/document.ts";
import { parseTensor } from "../../../runtime/protocols/json/tensor.ts";
import { toCall } from "../../../runtime/protocols/open-inference/grpc/check.ts";
import { decodeRequest } from "../../../runtime/protocols/open-inference/grpc/request.ts";
import { createReader } from "../../../runtime/protocols/open-inference/inputs.ts";
import { createGrpcServices } from "../../../runtime/protocols/tensorflow-serving/grpc.ts";
import { createRoutes } from "../../../runtime/protocols/tensorflow-serving/rest.ts";
import {
  DATATYPES,
  type Datatype,
  elementCount,
  type Tensor,
  type TensorInfo,
} from "../../../runtime/tensors/index.ts";
import { encodeStrings, splitStrings } from "../../../runtime/tensors/strings.ts";
import { damaged, RUNS, SEED } from "./mutations.ts";
import {
  BINARY_HEADER_LENGTH,
  CLASSIFY_GRPC,
  EXAMPLES_JSON,
  INFER_BINARY,
  INFER_GRPC,
  INFER_JSON,
  PREDICT_GRPC,
  PREDICT_JSON,
} from "./seeds.ts";

const info = (name: string, datatype: Datatype, shape: (number | null)[]): TensorInfo => ({
  name,
  datatype,
  shape,
  symbols: shape.map(() => null),
});
const MODEL = {
  name: "m",
  version: "1",
  inputs: [info("x", "FP32", [null, 4]), info("n", "INT64", [null]), info("s", "BYTES", [null])],
  outputs: [info("x.out", "FP32", [null, 4]), info("n.out", "INT64", [null]), info("s.out", "BYTES", [null])],
};
/** On a machine that others use too; a decoder that needs this long for a few kilobytes hangs. */
const MAX_CASE_MS = 1000;
const MAX_GROWTH_BYTES = 400 * 1024 ** 2;

/** What a decoder lets through must be what it says: the rest of the server relies on it. */
const assertWhole = ({ datatype, shape, bytes }: Tensor): void => {
  const count = elementCount(shape) ?? assert.fail(`a shape of [${shape}]`);
  if (datatype === "BYTES") assert.ok(splitStrings(bytes, count) !== undefined, "strings that are none");
  else assert.equal(bytes.length, count * DATATYPES[datatype].bytes);
};

const assertTold = (error: unknown): void => {
  if (!(error instanceof RequestError)) throw error;
  assert.ok(error.httpStatus < 500, `${error.code}: ${error.message}`);
  assert.ok(error.message.length > 0 && error.message.length < 4096, `a message of ${error.message.length} characters`);
};

/** @param valid what `run` must take as it is: else the damaged ones would show nothing */
const fuzz = <T>(
  what: string,
  valid: readonly T[],
  inputs: fc.Arbitrary<T>,
  run: (input: T) => void | Promise<void>,
): void => {
  test(`${what}: ${RUNS} inputs`, async (t) => {
    for (const input of valid) await run(input);
    let passed = 0;
    let slowestMs = 0;
    const before = process.resourceUsage().maxRSS;
    await fc.assert(
      fc.asyncProperty(inputs, async (input) => {
        const before = process.threadCpuUsage();
        try {
          await run(input);
          passed++;
        } catch (error) {
          assertTold(error);
        }
        const { system, user } = process.threadCpuUsage(before);
        const took = (system + user) / 1000;
        slowestMs = Math.max(slowestMs, took);
        assert.ok(took < MAX_CASE_MS, `took ${Math.round(took)} ms of CPU`);
      }),
      { seed: SEED, numRuns: RUNS },
    );
    const growth = (process.resourceUsage().maxRSS - before) * 1024;
    t.diagnostic(
      `${passed} were valid; the slowest took ${slowestMs.toFixed(1)} ms; ${Math.round(growth / 2 ** 20)} MiB more`,
    );
    assert.ok(growth < MAX_GROWTH_BYTES, `${growth} bytes more`);
    // Damage that never leaves a message valid, or never breaks it, tests little.
    assert.ok(passed > 0 && passed < RUNS, `${passed} of ${RUNS} were valid`);
  });
};

const read = createReader(MODEL);
fuzz(
  "the reader of binary tensors",
  [[INFER_BINARY, String(BINARY_HEADER_LENGTH)]],
  fc.tuple(
    damaged([INFER_BINARY]),
    fc.oneof(
      { weight: 8, arbitrary: fc.constant(String(BINARY_HEADER_LENGTH)) },
      { weight: 1, arbitrary: fc.nat({ max: 700 }).map(String) },
      { weight: 1, arbitrary: fc.string() },
    ),
  ),
  ([body, length]) => {
    for (const tensor of read(body, length).inputs.values()) assertWhole(tensor);
  },
);
fuzz("the reader of requests in JSON", INFER_JSON, damaged(INFER_JSON), (body) => {
  for (const tensor of read(body, undefined).inputs.values()) assertWhole(tensor);
});

const TENSORS = [
  "[1,2.5e3,-0.1,NaN,-Infinity]",
  "[[true,false],[false,true]]",
  '["a","\\u00e9\\n",""]',
  "[[-1],[255],[9007199254740993]]",
  '[{"b64":"aMOp"}]',
];
fuzz(
  "the reader of JSON tensors",
  [[Buffer.from('["a"]'), "BYTES", undefined]],
  fc.tuple(
    damaged(TENSORS.map((text) => Buffer.from(text))),
    fc.constantFrom<Datatype>("BOOL", "UINT8", "INT16", "UINT32", "INT64", "UINT64", "FP32", "FP64", "BYTES"),
    fc.option(fc.array(fc.oneof(fc.nat({ max: 5 }), fc.maxSafeNat()), { maxLength: 3 }), { nil: undefined }),
  ),
  ([text, datatype, shape]) => {
    assertWhole(parseTensor(text, { label: "t", datatype, shape, base64: true }));
  },
);
fuzz("the reader of JSON documents", INFER_JSON, damaged([...INFER_JSON, ...PREDICT_JSON]), (text) => {
  const document = parseDocument(text, () => undefined);
  assert.ok(document !== undefined);
});
fuzz("the decoder of ModelInfer", INFER_GRPC, damaged(INFER_GRPC), (message) => {
  for (const tensor of toCall(MODEL, decodeRequest(message), 0, Number.POSITIVE_INFINITY).inputs.values()) {
    assertWhole(tensor);
  }
});

/** Answers each request with its inputs. */
const service: Service = {
  model: MODEL,
  serverVersion: "0",
  ready: () => true,
  statistics: () => assert.fail("nobody asks for statistics"),
  infer({ inputs }) {
    for (const tensor of inputs.values()) assertWhole(tensor);
    const outputs = [...inputs].map(([name, tensor]): [string, Tensor] => [`${name}.out`, tensor]);
    return { result: Promise.resolve(new Map(outputs)), cancel: () => undefined };
  },
};

const routes = createRoutes(service).paths;
for (const [path, seeds] of [
  ["/v1/models/m:predict", PREDICT_JSON],
  ["/v1/models/m:classify", EXAMPLES_JSON],
] as const) {
  const handle = routes.get(path)?.POST ?? assert.fail(path);
  fuzz(`TF Serving's ${path}`, seeds, damaged(seeds), async (body) => {
    const request = { method: "POST", path, query: "", header: () => undefined, body, onGone: undefined };
    assert.equal((await handle(request)).status, 200);
  });
}

const [prediction] = createGrpcServices(service, { maxTensorBytes: 2 ** 20 });
for (const [method, seeds] of [
  ["Predict", PREDICT_GRPC],
  ["Classify", CLASSIFY_GRPC],
] as const) {
  const handler = prediction?.methods[method];
  if (handler === undefined || !("answer" in handler)) throw new Error(`there is no ${method}`);
  fuzz(`TF Serving's ${method}`, seeds, damaged(seeds), async (message) => {
    await handler.answer(message, { deadline: Number.POSITIVE_INFINITY, onCancelled: undefined });
  });
}

const frame = (pieces: readonly Uint8Array[]): Uint8Array => Buffer.concat(pieces);
const tensors = new Map<string, Tensor>([
  ["x", { datatype: "FP32", shape: [1, 4], bytes: new Uint8Array(16) }],
  ["n", { datatype: "INT64", shape: [1], bytes: new Uint8Array(8) }],
  ["s", { datatype: "BYTES", shape: [2], bytes: encodeStrings(["a", "hé"]) }],
]);
const parts = [...tensors].map(([name, { datatype, shape, bytes }]) => ({ name, datatype, shape, parts: [bytes] }));
const outputs = [...tensors].map(([name, tensor]): [string, Tensor] => [`${name}.out`, tensor]);
const wanted = outputs.map(([name]) => name);
const frames = [
  frame(jobEncoder(MODEL)({ inputs: parts, outputs: wanted })),
  frame(answerEncoder()(new Map(outputs), 1.5)),
  encodeRefusal(new InferenceError("input", "no")),
  encodeControl({ type: "ready" }),
];
const decodeAnswer = answerDecoder(MODEL);
fuzz(
  "the frames between the door and its shards",
  frames.map((one) => Buffer.from(one)),
  damaged(frames),
  (bytes) => {
    const decode = (whole: Uint8Array): void => {
      const failures: unknown[] = [];
      for (const one of [
        () => decodeJob(whole, MODEL),
        () => decodeAnswer(whole, wanted),
        () => decodeControl(whole),
      ]) {
        try {
          one();
        } catch (error) {
          if (!(error instanceof MalformedFrame)) throw error;
          failures.push(error);
        }
      }
    };
    try {
      frameReader(decode, 2 ** 20)(bytes);
    } catch (error) {
      if (error instanceof MalformedFrame) throw new RequestError("InvalidArgument", error.message);
      throw error;
    }
  },
);
