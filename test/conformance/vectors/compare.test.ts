import assert from "node:assert/strict";
import { test } from "node:test";
import { bytesOf, type Tensor } from "../../../runtime/tensors/index.ts";
import { encodeStrings } from "../../../runtime/tensors/strings.ts";
import { difference } from "./compare.ts";
import { select } from "./run.ts";

const floats = (...values: number[]): Tensor => ({
  datatype: "FP32",
  shape: [values.length],
  bytes: bytesOf(Float32Array.from(values)),
});
const halves = (...bits: number[]): Tensor => ({
  datatype: "FP16",
  shape: [bits.length],
  bytes: bytesOf(Uint16Array.from(bits)),
});
const texts = (...values: string[]): Tensor => ({
  datatype: "BYTES",
  shape: [values.length],
  bytes: encodeStrings(values),
});

test("values within ONNX's tolerance are the same, others are named", () => {
  assert.equal(
    difference(floats(1, Number.NaN, Number.POSITIVE_INFINITY), floats(1.0005, Number.NaN, Number.POSITIVE_INFINITY)),
    undefined,
  );
  assert.equal(difference(floats(0), floats(-0)), undefined);
  assert.match(difference(floats(1, 1.002), floats(1, 1)) ?? "", /^has 1\.00\d+ at 1, not 1$/);
  for (const odd of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
    assert.match(difference(floats(odd), floats(1)) ?? "", /at 0/);
    assert.match(difference(floats(1), floats(odd)) ?? "", /at 0/);
  }
  // 1 and the next half, which is 0.1 % larger; 2; NaN; the smallest
  assert.equal(difference(halves(0x3c00, 0x7e00, 0x0001), halves(0x3c01, 0x7e00, 0x0001)), undefined);
  assert.match(difference(halves(0x3c00), halves(0x4000)) ?? "", /has 1 at 0, not 2/);
  assert.equal(difference(texts("grün", ""), texts("grün", "")), undefined);
  assert.match(difference(texts("a"), texts("b")) ?? "", /has a at 0, not b/);
});

test("another type or shape is a difference though the bytes agree, and so is nothing", () => {
  assert.match(difference({ ...floats(1), datatype: "INT32" }, floats(1)) ?? "", /is INT32, not FP32/);
  assert.match(difference({ ...floats(1), shape: [1, 1] }, floats(1)) ?? "", /shape \[1,1\], not \[1\]/);
  assert.equal(difference(undefined, floats(1)), "is missing");
});

test("a sample has no vector twice, is the same for the same seed, and another for another", () => {
  const all = Array.from({ length: 1000 }, (_, i) => ({ name: `node/test_${i}`, folder: "" }));
  const names = (seed: number) => select(all, { sample: 50, seed, only: undefined }).map(({ name }) => name);
  assert.equal(new Set(names(1)).size, 50);
  assert.deepEqual(names(1), names(1));
  assert.ok(names(2).filter((name) => names(1).includes(name)).length < 10);
  assert.equal(select(all, { sample: "all", seed: 1, only: "test_99" }).length, 11);
});
