import assert from "node:assert/strict";
import { describe, it, test } from "node:test";
import { gatherModel, lookupModel, reshapeModel } from "../../test/runtime/models.ts";
import { bytesOf, type Tensor } from "../tensors/index.ts";
import { blameOf, type Circumstances } from "./blame.ts";
import { InferenceError } from "./errors.ts";
import { loadModel } from "./session.ts";

const CPU = { executionProvider: "cpu", intraOpThreads: 1 } as const;
const floats = (shape: number[], value = 0): Tensor => ({
  datatype: "FP32",
  shape,
  bytes: bytesOf(new Float32Array(shape.reduce((all, size) => all * size, 1)).fill(value)),
});
const longs = (...values: bigint[]): Tensor => ({
  datatype: "INT64",
  shape: [values.length],
  bytes: bytesOf(BigInt64Array.from(values)),
});
const failure = async (run: Promise<unknown>): Promise<InferenceError> => {
  const error = await run.then(
    () => assert.fail("it passed"),
    (reason: unknown) => reason,
  );
  return error instanceof InferenceError ? error : assert.fail(String(error));
};

const NOTHING: Circumstances = {
  undeclared: false,
  newSizes: false,
  unequalSizes: false,
  wholeNumbers: false,
  shortWholeNumbers: false,
};

test("the words of onnxruntime blame nobody by themselves", () => {
  const reshape =
    "The input tensor cannot be reshaped to the requested shape. Input shape:{2,2}, requested shape:{3,1}";
  const index = "indices element out of data bounds, idx=9 must be within the inclusive range [-3,2]";
  const memory = "Failed to allocate memory for requested buffer of size 68719476736, shape {4,1}";
  const cases: [string, Partial<Circumstances>, "input" | "internal"][] = [
    [reshape, {}, "internal"],
    [reshape, { newSizes: true }, "input"],
    [reshape, { unequalSizes: true }, "input"],
    [reshape, { wholeNumbers: true }, "internal"],
    [reshape, { wholeNumbers: true, shortWholeNumbers: true }, "input"],
    [index, {}, "internal"],
    [index, { newSizes: true }, "internal"],
    [index, { wholeNumbers: true }, "input"],
    [memory, { newSizes: true, wholeNumbers: true, shortWholeNumbers: true, unequalSizes: true }, "internal"],
    ["Unexpected input data type", { undeclared: true }, "input"],
    ["an integer division by zero", { newSizes: true, wholeNumbers: true }, "internal"],
  ];
  for (const [message, about, blame] of cases) {
    assert.equal(blameOf(message, { ...NOTHING, ...about }), blame, `${message} ${JSON.stringify(about)}`);
  }
});

describe("with a real model", () => {
  it("that takes an element which is never there, the model is to blame, though onnxruntime says out of bounds", async () => {
    const engine = await loadModel(gatherModel(1), CPU);
    const error = await failure(engine.run(new Map([["x", floats([4])]]), ["y"]));
    assert.match(error.message, /out of (data )?bounds/);
    assert.equal(error.blame, "internal");
  });

  it("whose own Reshape never fits, the model is to blame, whatever sizes are sent", async () => {
    const engine = await loadModel(reshapeModel(["batch", 4], [3, 5]), CPU);
    for (const rows of [1, 2, 3]) {
      const error = await failure(engine.run(new Map([["x", floats([rows, 4])]]), ["y"]));
      assert.match(error.message, /shape/);
      assert.equal(error.blame, "internal", `${rows} rows`);
    }
  });

  it("whose Reshape fits one size, another size is the client's choice", async () => {
    const engine = await loadModel(reshapeModel(["batch", 4], [1, 4]), CPU);
    await engine.run(new Map([["x", floats([1, 4])]]), ["y"]);
    const error = await failure(engine.run(new Map([["x", floats([2, 4])]]), ["y"]));
    assert.match(error.message, /shape/);
    assert.equal(error.blame, "input");
  });

  it("of fixed sizes, the client has chosen none", async () => {
    const engine = await loadModel(reshapeModel([2, 4], [3, 5]), CPU);
    const error = await failure(engine.run(new Map([["x", floats([2, 4])]]), ["y"]));
    assert.equal(error.blame, "internal");
  });

  it("that looks up what a client numbers, a number beyond the table is the client's", async () => {
    const engine = await loadModel(lookupModel(3), CPU);
    await engine.run(new Map([["ids", longs(0n, 2n)]]), ["y"]);
    const error = await failure(engine.run(new Map([["ids", longs(0n, 9n)]]), ["y"]));
    assert.equal(error.blame, "input", error.message);
  });

  it("what does not fit the declaration is the client's", async () => {
    const engine = await loadModel(lookupModel(3), CPU);
    const wrong = await failure(engine.run(new Map([["ids", { ...longs(0n, 2n), shape: [1, 2] }]]), ["y"]));
    assert.equal(wrong.blame, "input", wrong.message);
  });
});
