import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { LOOKUPS, lookupModel } from "./lookup.ts";

const answers = async (name: string, x: number): Promise<{ y: number; dims: readonly number[] }> => {
  const session = await InferenceSession.create(lookupModel(LOOKUPS[name] ?? { table: [] }));
  try {
    const { y } = await session.run({ x: new Tensor("float32", [x], [1]) });
    return { y: Number(y?.data[0]), dims: y?.dims ?? [] };
  } finally {
    await session.release();
  }
};

describe("the models that differ in one thing", () => {
  it("answer with twice x and one, but for the wrong one", async () => {
    for (const name of Object.keys(LOOKUPS)) {
      assert.equal((await answers(name, 5)).y, 11, name);
      assert.equal((await answers(name, 8)).y, name === "lookup-wrong.onnx" ? 18 : 17, name);
    }
    assert.deepEqual((await answers("lookup-nan.onnx", 13)).y, Number.NaN);
    assert.deepEqual((await answers("lookup-shape.onnx", 5)).dims, [1, 1]);
  });

  it("fail where they are to, and as no fault of the input", async () => {
    assert.equal((await answers("lookup-failing.onnx", 18)).y, 37);
    await assert.rejects(answers("lookup-failing.onnx", 19), /sequence index/i);
    assert.equal((await answers("lookup-again.onnx", 31)).y, 63);
  });
});
