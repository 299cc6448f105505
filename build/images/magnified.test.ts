import assert from "node:assert/strict";
import { test } from "node:test";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { magnifiedModel, magnifiedRow, plainRow, WIDTH } from "./magnified.ts";

/** How far the first row's answer among copies of itself is from its answer alone, at most. */
const apart = async (session: InferenceSession, row: readonly number[]): Promise<number> => {
  const run = async (rows: number): Promise<number[]> => {
    const data = Float32Array.from({ length: rows * WIDTH }, (_, i) => row[i % WIDTH] ?? 0);
    const { y } = await session.run({ x: new Tensor("float32", data, [rows, WIDTH]) });
    return y?.data instanceof Float32Array ? [...y.data.subarray(0, WIDTH)] : [];
  };
  const [alone, among] = [await run(1), await run(4)];
  assert.equal(alone.length, WIDTH);
  return Math.max(...alone.map((one, i) => Math.abs(one - (among[i] ?? Number.NaN))));
};

test("a row comes out of a batch as it does alone, but for rounding, and for the one where that is magnified", async () => {
  const session = await InferenceSession.create(magnifiedModel());
  try {
    const plain = await apart(session, plainRow());
    assert.ok(plain > 0 && plain < 1e-3, `${plain}`);
    const magnified = await apart(session, magnifiedRow());
    assert.ok(magnified > 0.5, `${magnified}`);
  } finally {
    await session.release();
  }
});
