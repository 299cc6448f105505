import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { handTimers } from "../../../test/world/hand-timers.ts";
import { until } from "../../../test/world/patience.ts";
import { RequestError } from "../../errors/request-error.ts";
import type { Infer, InferenceCall, Service } from "../../inference/index.ts";
import { createMemory } from "../../memory/shares.ts";
import { createInferenceService } from "../../protocols/open-inference/grpc/service.ts";
import { createOpenInference } from "../../protocols/open-inference/index.ts";
import { createRoutes } from "../../protocols/tensorflow-serving/rest.ts";
import { bytesOf, type Datatype, type Tensor, type TensorInfo } from "../../tensors/index.ts";
import { encodeStrings } from "../../tensors/strings.ts";
import { createRouter } from "../../transport/http/router.ts";
import { classifyingAllMs, writingAllMs } from "./cost.ts";
import { type BesideOptions, createBeside } from "./index.ts";
import { AnswerBeside, inferBeside } from "./infer-beside.ts";
import type { Asked, Response } from "./messages.ts";

const info = (name: string, datatype: Datatype): TensorInfo => ({ name, datatype, shape: [null], symbols: ["n"] });
const model = {
  name: "m",
  version: "1",
  inputs: [info("x", "FP32"), info("s", "BYTES")],
  outputs: [info("x.out", "FP32"), info("s.out", "BYTES")],
};
const echo: Infer = ({ inputs, outputs }) => ({
  result: Promise.resolve(
    new Map(outputs.map((name): [string, Tensor] => [name, inputs.get(name.replace(".out", "")) ?? assert.fail(name)])),
  ),
  cancel: () => undefined,
});
const serviceOf = (infer: Infer): Service => ({
  model,
  serverVersion: "0",
  ready: () => true,
  infer,
  statistics: () => assert.fail("not asked for"),
});

const start = (t: TestContext, infer: Infer, options: Partial<BesideOptions> = {}) => {
  let held = 0;
  const beside = createBeside({
    model,
    serverVersion: "0",
    maxTensorBytes: 1e9,
    timeOrigin: performance.timeOrigin,
    heapMib: 128,
    infer,
    memory: {
      admit: (bytes) => {
        held += bytes;
        return true;
      },
      give: (bytes) => {
        held -= bytes;
      },
      unread: () => () => undefined,
    },
    ...options,
  });
  t.after(() => beside.close());
  return { beside, held: () => held };
};

const http = (
  path: string,
  body: Uint8Array,
  headers: Record<string, string> = {},
): Extract<Asked, { kind: "http" }> => ({
  kind: "http",
  path,
  query: "",
  headers,
  body,
  done: undefined,
});
const text = (response: Response): string => {
  assert.equal(response.kind, "http");
  return response.kind === "http"
    ? Buffer.concat(response.parts.map((part) => Buffer.from(part))).toString("latin1")
    : "";
};

const COUNT = 60_000;
const floats = Float32Array.from({ length: COUNT }, (_, i) => Math.fround(Math.sin(i)));
const words = Array.from({ length: COUNT }, (_, i) => (i % 3 === 0 ? "" : `grüße ${i}`));
const infer = Buffer.from(
  JSON.stringify({
    id: "a",
    inputs: [
      { name: "x", shape: [COUNT], datatype: "FP32", data: [...floats] },
      { name: "s", shape: [COUNT], datatype: "BYTES", data: words },
    ],
  }),
);
const predict = Buffer.from(JSON.stringify({ inputs: { x: [...floats], s: words } }));
const rows = Buffer.from(JSON.stringify({ instances: words.slice(0, 5000).map((s, i) => ({ s, x: i })) }));
const raw = Buffer.concat([Buffer.from(bytesOf(floats)), Buffer.from(encodeStrings(words))]);
const envelope = Buffer.from(
  JSON.stringify({
    parameters: { binary_data_output: true },
    inputs: [
      { name: "x", shape: [COUNT], datatype: "FP32", parameters: { binary_data_size: 4 * COUNT } },
      { name: "s", shape: [COUNT], datatype: "BYTES", parameters: { binary_data_size: raw.length - 4 * COUNT } },
    ],
  }),
);

test("every protocol over HTTP is answered beside as it is by the door, byte by byte", async (t) => {
  const { beside, held } = start(t, echo);
  const cases = [
    http("/v2/models/m/infer", infer),
    http("/v1/models/m:predict", predict),
    http("/v1/models/m:predict", rows),
    http("/v2/models/m/infer", Buffer.concat([envelope, raw]), {
      "inference-header-content-length": String(envelope.length),
    }),
  ];
  const router = createRouter([createOpenInference(serviceOf(echo)), createRoutes(serviceOf(echo))]);
  const answers = await Promise.all(
    cases.map(async (asked) => {
      const handle = router.find("POST", asked.path);
      if (typeof handle !== "function") assert.fail(asked.path);
      const header = (name: string) => asked.headers[name];
      const direct = await handle({
        ...asked,
        method: "POST",
        body: Buffer.from(asked.body),
        header,
        onGone: undefined,
      });
      const other = await beside.ask({ ...asked, body: Buffer.from(asked.body) }).answer;
      assert.deepEqual({ ...other, parts: undefined }, { kind: "http", ...direct, parts: undefined });
      return [text(other), text({ kind: "http", ...direct })];
    }),
  );
  for (const [other, direct] of answers) assert.ok(other === direct && (other?.length ?? 0) > 10_000);
  assert.equal(held(), 0);
});

test("a call of gRPC is answered beside as it is by the door", async (t) => {
  const { beside } = start(t, echo);
  // ModelInferRequest: model_name, two inputs (name, datatype, shape), two raw contents
  const field = (number: number, content: Uint8Array | string): Buffer => {
    const bytes = Buffer.from(content);
    const length: number[] = [];
    let rest = bytes.length;
    for (; rest > 127; rest = Math.floor(rest / 128)) length.push((rest % 128) + 128);
    return Buffer.concat([Uint8Array.of(number * 8 + 2, ...length, rest), bytes]);
  };
  const input = (name: string, datatype: string) =>
    field(5, Buffer.concat([field(1, name), field(2, datatype), field(3, Uint8Array.of(0xe0, 0xd4, 0x03))]));
  const message = Buffer.concat([
    field(1, "m"),
    input("x", "FP32"),
    input("s", "BYTES"),
    field(7, bytesOf(floats)),
    field(7, encodeStrings(words)),
  ]);
  const { methods, codecs } = createInferenceService(serviceOf(echo), (error) => assert.fail(String(error)));
  const deadline = Number.POSITIVE_INFINITY;
  for (const name of ["ModelInfer", "ModelStreamInfer"]) {
    const method = methods[name];
    const codec = codecs?.[name];
    if (method === undefined || !("answer" in method) || codec === undefined) assert.fail("no such method");
    const direct = codec.responseSerialize(
      await method.answer(Buffer.from(message), { deadline, onCancelled: undefined }),
    );
    const path = `/inference.GRPCInferenceService/${name}`;
    const other = await beside.ask({ kind: "grpc", path, message: Buffer.from(message), deadline, done: undefined })
      .answer;
    assert.ok(other.kind === "grpc" && Buffer.compare(other.message, direct) === 0, name);
  }
});

test("what is wrong with a request is told as the door tells it", async (t) => {
  const { beside } = start(t, (call) => {
    if (call.inputs.get("x")?.shape[0] === 2) throw new RequestError("Overloaded", "too much", 3);
    return { result: Promise.reject(new RequestError("Internal", "the model failed")), cancel: () => undefined };
  });
  const body = (n: number) =>
    Buffer.from(
      JSON.stringify({
        inputs: [
          { name: "x", shape: [n], datatype: "FP32", data: Array(n).fill(1) },
          { name: "s", shape: [1], datatype: "BYTES", data: ["a"] },
        ],
      }),
    );
  const refused = (bytes: Uint8Array, code: string, told: RegExp, retryAfterSeconds?: number) =>
    assert.rejects(beside.ask(http("/v2/models/m/infer", bytes)).answer, (error) => {
      assert.ok(error instanceof RequestError, String(error));
      assert.deepEqual([error.code, error.retryAfterSeconds], [code, retryAfterSeconds]);
      assert.match(error.message, told);
      return true;
    });
  await Promise.all([
    refused(Buffer.from("{"), "InvalidArgument", /not JSON/),
    refused(body(2), "Overloaded", /too much/, 3),
    refused(body(1), "Internal", /the model failed/),
  ]);
});

test("an answer that takes long to write goes beside, with what was inferred: the model runs once", async (t) => {
  let runs = 0;
  const counted: Infer = (call) => {
    runs++;
    return echo(call);
  };
  const { beside, held } = start(t, counted);
  const infers = inferBeside(counted, 0.5, () => undefined, writingAllMs);
  const handle = createRouter([createOpenInference(serviceOf(infers))]).find("POST", "/v2/models/m/infer");
  if (typeof handle !== "function") assert.fail("no such path");
  const asked = { ...http("/v2/models/m/infer", infer), method: "POST", header: () => undefined, onGone: undefined };
  const error = await Promise.resolve(handle(asked)).then(
    () => assert.fail("it was written"),
    (reason: unknown) => reason,
  );
  if (!(error instanceof AnswerBeside)) throw error;
  const response = await beside.ask({ ...http("/v2/models/m/infer", Buffer.from(infer)), done: error.done }).answer;
  assert.match(text(response).slice(0, 60), /"id":"a"/);
  assert.equal(runs, 1);
  assert.equal(held(), 0);
});

test("over gRPC what takes long to classify goes beside, and what is copied does not", async () => {
  const infer = inferBeside(echo, 0.5, () => undefined, classifyingAllMs);
  const x: Tensor = { datatype: "FP32", shape: [floats.length], bytes: bytesOf(floats) };
  const call: InferenceCall = { inputs: new Map([["x", x]]), outputs: ["x.out"] };
  assert.equal((await infer(call).result).get("x.out"), x);
  await assert.rejects(infer({ ...call, classes: new Map([["x.out", 5]]) }).result, AnswerBeside);
});

test("outputs of another inference than the request asks for are not taken for its own", async (t) => {
  let runs = 0;
  const counted: Infer = (call) => {
    runs++;
    return echo(call);
  };
  const { beside } = start(t, counted);
  const other: InferenceCall = { inputs: new Map(), outputs: ["x.out"] };
  const done = {
    call: other,
    outputs: new Map([["x.out", { datatype: "FP32" as const, shape: [0], bytes: new Uint8Array() }]]),
  };
  const response = await beside.ask({ ...http("/v2/models/m/infer", Buffer.from(infer)), done }).answer;
  assert.equal(runs, 1);
  assert.ok(text(response).length > 100_000);
});

test("whose client has gone is not run, or is cancelled", async (t) => {
  let cancelled = 0;
  const waiting: Infer = () => {
    const { promise, reject } = Promise.withResolvers<never>();
    return {
      result: promise,
      cancel: () => {
        cancelled++;
        reject(new RequestError("Cancelled", "the client closed the connection"));
      },
    };
  };
  const { beside, held } = start(t, waiting);
  const first = beside.ask(http("/v2/models/m/infer", Buffer.from(infer)));
  const second = beside.ask(http("/v2/models/m/infer", Buffer.from(infer)));
  const firstEnds = assert.rejects(first.answer, { code: "Cancelled" });
  second.cancel();
  await assert.rejects(second.answer, { code: "Cancelled" });
  await until("the first is cancelled", () => {
    first.cancel();
    return cancelled > 0;
  });
  await firstEnds;
  assert.equal(held(), 0);
});

test("a request that takes more to read than the thread may have is refused, and the next one is answered", async (t) => {
  const { beside } = start(t, echo, { heapMib: 24 });
  const bodies = Array.from({ length: 250_000 }, (_, i) => `{"s":"${i}","x":1}`);
  const huge = Buffer.from(`{"instances":[${bodies.join(",")}]}`);
  await assert.rejects(beside.ask(http("/v1/models/m:predict", huge)).answer, (error) => {
    return error instanceof RequestError && ["TooLarge", "InvalidArgument"].includes(error.code);
  });
  assert.ok(text(await beside.ask(http("/v2/models/m/infer", Buffer.from(infer))).answer).length > 100_000);
});

test("the thread ends once there is nothing to do, and another begins when there is", async (t) => {
  const timers = handTimers();
  const { beside } = start(t, echo, { after: timers.after });
  const ask = () => beside.ask(http("/v2/models/m/infer", Buffer.from(infer))).answer;
  await ask();
  timers.ring(3000);
  assert.ok(text(await ask()).length > 100_000);
});

test("of a crowd whose bodies fill the memory some are answered, the others are refused, and all of it comes back", async (t) => {
  const crowd = 40;
  const memory = createMemory(crowd * infer.length, () => 0);
  const bytes = 8 * infer.length;
  const admitting: Infer = (call) => {
    if (!memory.admit(bytes)) throw new RequestError("Overloaded", "no room");
    const result = echo(call).result.finally(() => memory.give(bytes));
    return { result, cancel: () => undefined };
  };
  const { beside } = start(t, admitting, { memory });
  const outcomes = await Promise.all(
    Array.from({ length: crowd }, async () => {
      const body = memory.nextShare().lease(() => false);
      body.take(infer.length);
      const { answer } = beside.ask(http("/v2/models/m/infer", Buffer.from(infer)), body.release);
      const outcome = await answer.then(
        () => "answered",
        (error: unknown) => (error instanceof RequestError ? error.code : String(error)),
      );
      body.release();
      return outcome;
    }),
  );
  assert.equal(outcomes[0], "answered");
  assert.ok(outcomes.filter((outcome) => outcome === "answered").length >= 4, outcomes.join());
  assert.deepEqual(new Set(outcomes), new Set(["answered", "Overloaded"]));
  assert.equal(memory.usedBytes(), 0);
});
