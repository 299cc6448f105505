import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { RequestError } from "../../errors/request-error.ts";
import type { InferenceCall, Model, Service } from "../../inference/index.ts";
import { bytesOf, type Datatype, elements, type Tensor, type TensorInfo } from "../../tensors/index.ts";
import { encodeStrings, splitStrings } from "../../tensors/strings.ts";
import type { HttpRequest } from "../../transport/http/types.ts";
import { createRoutes } from "./rest.ts";

const info = (name: string, datatype: Datatype, shape: (number | null)[]): TensorInfo => ({
  name,
  datatype,
  shape,
  symbols: shape.map(() => null),
});
const floats = (shape: number[], ...values: number[]): Tensor => ({
  datatype: "FP32",
  shape,
  bytes: bytesOf(Float32Array.from(values)),
});
const strings = (shape: number[], ...values: (string | Uint8Array)[]): Tensor => ({
  datatype: "BYTES",
  shape,
  bytes: encodeStrings(values),
});

type Outputs = Record<string, Tensor>;
type World = { calls: InferenceCall[]; cancelled: number; ready: boolean };
const serverOf = (
  inputs: TensorInfo[],
  outputs: TensorInfo[],
  answer: (call: InferenceCall) => Outputs,
  name = "m",
) => {
  const world: World = { calls: [], cancelled: 0, ready: true };
  const model: Model = { name, version: "3", inputs, outputs };
  const service: Service = {
    model,
    serverVersion: "0",
    ready: () => world.ready,
    infer(call) {
      world.calls.push(call);
      const result = Promise.resolve(new Map(Object.entries(answer(call))));
      return { result, cancel: () => void world.cancelled++ };
    },
    statistics: () => {
      throw new Error("not asked for");
    },
  };
  const routes = createRoutes(service);
  const send = async (method: "GET" | "POST", path: string, body: string | Uint8Array = "") => {
    const handle = routes.paths.get(path)?.[method];
    assert.ok(handle, `${method} ${path}`);
    const bytes = Buffer.from(body);
    const request: HttpRequest = { method, path, query: "", header: () => undefined, body: bytes, onGone: undefined };
    const { status, parts } = await handle(request);
    assert.equal(status, 200);
    return { text: Buffer.concat(parts.map((part) => Buffer.from(part))).toString(), request };
  };
  const post = async (verb: string, body: string) => (await send("POST", `/v1/models/${name}:${verb}`, body)).text;
  const fails = (verb: string, body: string, message: RegExp) =>
    assert.rejects(post(verb, body), (error: unknown) => {
      assert.ok(error instanceof RequestError, String(error));
      assert.equal(error.httpStatus, 400);
      assert.match(error.message, message);
      return true;
    });
  return { world, routes, send, post, fails };
};
const rowsOf = ({ inputs }: InferenceCall): number => [...inputs.values()][0]?.shape[0] ?? 0;
const input = (world: World, name: string): unknown[] => {
  const tensor = world.calls.at(-1)?.inputs.get(name);
  assert.ok(tensor);
  const values =
    tensor.datatype === "BYTES"
      ? (
          splitStrings(
            tensor.bytes,
            tensor.shape.reduce((product, size) => product * size, 1),
          ) ?? []
        ).map(String)
      : Array.from<unknown>(elements(tensor.datatype, tensor.bytes));
  return [tensor.shape, values];
};

const single = () =>
  serverOf([info("x", "FP32", [null, 2])], [info("y", "FP32", [null, 2])], ({ inputs }) => {
    const x = inputs.get("x");
    return x === undefined ? {} : { y: x };
  });
const pair = () =>
  serverOf(
    [info("a", "FP32", [null]), info("s", "BYTES", [null, 1])],
    [info("y", "INT64", [null]), info("t_bytes", "BYTES", [null])],
    ({ inputs }) => {
      const n = inputs.get("a")?.shape[0] ?? 0;
      const numbers = BigInt64Array.from({ length: n }, (_, i) => 2n ** 60n + BigInt(i));
      return {
        y: { datatype: "INT64", shape: [n], bytes: bytesOf(numbers) },
        t_bytes: strings([n], ...Array.from({ length: n }, (_, i) => Buffer.of(0xff, i))),
      };
    },
  );

describe("predict with one input and output", () => {
  test("rows: values, or objects of one name", async () => {
    const { world, post } = single();
    for (const rows of ["[[1,2],[3,4.5]]", '[{"x":[1,2]},{"x":[3,4.5]}]']) {
      assert.deepEqual(JSON.parse(await post("predict", `{"instances":${rows}}`)), {
        predictions: [
          [1, 2],
          [3, 4.5],
        ],
      });
      assert.deepEqual(input(world, "x"), [
        [2, 2],
        [1, 2, 3, 4.5],
      ]);
    }
  });
  test("columns: the tensor, or an object of one name", async () => {
    const { world, post } = single();
    for (const column of ["[[1,2],[3,4.5]]", '{"x":[[1,2],[3,4.5]]}']) {
      const body = `{"signature_name":"serving_default","inputs":${column}}`;
      assert.deepEqual(JSON.parse(await post("predict", body)), {
        outputs: [
          [1, 2],
          [3, 4.5],
        ],
      });
      assert.deepEqual(input(world, "x"), [
        [2, 2],
        [1, 2, 3, 4.5],
      ]);
    }
  });
  test("NaN and infinities go in and come out", async () => {
    const { post } = single();
    assert.match(
      await post("predict", '{"instances":[[NaN,-Infinity]]}'),
      /^\{"predictions":\s*\[\[NaN,\s*-Infinity\]\]\}$/,
    );
  });
  test("what is wrong is named", async () => {
    const { fails } = single();
    await fails("predict", "[]", /must be a JSON object/);
    await fails("predict", "{}", /exactly one of "instances".*"inputs"/);
    await fails("predict", '{"instances":[[1,2]],"inputs":[[1,2]]}', /exactly one/);
    await fails("predict", '{"instances":[]}', /"instances" is empty/);
    await fails("predict", '{"instances":5}', /"instances" must be a list/);
    await fails("predict", '{"instances":{"x":[1,2]}}', /"instances" must be a list/);
    await fails("predict", '{"instances":[[1,2],{"x":[1,2]}]}', /instance 1 is an object, unlike instance 0/);
    await fails("predict", '{"instances":[{"x":[1,2]},[1,2]]}', /instance 1 is no object, unlike instance 0/);
    await fails("predict", '{"instances":[{"x":[1,2]},{"x":[1]}]}', /instance 1, input "x": shape is \[1\].*\[2\]/);
    await fails("predict", '{"instances":[{"x":[1,2],"z":1}]}', /input "z" is unknown.*"x"/);
    await fails("predict", '{"instances":[{}]}', /instance 0: input "x" is missing/);
    await fails("predict", '{"instances":[[1,2,3]]}', /input "x": shape is \[1,3\].*\[-1,2\]/);
    await fails("predict", '{"instances":[[1,"2"]]}', /input "x"/);
    await fails("predict", '{"instances":[[1,2]],"signature_name":"other"}', /"other" is unknown.*"serving_default"/);
    await fails("predict", '{"instances":[[1,2]],"signature_name":1}', /signature_name must be a string/);
    await fails("predict", '{"inputs":{"y":[[1,2]]}}', /input "y" is unknown/);
  });
  test("the client that has gone cancels", async () => {
    const { world, send } = single();
    const { request } = await send("POST", "/v1/models/m:predict", '{"instances":[[1,2]]}');
    request.onGone?.();
    assert.equal(world.cancelled, 1);
  });
});

describe("predict with several inputs and outputs", () => {
  const row = '{"a":1,"s":["x"]}';
  const b64 = (i: number) => ({ b64: Buffer.of(0xff, i).toString("base64") });
  test("rows are objects both ways; outputs named _bytes are base64, 64-bit numbers exact", async () => {
    const { world, post } = pair();
    const text = await post("predict", `{"instances":[${row},{"s":[{"b64":"w6k="}],"a":2}]}`);
    assert.deepEqual(input(world, "s"), [
      [2, 1],
      ["x", "é"],
    ]);
    assert.match(text, /"y":1152921504606846976,/);
    assert.match(text, /"y":1152921504606846977,/);
    assert.deepEqual(
      JSON.parse(text).predictions.map((one: { t_bytes: unknown }) => one.t_bytes),
      [b64(0), b64(1)],
    );
  });
  test("columns are objects both ways", async () => {
    const { world, post } = pair();
    const text = await post("predict", '{"inputs":{"s":[["x"],["y"]],"a":[1,2]}}');
    assert.deepEqual(input(world, "a"), [[2], [1, 2]]);
    assert.deepEqual(JSON.parse(text).outputs.t_bytes, [b64(0), b64(1)]);
    assert.match(text, /"y":\[1152921504606846976,\s*1152921504606846977\]/);
  });
  test("what is wrong is named", async () => {
    const { fails } = pair();
    await fails("predict", '{"instances":[1]}', /instance 0 must be an object.*"a", "s"/);
    await fails("predict", '{"inputs":[1]}', /"inputs" must be an object.*"a", "s"/);
    await fails("predict", '{"inputs":{"a":[1]}}', /input "s" is missing/);
    await fails("predict", `{"instances":[${row},{"a":1}]}`, /instance 1: input "s" is missing/);
  });
});

test("strings of a single input may be base64 where a value stands", async () => {
  const { world, post, fails } = serverOf([info("s", "BYTES", [null])], [info("y", "FP32", [])], () => ({
    y: floats([], 2.5),
  }));
  assert.deepEqual(JSON.parse(await post("predict", '{"inputs":["a",{"b64":"w6k="}]}')), { outputs: 2.5 });
  assert.deepEqual(input(world, "s"), [[2], ["a", "é"]]);
  await fails("predict", '{"instances":["a",{"b64":"w6k="}]}', /output "y" has no batch dimension.*"inputs"/);
});

test("rows of base64 objects for a single input", async () => {
  const { world, post, fails } = serverOf([info("s", "BYTES", [null])], [info("y", "FP32", [null])], (call) => ({
    y: floats([rowsOf(call)], ...[1, 2].slice(0, rowsOf(call))),
  }));
  await post("predict", '{"instances":[{"b64":"w6k="},{"b64":"YQ=="}]}');
  assert.deepEqual(input(world, "s"), [[2], ["é", "a"]]);
  await post("predict", '{"instances":["b",{"b64":"YQ=="}]}');
  assert.deepEqual(input(world, "s"), [[2], ["b", "a"]]);
  await fails("predict", '{"instances":[{"b64":"%"}]}', /instance 0: b64 is not base64/);
});

test("a model without a batch dimension takes columns", async () => {
  const { post, fails, world } = serverOf([info("x", "INT32", [])], [info("y", "FP32", [2])], () => ({
    y: floats([2], 1, 2),
  }));
  assert.deepEqual(JSON.parse(await post("predict", '{"inputs":7}')), { outputs: [1, 2] });
  assert.deepEqual(input(world, "x"), [[], [7]]);
  await fails("predict", '{"instances":[7]}', /input "x" has no batch dimension.*"inputs"/);
  await fails("predict", '{"inputs":7.5}', /input "x"/);
});

test("outputs of unequal rows are no predictions", async () => {
  const outputs = { y: floats([1], 1), z: floats([2], 1, 2) };
  const { fails } = serverOf(
    [info("x", "FP32", [null])],
    [info("y", "FP32", [null]), info("z", "FP32", [null])],
    () => outputs,
  );
  await fails("predict", '{"instances":[1]}', /output "z" has the shape \[2\] for 1 row:.*send "inputs"/);
});

describe("classify and regress", () => {
  const scorer = () =>
    serverOf(
      [info("x", "FP32", [null, 2]), info("n", "INT32", [null])],
      [info("scores", "FP32", [null, 2]), info("classes", "BYTES", [null, 2]), info("v", "FP32", [null, 1])],
      (call) => {
        const n = rowsOf(call);
        return {
          scores: floats([n, 2], ...[0.1, 0.9, Number.NaN, 1].slice(0, 2 * n)),
          classes: strings([n, 2], ...["no", "yes", 'n"o', "yes"].slice(0, 2 * n)),
          v: floats([n, 1], ...[0.5, 2].slice(0, n)),
        };
      },
    );
  const body = '{"context":{"n":4,"unused":"z"},"examples":[{"x":[1,2]},{"x":[3,4],"n":[5]}]}';
  test("examples are rows, the context fills what they lack", async () => {
    const { world, post } = scorer();
    assert.equal(
      (await post("classify", body)).replaceAll(/\s|\.0\b/g, ""),
      '{"results":[[["no",0.1],["yes",0.9]],[["n\\"o",NaN],["yes",1]]]}',
    );
    assert.deepEqual(input(world, "x"), [
      [2, 2],
      [1, 2, 3, 4],
    ]);
    assert.deepEqual(input(world, "n"), [[2], [4, 5]]);
    assert.deepEqual(world.calls[0]?.outputs, ["scores", "classes"]);
    assert.deepEqual(JSON.parse(await post("regress", body)), { results: [0.5, 2] });
    assert.deepEqual(world.calls.at(-1)?.outputs, ["v"]);
  });
  test("what is wrong is named", async () => {
    const { fails } = serverOf(
      [info("x", "FP32", [null, 2]), info("n", "INT32", [null])],
      [info("scores", "FP32", [null, 2])],
      () => ({ scores: floats([2, 2], 1, 2, 3, 4) }),
    );
    await fails("classify", '{"examples":[]}', /no examples/);
    await fails("classify", "{}", /"examples" must be a list/);
    await fails("classify", '{"examples":[1]}', /example 0 must be an object/);
    await fails("classify", '{"examples":[{"n":1}]}', /example 0: feature "x" is missing/);
    await fails("classify", '{"examples":[{"n":1,"x":[[1,2]]}]}', /example 0: feature "x" is nested/);
    await fails(
      "classify",
      '{"examples":[{"n":1,"x":[1,2]}]}',
      /output "scores" has the shape \[2,2\] for 1 row:.*with predict/,
    );
    await pair().fails("regress", '{"examples":[]}', /cannot regress.*"outputs".*"y", "t_bytes"/);
  });
});

test("null stands for what may be left out", async () => {
  const { post, fails } = single();
  const answer = { predictions: [[1, 2]] };
  for (const more of ['"signature_name":null', '"inputs":null', '"parameters":null']) {
    assert.deepEqual(JSON.parse(await post("predict", `{${more},"instances":[[1,2]]}`)), answer);
  }
  assert.deepEqual(JSON.parse(await post("predict", '{"instances":null,"inputs":[[1,2]]}')), { outputs: [[1, 2]] });
  await fails("predict", '{"instances":null,"inputs":null}', /exactly one/);
  await fails("predict", '{"instances":[null]}', /input "x"/);
  await fails("predict", '{"instances":[{"x":null}]}', /instance 0: input "x" is missing/);
  await fails("predict", '{"inputs":{"x":null}}', /input "x" is missing/);
  await fails("predict", '{"instances":[[1,null]]}', /input "x"/);
  const scorer = serverOf([info("x", "FP32", [null])], [info("y", "FP32", [null])], ({ inputs }) => ({
    y: inputs.get("x") ?? floats([0]),
  }));
  const body = '{"signature_name":null,"context":null,"examples":[{"x":1,"z":null}]}';
  assert.deepEqual(JSON.parse(await scorer.post("regress", body)), { results: [1] });
  await scorer.fails("regress", '{"examples":[{"x":null}]}', /example 0: feature "x" is missing/);
});

test("status, metadata and the list of models, by version and by label", async () => {
  const { world, send, routes } = single();
  const ask = async (path: string) => JSON.parse((await send("GET", path)).text);
  assert.deepEqual(await ask("/v1/models"), { models: ["m"] });
  for (const base of ["/v1/models/m", "/v1/models/m/versions/3", "/v1/models/m/labels/stable"]) {
    assert.deepEqual(await ask(base), {
      model_version_status: [{ version: "3", state: "AVAILABLE", status: { error_code: "OK", error_message: "" } }],
      name: "m",
      ready: true,
    });
    const { metadata, model_spec } = await ask(`${base}/metadata`);
    assert.deepEqual(model_spec, { name: "m", signature_name: "", version: "3" });
    assert.deepEqual(metadata.signature_def.signature_def.serving_default.inputs.x, {
      name: "x",
      dtype: "DT_FLOAT",
      tensor_shape: {
        dim: [
          { size: "-1", name: "" },
          { size: "2", name: "" },
        ],
        unknown_rank: false,
      },
    });
  }
  world.ready = false;
  assert.equal((await ask("/v1/models/m")).ready, false);
  assert.match(routes.explain("/v1/models/other:predict") ?? "", /"other" is unknown.*"m"/);
  assert.match(routes.explain("/v1/models/m/versions/9:predict") ?? "", /version "9".*3/);
  assert.match(routes.explain("/v1/models/m/labels/canary") ?? "", /label "canary".*"stable"/);
  assert.match(routes.explain("/v1/models/m:fly") ?? "", /:predict, :classify and :regress/);
  assert.equal(routes.explain("/v2/models/m"), undefined);
});

test("any rows of numbers are read as any client writes them", async () => {
  const rows = fc.array(fc.tuple(fc.float(), fc.float()), { minLength: 1, maxLength: 5 });
  const write = (value: unknown): string =>
    Array.isArray(value) ? `[${value.map(write).join(", ")}]` : Object.is(value, -0) ? "-0.0" : String(value);
  await fc.assert(
    fc.asyncProperty(rows, fc.boolean(), async (values, named) => {
      const { world, post } = single();
      const texts = values.map((row) => (named ? `{"x": ${write(row)}}` : write(row)));
      await post("predict", `{"instances": [${texts.join(",")}]}`);
      assert.deepEqual(input(world, "x"), [[values.length, 2], values.flat()]);
    }),
    { seed: 4 },
  );
});

test("any JSON is answered or refused with a RequestError", async () => {
  const { post } = pair();
  const key = fc.constantFrom("instances", "inputs", "examples", "context", "a", "s", "b64", "signature_name");
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      fc.constantFrom<unknown>(1, "x", null, true, 1.5),
      fc.array(tie("value"), { maxLength: 3 }),
      fc.dictionary(key, tie("value"), { maxKeys: 3 }),
    ),
  }));
  const body = fc.dictionary(key, value, { maxKeys: 3 });
  await fc.assert(
    fc.asyncProperty(fc.constantFrom("predict", "classify", "regress"), body, async (verb, document) => {
      await post(verb, JSON.stringify(document)).catch((error: unknown) =>
        assert.ok(error instanceof RequestError, String(error)),
      );
    }),
    { seed: 4, numRuns: 1000 },
  );
});
