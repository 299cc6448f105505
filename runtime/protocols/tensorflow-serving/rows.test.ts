import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  askRoutes,
  type Graph,
  intAttribute,
  intsAttribute,
  modelOf,
  serviceOf,
  value,
} from "../../../test/runtime/graphs.ts";
import { createRoutes } from "./rest.ts";

/** A model of one node, asked over TensorFlow Serving's paths. */
const served = async (graph: Graph) => {
  const service = await serviceOf(modelOf(graph));
  const ask = askRoutes(createRoutes(service));
  return {
    calls: service.calls,
    predict: (rows: unknown) => ask("/v1/models/m:predict", JSON.stringify({ instances: rows })),
    ask: (verb: string, body: unknown) => ask(`/v1/models/m:${verb}`, JSON.stringify(body)),
  };
};
const node = (opType: string, attribute: object[] = []) => ({ opType, input: ["x"], output: ["y"], attribute });
const transpose = (shape: (number | string)[]): Graph => ({
  input: [value("x", "FP32", ["n", 2])],
  output: [value("y", "FP32", shape)],
  node: [node("Transpose", [intsAttribute("perm", 1, 0)])],
});

describe("predictions are those of their own instances, or refused", () => {
  const REFUSED = /output "y" has the shape \[.*\] for .* row.*send "inputs"/;

  for (const [declared, shape] of Object.entries({ "[2, n]": [2, "n"], "[a, b]": ["a", "b"], "[?, ?]": ["", ""] })) {
    test(`an output that is the input turned over, declared ${declared}`, async () => {
      for (const count of [1, 2, 3]) {
        const { predict } = await served(transpose(shape));
        await assert.rejects(predict(Array.from({ length: count }, (_, i) => [i, i + 1])), { message: REFUSED });
      }
    });
  }

  test("an output of several targets, [targets, n, classes]", async () => {
    const graph: Graph = {
      input: [value("x", "FP32", ["n", 3])],
      output: [value("y", "FP32", [2, "n", 3]), value("label", "FP32", ["n", 3])],
      node: [
        { opType: "Unsqueeze", input: ["x", "first"], output: ["one"] },
        { opType: "Concat", input: ["one", "one"], output: ["y"], attribute: [intAttribute("axis", 0)] },
        { opType: "Identity", input: ["x"], output: ["label"] },
      ],
      initializer: [{ name: "first", dataType: 7, dims: [1], int64Data: [0] }],
    };
    const { predict, ask } = await served(graph);
    const rows = [
      [1, 2, 3],
      [4, 5, 6],
    ];
    await assert.rejects(predict(rows), { message: REFUSED });
    assert.deepEqual(await ask("predict", { inputs: rows }), { outputs: { y: [rows, rows], label: rows } });
  });

  test("a table that is the same for all", async () => {
    const { predict } = await served({
      input: [value("x", "FP32", ["n", 2])],
      output: [value("y", "FP32", [3]), value("z", "FP32", ["n", 2])],
      node: [
        { opType: "Identity", input: ["table"], output: ["y"] },
        { opType: "Identity", input: ["x"], output: ["z"] },
      ],
      initializer: [{ name: "table", dataType: 1, dims: [3], floatData: [1, 2, 3] }],
    });
    for (const count of [1, 2, 3, 4]) {
      await assert.rejects(predict(Array.from({ length: count }, () => [1, 2])), { message: REFUSED });
    }
  });

  test("a fixed first dimension of an input is no batch, unless it is 1", async () => {
    const square = (size: number): Graph => ({
      ...transpose([2, size]),
      input: [value("x", "FP32", [size, 2])],
    });
    const { predict } = await served(square(2));
    await assert.rejects(predict([[1, 2], [3, 4]]), { message: /input "x" has always 2 rows.*send "inputs"/ }); // biome-ignore format: one matrix
    const one = await served({
      input: [value("x", "FP32", [1, 2])],
      output: [value("y", "FP32", [1, 2])],
      node: [node("Relu")],
    });
    assert.deepEqual(await one.predict([[1, 2]]), { predictions: [[1, 2]] });
  });

  test("an output that is as long as the rows are, and was seen for rows of length 1", async () => {
    const { predict, calls } = await served({
      input: [value("x", "FP32", ["n", "length"])],
      output: [value("y", "FP32", ["a", "b"]), value("z", "FP32", ["n", "length"])],
      node: [
        { opType: "Transpose", input: ["x"], output: ["y"] },
        { opType: "Identity", input: ["x"], output: ["z"] },
      ],
    });
    assert.deepEqual(await predict([[1]]), { predictions: [{ y: [1], z: [1] }] });
    await assert.rejects(predict([[1], [2]]), { message: REFUSED });
    for (let i = 0; i < 2; i++) await assert.rejects(predict([[1, 2], [3, 4]]), { message: REFUSED }); // biome-ignore format: one matrix
    assert.equal(calls.length, 4, "once for each shape");
  });

  test("scores of examples", async () => {
    const { ask } = await served(transpose([2, "n"]));
    const examples = [{ x: [1, 2] }, { x: [3, 4] }];
    await assert.rejects(ask("classify", { examples }), { message: /output "y".*with predict/ });
    const values = await served({
      input: [value("x", "FP32", ["n", 2])],
      output: [value("y", "FP32", [2])],
      node: [node("ReduceMean", [intsAttribute("axes", 0), intAttribute("keepdims", 0)])],
    });
    await assert.rejects(values.ask("regress", { examples }), { message: /output "y".*with predict/ });
  });
});

test("rows are answered as they are, and one is asked for alone only once", async () => {
  // declared as onnxmltools declares LightGBM's label: [1], whatever it gives
  const { predict, calls } = await served({
    input: [value("x", "FP32", ["n", 2])],
    output: [value("y", "INT64", [1])],
    node: [node("ArgMax", [intAttribute("axis", 1), intAttribute("keepdims", 0)])],
  });
  assert.deepEqual(await predict([[1, 2]]), { predictions: [1] });
  assert.equal(calls.length, 1);
  for (let i = 0; i < 3; i++) {
    assert.deepEqual(await predict([[1, 2], [4, 3], [5, 6]]), { predictions: [1, 0, 1] }); // biome-ignore format: one matrix
  }
  assert.equal(calls.length, 5);
});

test("columns of one value tell how they are written", async () => {
  const { predict, ask } = await served({
    input: [value("age", "FP32", ["n", 1]), value("name", "BYTES", ["n", 1])],
    output: [value("y", "FP32", ["n", 1]), value("z", "BYTES", ["n", 1])],
    node: [
      { opType: "Identity", input: ["age"], output: ["y"] },
      { opType: "Identity", input: ["name"], output: ["z"] },
    ],
  });
  await assert.rejects(predict([{ age: 20, name: ["a"] }]), { message: /input "age".*: \[20\] instead of 20$/ });
  await assert.rejects(predict([{ age: [20], name: "é" }]), { message: /input "name".*: \["é"\] instead of "é"$/ });
  await assert.rejects(ask("predict", { inputs: { age: [20, 30], name: [["a"], ["b"]] } }), {
    message: /input "age": shape is \[2\].*: \[20\] instead of 20$/,
  });
  assert.deepEqual(await predict([{ age: [20], name: ["a"] }]), { predictions: [{ y: [20], z: ["a"] }] });
});
