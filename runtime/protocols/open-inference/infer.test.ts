import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { RequestError } from "../../errors/request-error.ts";
import type { InferenceCall, ModelStatistics, Service } from "../../inference/index.ts";
import type { Datatype, Tensor } from "../../tensors/index.ts";
import { createOpenInference } from "./index.ts";

type Inputs = Record<string, { type: Datatype; shape: (number | string)[] }>;
const none = { count: 0, ns: 0 };
const STATISTICS: ModelStatistics = {
  lastInferenceMs: 7,
  inferenceCount: 3,
  executionCount: 2,
  success: { count: 2, ns: 5 },
  fail: none,
  queue: none,
  computeInput: none,
  computeInfer: none,
  computeOutput: none,
  batches: [{ size: 2, computeInput: none, computeInfer: { count: 1, ns: 4 }, computeOutput: none }],
};

// The protocol with a model that gives each input "x" back as "x.out".
const rest = async (declared: Inputs) => {
  const inputs = Object.entries(declared).map(([name, { type, shape }]) => ({
    name,
    datatype: type,
    shape: shape.map((size) => (typeof size === "number" ? size : null)),
    symbols: shape.map((size) => (typeof size === "number" ? null : size)),
  }));
  const outputs = inputs.map((info) => ({ ...info, name: `${info.name}.out` }));
  const calls: InferenceCall[] = [];
  const state = { ready: true, cancelled: 0 };
  const service: Service = {
    model: { name: "m", version: "1", inputs, outputs },
    serverVersion: "0",
    ready: () => state.ready,
    statistics: () => STATISTICS,
    infer(call) {
      calls.push(call);
      const results = call.outputs.flatMap((name): [string, Tensor][] => {
        const tensor = call.inputs.get(name.slice(0, -4));
        return tensor === undefined ? [] : [[name, tensor]];
      });
      return { result: Promise.resolve(new Map(results)), cancel: () => state.cancelled++ };
    },
  };
  const { paths, explain } = createOpenInference(service, () => 1000);
  const call = async (method: "GET" | "POST", path: string, body: Uint8Array, headerLength?: string, gone = false) => {
    const handle = paths.get(path)?.[method];
    assert.ok(handle !== undefined, path);
    const header = (name: string) => (name === "inference-header-content-length" ? headerLength : undefined);
    const request = { method, path, query: "", header, body, onGone: undefined as (() => void) | undefined };
    const pending = handle(request);
    if (gone) request.onGone?.();
    const answer = await pending;
    return { ...answer, bytes: Buffer.concat(answer.parts.map((part) => Buffer.from(part))) };
  };
  const infer = (body: string, ...binary: Uint8Array[]) => {
    const json = Buffer.from(body);
    const all = Buffer.concat([json, ...binary]);
    return call("POST", "/v2/models/m/infer", all, binary.length > 0 ? String(json.length) : undefined);
  };
  /** The one message that `body` is refused with. */
  const refuses = async (body: string, message: RegExp, ...binary: Uint8Array[]) => {
    await assert.rejects(infer(body, ...binary), (error) => {
      assert.ok(error instanceof RequestError, String(error));
      assert.equal(error.httpStatus, 400);
      assert.match(error.message, message);
      assert.ok(!error.message.includes("\n") && error.message.length < 400, error.message);
      return true;
    });
  };
  return { call, calls, state, infer, refuses, paths, explain };
};

const tensor = (name: string, datatype: string, shape: unknown, data: string, more = "") =>
  `{"name":"${name}","datatype":"${datatype}","shape":${JSON.stringify(shape)},${more}"data":${data}}`;
const inputs = (...all: string[]) => `{"inputs":[${all.join()}]}`;

// The edges of each type, as JSON and as bytes.
const VALUES: { type: Datatype; json: string | undefined; bytes: Uint8Array }[] = [
  { type: "BOOL", json: "[true,false]", bytes: Uint8Array.of(1, 0) },
  { type: "UINT8", json: "[0,255]", bytes: Uint8Array.of(0, 255) },
  { type: "UINT16", json: "[0,65535]", bytes: bytesOf(Uint16Array.of(0, 65535)) },
  { type: "UINT32", json: "[0,4294967295]", bytes: bytesOf(Uint32Array.of(0, 4294967295)) },
  {
    type: "UINT64",
    json: "[9007199254740993,18446744073709551615]",
    bytes: bytesOf(BigUint64Array.of(2n ** 53n + 1n, 2n ** 64n - 1n)),
  },
  { type: "INT8", json: "[-128,127]", bytes: bytesOf(Int8Array.of(-128, 127)) },
  { type: "INT16", json: "[-32768,32767]", bytes: bytesOf(Int16Array.of(-32768, 32767)) },
  { type: "INT32", json: "[-2147483648,2147483647]", bytes: bytesOf(Int32Array.of(-(2 ** 31), 2 ** 31 - 1)) },
  {
    type: "INT64",
    json: "[-9223372036854775808,-9007199254740993]",
    bytes: bytesOf(BigInt64Array.of(-(2n ** 63n), -(2n ** 53n) - 1n)),
  },
  { type: "FP16", json: undefined, bytes: bytesOf(Uint16Array.of(0x3c00, 0x8001)) },
  { type: "FP32", json: "[-0,1e-45]", bytes: bytesOf(Float32Array.of(-0, 2 ** -149)) },
  { type: "FP64", json: "[-0,0.1]", bytes: bytesOf(Float64Array.of(-0, 0.1)) },
  {
    type: "BYTES",
    json: '["","\u00e9\\n"]',
    bytes: Buffer.concat([Uint8Array.of(0, 0, 0, 0, 3, 0, 0, 0), Buffer.from("\u00e9\n")]),
  },
];
function bytesOf(data: ArrayBufferView): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

describe("every datatype comes back as it went", () => {
  for (const { type, json, bytes } of VALUES) {
    it(`${type}${json === undefined ? " (binary only)" : ""}`, async () => {
      const { infer, refuses } = await rest({ x: { type, shape: ["n"] } });
      const head = `{"inputs":[{"name":"x","datatype":"${type}","shape":[2],"parameters":{"binary_data_size":${bytes.length}}}],"outputs":[{"name":"x.out","parameters":{"binary_data":true}}]}`;
      const binary = await infer(head, bytes);
      const at = Number(binary.headers["inference-header-content-length"]);
      assert.deepEqual(binary.bytes.subarray(at), Buffer.from(bytes));

      const empty = head.replace("[2]", "[0]").replace(/_size":\d+/, '_size":0');
      const none = await infer(empty, new Uint8Array(0));
      assert.equal(none.bytes.length, Number(none.headers["inference-header-content-length"]));

      if (json === undefined) {
        await refuses(inputs(tensor("x", type, [2], "[1,2]")), /^input "x": FP16 has no JSON form/);
        await refuses(head.replace(/,"outputs":.*/, "}"), /^output "x.out": FP16 has no JSON form/, bytes);
        return;
      }
      const answer = (await infer(inputs(tensor("x", type, [2], json)))).bytes.toString();
      assert.equal(
        answer,
        `{"model_name":"m","model_version":"1","outputs":[{"name":"x.out","datatype":"${type}","shape":[2],"data":${json}}]}`,
      );
      await refuses(head.replace("[2]", "[3]"), /^input "x": its shape wants (3|6|12|24) (bytes|strings)/, bytes);
      await refuses(
        inputs(tensor("x", type, [2], `[${json.slice(1, -1).split(",")[0]}]`)),
        /"x": .*2 elements.* has 1/,
      );
      await refuses(
        inputs(tensor("x", type, [1], "[null]")),
        new RegExp(`^input "x": data\\[0\\] is null, ${type} wants`),
      );
    });
  }
});

describe("values that a type does not hold are refused, not rounded", () => {
  const refused: [Datatype, string, RegExp][] = [
    ["UINT8", "256", /data\[0\] is 256, UINT8 wants a whole number from 0 to 255/],
    ["INT8", "-129", /is -129/],
    ["INT32", "1.5", /is 1\.5/],
    ["UINT32", "-1", /is -1/],
    ["INT64", "9223372036854775808", /is 9223372036854775808/],
    ["UINT64", "18446744073709551616", /is 18446744073709551616/],
    ["UINT64", "-1", /is -1/],
    ["INT64", "9007199254740993.0", /plain digits/],
    ["INT64", "1e18", /plain digits/],
    ["FP32", "1e39", /is 1e39, FP32 wants/],
    ["FP32", "1e999", /FP32 wants a number/],
    ["FP64", "-1e999", /FP64 wants a number/],
    ["FP32", '"1"', /is "1"/],
    ["BOOL", "1", /BOOL wants true or false/],
    ["BYTES", '"a\\u0000b"', /NUL/],
    ["BYTES", '"\\ud800"', /well-formed/],
    ["BYTES", "1", /BYTES wants/],
  ];
  for (const [type, value, message] of refused) {
    it(`${type} ${value}`, async () => {
      const { refuses } = await rest({ x: { type, shape: [1] } });
      await refuses(inputs(tensor("x", type, [1], `[${value}]`)), new RegExp(`^input "x": .*${message.source}`));
    });
  }
});

describe("the JSON of a request", () => {
  it("may hold NaN and the infinities, and so may the answer", async () => {
    const { infer, refuses } = await rest({ x: { type: "FP32", shape: [4] } });
    const data = "[NaN,Infinity,-Infinity,-0]";
    const answer = (await infer(inputs(tensor("x", "FP32", [4], data)))).bytes.toString();
    assert.ok(answer.includes(`"data":${data}`), answer);
    await refuses(inputs(tensor("x", "FP32", [4], "[NaN,1e999,0,0]")), /data\[1\] is 1e999, FP32 wants/);
    await refuses(inputs(tensor("x", "FP32", [4], "[nan,0,0,0]")), /not JSON: unexpected text at byte \d+/);
  });

  it("may nest the data as the shape does, or not", async () => {
    const { infer, refuses } = await rest({ x: { type: "INT32", shape: ["a", "b"] } });
    const nested = await infer(inputs(tensor("x", "INT32", [2, 3], "[[1,2,3],[4,5,6]]")));
    const flat = await infer(inputs(tensor("x", "INT32", [2, 3], "[1,2,3,4,5,6]")));
    assert.deepEqual(nested.bytes, flat.bytes);
    assert.ok(flat.bytes.toString().includes('"shape":[2,3],"data":[1,2,3,4,5,6]'));
    const deep = (depth: number) => inputs(tensor("x", "INT32", [1, 1], "[".repeat(depth) + 1 + "]".repeat(depth)));
    await infer(deep(100));
    await refuses(deep(101), /^input "x": data has more than 100 levels/);
    await refuses(deep(100_000), /^input "x": data has more than 100 levels/);
  });

  it("may have null for what may be left out", async () => {
    const { infer, calls, refuses } = await rest({ x: { type: "FP32", shape: ["n"] } });
    const given = `"name":"x","datatype":"FP32","shape":[1]`;
    const request = (input: string, more: string) => `{"id":null,"parameters":null,${more},"inputs":[{${input}}]}`;
    const nothing = `{"binary_data_output":null,"timeout":null,"priority":null}`;
    for (const body of [
      request(`${given},"data":[5],"parameters":null`, `"outputs":null`),
      request(`${given},"parameters":{"binary_data_size":null,"shared_memory_region":null},"data":[5]`, `"outputs":[]`),
      request(
        `"data":[5],${given}`,
        `"outputs":[{"name":"x.out","parameters":{"binary_data":null,"classification":null,"shared_memory_region":null}}]`,
      ),
      `{"parameters":${nothing},"inputs":[{${given},"data":[5]}]}`,
    ]) {
      const { bytes } = await infer(body);
      assert.deepEqual(JSON.parse(bytes.toString()).outputs[0].data, [5]);
      assert.ok(!bytes.toString().includes('"id"'));
      assert.equal(calls.at(-1)?.deadline, undefined);
    }
    const binary = request(`${given},"data":null,"parameters":{"binary_data_size":4}`, `"outputs":null`);
    await infer(binary, bytesOf(Float32Array.of(5)));
    await refuses(request(`${given},"data":null`, `"outputs":null`), /input "x": data must be an array/);
    await refuses(request(`${given},"data":[null]`, `"outputs":null`), /input "x"/);
    await refuses(`{"inputs":null}`, /inputs/);
    await refuses(`{"inputs":[{"name":"x","datatype":null,"shape":[1],"data":[5]}]}`, /input "x": datatype/);
  });
  it("has no special keys", async () => {
    const { infer, refuses } = await rest({ x: { type: "INT32", shape: [1] } });
    const good = tensor("x", "INT32", [1], "[7]");
    const answer = await infer(
      `{"__proto__":{"id":"evil"},"constructor":1,"inputs":[${good}],"parameters":{"__proto__":{}}}`,
    );
    assert.ok(!answer.bytes.toString().includes("evil"));
    assert.equal(Object.hasOwn(Object.prototype, "id"), false);
    await refuses(inputs(tensor("__proto__", "INT32", [1], "[7]")), /^input "__proto__" is unknown/);
    const odd = await rest({ constructor: { type: "INT32" as const, shape: [1] } });
    assert.ok((await odd.infer(inputs(tensor("constructor", "INT32", [1], "[7]")))).bytes.includes('"data":[7]'));
  });

  it("must be JSON and have the request's fields", async () => {
    const { refuses } = await rest({ x: { type: "INT32", shape: [1] } });
    await refuses("", /not JSON/);
    await refuses("{", /not JSON: .* at the end/);
    await refuses("\u0000\u0001", /not JSON/);
    await refuses("[]", /the request's JSON: /);
    await refuses("{}", /the request's inputs: /);
    await refuses('{"inputs":{}}', /the request's inputs: /);
    await refuses('{"inputs":[{}]}', /the request's inputs\[0\]\.name: /);
    await refuses(`{"id":"${"i".repeat(1025)}","inputs":[]}`, /the request's id: /);
    await refuses(inputs(...Array(1025).fill(tensor("x", "INT32", [1], "[1]"))), /the request's inputs: /);
    await refuses('{"id":7,"inputs":[]}', /the request's id: /);
    await refuses('{"inputs":[{"name":"x","datatype":"INT32","shape":[1]}]}', /^input "x": data must be an array/);
  });
});

describe("names, shapes and types", () => {
  const two = () => rest({ a: { type: "INT32", shape: ["n"] }, b: { type: "FP32", shape: [2, "n"] } });
  const a = tensor("a", "INT32", [1], "[1]");
  const b = tensor("b", "FP32", [2, 1], "[1,2]");

  it("echoes the id, and gives the outputs that were asked for in their order", async () => {
    const { infer } = await two();
    const all = JSON.parse((await infer(`{"id":"\u00fc\\"1","inputs":[${b},${a}]}`)).bytes.toString());
    assert.equal(all.id, '\u00fc"1');
    assert.deepEqual(
      all.outputs.map(({ name }: { name: string }) => name),
      ["a.out", "b.out"],
    );
    const some = (outputs: string) => infer(`{"inputs":[${a},${b}],"outputs":[${outputs}]}`);
    const one = JSON.parse((await some('{"name":"b.out"}')).bytes.toString());
    assert.deepEqual(one.outputs, [{ name: "b.out", datatype: "FP32", shape: [2, 1], data: [1, 2] }]);
    assert.equal("id" in one, false);
    const mixed = await some('{"name":"b.out","parameters":{"binary_data":true}},{"name":"a.out"}');
    const at = Number(mixed.headers["inference-header-content-length"]);
    const head = JSON.parse(mixed.bytes.subarray(0, at).toString());
    assert.deepEqual(
      head.outputs.map(({ name }: { name: string }) => name),
      ["b.out", "a.out"],
    );
    assert.deepEqual(mixed.bytes.subarray(at), Buffer.from(Float32Array.of(1, 2).buffer));
  });

  it("refuses what does not fit the model, naming the tensor", async () => {
    const { refuses } = await two();
    const output = (list: string) => `{"inputs":[${a},${b}],"outputs":${list}}`;
    await refuses(inputs(a, b, tensor("c", "INT32", [1], "[1]")), /^input "c" is unknown; .*"a", "b"/);
    await refuses(inputs(a), /^input "b" is missing/);
    await refuses(inputs(), /^input "a", "b" is missing/);
    await refuses(inputs(a, b, a), /^input "a" is given twice/);
    await refuses(output('[{"name":"c"}]'), /^output "c" is unknown; .*"a.out", "b.out"/);
    await refuses(output('[{"name":"a.out"},{"name":"a.out"}]'), /^output "a.out" is requested twice/);
    await refuses(output('[{"name":"a.out","parameters":{"binary_data":1}}]'), /^output "a.out": .*binary_data/);
    await refuses(
      inputs(a, tensor("b", "FP64", [2, 1], "[1,2]")),
      /^input "b": datatype is FP64, the model wants FP32/,
    );
    await refuses(inputs(a, tensor("b", "toString", [2, 1], "[1,2]")), /^input "b": datatype is toString/);
    await refuses(inputs(a, tensor("b", "FP32", [3, 1], "[1,2,3]")), /^input "b": shape is \[3,1\], .* \[2,-1\]/);
    await refuses(inputs(a, tensor("b", "FP32", [2], "[1,2]")), /^input "b": shape is \[2\]/);
    await refuses(inputs(a, tensor("b", "FP32", [2, -1], "[1,2]")), /^input "b": shape\[1\]: /);
    await refuses(inputs(a, tensor("b", "FP32", [2, 1e20], "[1,2]")), /^input "b": shape\[1\]: /);
    await refuses(inputs(a, tensor("b", "FP32", [2, 0.5], "[1,2]")), /^input "b": shape\[1\]: /);
    await refuses(inputs(a, tensor("b", "FP32", "2", "[1,2]")), /^input "b": shape: /);
    await refuses(inputs(a, tensor("b", "FP32", [2, 2 ** 52], "[1,2]")), /^input "b": shape .* more elements than/);
    await refuses(inputs(a, tensor("b", "FP32", [2, 2 ** 40], "[1,2]")), /^input "b": its shape wants \d+ elements/);
    await refuses(inputs(a, tensor("b", "FP32", Array(65).fill(1), "[1]")), /^input "b": shape: /);
  });
});

describe("binary bodies", () => {
  const head = (size: unknown, more = "") =>
    `{"inputs":[{"name":"s","datatype":"BYTES","shape":[2],"parameters":{"binary_data_size":${size}}${more}}]}`;
  const strings = (...lengths: number[]) =>
    Buffer.concat(lengths.map((length) => Buffer.concat([bytesOf(Uint32Array.of(length)), Buffer.from("ab")])));

  it("whose lengths lie are refused, naming the tensor", async () => {
    const { refuses, infer } = await rest({ s: { type: "BYTES", shape: ["n"] } });
    assert.ok((await infer(head(12), strings(2, 2))).bytes.includes('"data":["ab","ab"]'));
    await refuses(head(12), /^input "s": string 1 says 3 bytes, 2 are left/, strings(2, 3));
    await refuses(head(12), /^input "s": string 0 says 4294967295 bytes/, strings(4294967295, 2));
    await refuses(head(12), /^input "s": 1 bytes are left over after 2 strings/, strings(2, 1));
    await refuses(head(6), /^input "s": .* 2 strings, the data ends after 1/, strings(2));
    await refuses(head(13), /^input "s": binary_data_size is 13, the body has 12 bytes left/, strings(2, 2));
    await refuses(head(11), /^input "s": string 1 says 2 bytes, 1 are left/, strings(2, 2));
    await refuses(head(12), /the body has 3 bytes after the last binary input/, strings(2, 2), Buffer.from("abc"));
    await refuses(head(-1), /^input "s": binary_data_size must be/, strings(2, 2));
    await refuses(head('"12"'), /^input "s": binary_data_size must be/, strings(2, 2));
    await refuses(head(1e300), /^input "s": binary_data_size must be/, strings(2, 2));
    await refuses(head(12, ',"data":["ab","ab"]'), /^input "s": has both data and binary_data_size/, strings(2, 2));
    await refuses(head(6), /^input "s": string 0 holds a NUL/, bytesOf(Uint8Array.of(1, 0, 0, 0, 0, 0)));
    await refuses(head(5), /^input "s": string 0 is not UTF-8/, bytesOf(Uint8Array.of(1, 0, 0, 0, 0xff)));
  });

  it("with a wrong Inference-Header-Content-Length are refused", async () => {
    const { call } = await rest({ s: { type: "BYTES", shape: ["n"] } });
    const body = Buffer.concat([Buffer.from(head(12)), strings(2, 2)]);
    for (const value of ["-1", String(body.length + 1), "1e2", "0x10", "", "99999999999999999999"]) {
      const sent = call("POST", "/v2/models/m/infer", body, value);
      await assert.rejects(sent, { httpStatus: 400, message: /^Inference-Header-Content-Length/ }, value);
    }
    await assert.rejects(call("POST", "/v2/models/m/infer", body, "5"), { httpStatus: 400, message: /not JSON/ });
    await assert.rejects(call("POST", "/v2/models/m/infer", body), { httpStatus: 400, message: /not JSON/ });
  });

  it("with a BOOL that is neither 0 nor 1 are refused", async () => {
    const { refuses } = await rest({ s: { type: "BOOL", shape: ["n"] } });
    await refuses(head(2).replace("BYTES", "BOOL"), /^input "s": data\[1\] is 2, BOOL/, Uint8Array.of(1, 2));
  });
});

describe("paths and methods", () => {
  it("answer what the protocol says", async () => {
    const { call, explain, state, paths } = await rest({ x: { type: "FP32", shape: ["n", 3] } });
    const empty = new Uint8Array(0);
    const get = async (path: string) => JSON.parse((await call("GET", path, empty)).bytes.toString());
    for (const [path, handlers] of paths) {
      if (handlers.GET !== undefined) assert.equal((await call("GET", path, empty)).status, 200, path);
    }
    assert.deepEqual((await get("/v2/models/m/versions/1")).inputs, [{ name: "x", datatype: "FP32", shape: [-1, 3] }]);
    const [stats] = (await get("/v2/models/stats")).model_stats;
    assert.deepEqual([stats.name, stats.last_inference, stats.inference_count, stats.execution_count], ["m", 7, 3, 2]);
    assert.deepEqual(stats.batch_stats[0].compute_infer, { count: 1, ns: 4 });

    const index = async (body: string) =>
      JSON.parse((await call("POST", "/v2/repository/index", Buffer.from(body))).bytes.toString());
    assert.deepEqual(await index('{"ready":true}'), [{ name: "m", version: "1", state: "READY", reason: "" }]);
    state.ready = false;
    assert.deepEqual(await index('{"ready":true}'), []);
    assert.equal((await index(""))[0].state, "UNAVAILABLE");
    await assert.rejects(index('{"ready":1}'), { message: /ready/ });
    assert.equal((await call("GET", "/v2/health/ready", empty)).status, 503);
    assert.equal((await call("GET", "/v2/health/live", empty)).status, 200);

    assert.equal(explain("/v1/models"), undefined);
    assert.match(explain("/v2/models/other") ?? "", /model "other" is unknown; this server has "m"/);
    assert.match(explain("/v2/models/m/versions/2/ready") ?? "", /version "2" of model "m"/);
    assert.match(explain("/v2/models/m/explain") ?? "", /\/infer/);
  });
});

describe("parameters of a request", () => {
  const body = (parameters: string) =>
    `{"parameters":${parameters},"inputs":[${tensor("x", "FP32", [2, 3], "[0.25,0.5,0.125,NaN,7,8]")}],"outputs":[{"name":"x.out","parameters":{"classification":2}}]}`;

  it("set the deadline and the priority, and a client that goes cancels", async () => {
    const { infer, calls, refuses, call, state } = await rest({ x: { type: "FP32", shape: ["n", 3] } });
    await infer(body('{"timeout":"2500","priority":1}'));
    await infer(body('{"timeout":0}'));
    assert.deepEqual([calls[0]?.deadline, calls[0]?.priority], [1002.5, 1]);
    assert.deepEqual([calls[1]?.deadline, calls[1]?.priority], [undefined, undefined]);
    await refuses(body('{"timeout":-1}'), /parameter timeout/);
    await refuses(body('{"priority":"high"}'), /parameter priority/);
    await call("POST", "/v2/models/m/infer", Buffer.from(body("{}")), undefined, true);
    assert.equal(state.cancelled, 1);
  });

  it("cannot name shared memory", async () => {
    const { infer } = await rest({ x: { type: "FP32", shape: ["n", 3] } });
    const region = '"parameters":{"shared_memory_region":"r"}';
    const input = `{"name":"x","datatype":"FP32","shape":[1,3],${region}}`;
    const output = `${inputs(tensor("x", "FP32", [1, 3], "[1,2,3]")).slice(0, -1)},"outputs":[{"name":"x.out",${region}}]}`;
    for (const request of [inputs(input), output]) {
      await assert.rejects(infer(request), (error) => {
        assert.ok(error instanceof RequestError && error.httpStatus === 501, String(error));
        assert.match(error.message, /put "x(\.out)?": shared memory is not supported/);
        return true;
      });
    }
  });

  it("ask for classes instead of values", async () => {
    const { calls, infer } = await rest({ x: { type: "FP32", shape: ["n", 3] } });
    const [output] = JSON.parse((await infer(body("{}"))).bytes.toString()).outputs;
    assert.deepEqual(output.shape, [2, 2]);
    assert.equal(output.datatype, "BYTES");
    assert.deepEqual(output.data, ["0.500000:1", "0.250000:0", "8.000000:2", "7.000000:1"]);
    assert.deepEqual(calls[0]?.classes, new Map([["x.out", 2]]));
  });
});

describe("a body without JSON", () => {
  it("is the only input's bytes, and so is the answer", async () => {
    const { call } = await rest({ x: { type: "FP32", shape: ["n", 2] } });
    const data = bytesOf(Float32Array.of(1, 2, 3, 4));
    const answer = await call("POST", "/v2/models/m/infer", data, "0");
    const at = Number(answer.headers["inference-header-content-length"]);
    assert.deepEqual(JSON.parse(answer.bytes.subarray(0, at).toString()).outputs[0].shape, [2, 2]);
    assert.deepEqual(answer.bytes.subarray(at), Buffer.from(data));
    await assert.rejects(call("POST", "/v2/models/m/infer", data.subarray(1), "0"), { message: /wants 8 bytes/ });
    const two = await rest({ x: { type: "FP32", shape: ["n", "k"] } });
    await assert.rejects(two.call("POST", "/v2/models/m/infer", data, "0"), { message: /at most one dimension/ });
  });
});
