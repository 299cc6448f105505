import assert from "node:assert/strict";
import { test } from "node:test";
import type { TensorInfo } from "../../tensors/index.ts";
import { batchCandidates } from "./axis.ts";

/** Strings are named open dimensions, null is an anonymous one. */
const info = (name: string, ...dimensions: (string | number | null)[]): TensorInfo => ({
  name,
  datatype: "FP32",
  shape: dimensions.map((one) => (typeof one === "number" ? one : null)),
  symbols: dimensions.map((one) => (typeof one === "string" ? one : null)),
});

const found = (inputs: TensorInfo[], outputs: TensorInfo[]) => {
  const result = batchCandidates(inputs, outputs);
  return "candidates" in result ? result.candidates : assert.fail(result.reason);
};

test("the batch goes before the sequence, whichever comes first", () => {
  const [first, second] = found(
    [info("ids", "seq", "batch"), info("mask", "seq", "batch")],
    [info("y", "seq", "batch", 384)],
  );
  assert.deepEqual(first, { name: "batch", inputs: [1, 1], outputs: [[1]] });
  assert.deepEqual(second, { name: "seq", inputs: [0, 0], outputs: [[0]] });
});

test("each tensor has an axis of its own, and an input without it is shared (silero)", () => {
  const [first] = found(
    [info("input", "batch", "length"), info("state", 2, "batch", 128), info("sr")],
    [info("output", "batch", 1), info("stateN", null, null, null)],
  );
  assert.deepEqual(first, { name: "batch", inputs: [0, 1, undefined], outputs: [[0], [0, 1, 2]] });
});

test("names that differ in every tensor leave the first dimension, and what outputs may be (PaddleOCR)", () => {
  const candidates = found([info("x", "d0", 3, 48, "d1")], [info("y", "d2", "d3", 6625)]);
  assert.deepEqual(candidates[0], { name: "d0", inputs: [0], outputs: [[0, 1]] });
});

test("dimensions without names: the first", () => {
  assert.deepEqual(found([info("x", null, 4), info("k", 1)], [info("y", null, 2)]), [
    { name: "the first dimension", inputs: [0, undefined], outputs: [[0]] },
  ]);
});

test("a name that occurs twice in one tensor is no batch (a square of N by N)", () => {
  const result = batchCandidates([info("x", 1, "N", "N")], [info("y", 1, "N", "N")]);
  assert.match("reason" in result ? result.reason : "", /no open dimension occurs once/);
});

test("why there is none names the tensor", () => {
  const fixed = batchCandidates([info("x", 1, 3)], [info("y", null)]);
  assert.match("reason" in fixed ? fixed.reason : "", /inputs have no open dimension: "x" \[1, 3\]/);
  const scalar = batchCandidates([info("x", "batch", 3)], [info("y", "batch"), info("mean")]);
  assert.match("reason" in scalar ? scalar.reason : "", /output "mean" is always \[\]/);
});
