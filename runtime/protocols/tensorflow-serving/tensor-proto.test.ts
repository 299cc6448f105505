import assert from "node:assert/strict";
import { test } from "node:test";
import type { Datatype } from "../../tensors/index.ts";
import { readTensorProto, writeShape } from "./tensor-proto.ts";
import { finish } from "./wire.ts";

/** dtype, tensor_shape [size], and what follows. */
const proto = (dtype: number, size: number, ...rest: number[]): Uint8Array =>
  Uint8Array.of(0x08, dtype, 0x12, 0x04, 0x12, 0x02, 0x08, size, ...rest);
const read = (datatype: Datatype, message: Uint8Array): number[] => [
  ...readTensorProto({ name: "x", datatype, shape: [null], symbols: [null] }, message, 1000).bytes,
];

const CONTENT = 0x22;
const DT_BOOL = 10;
const DT_FLOAT = 1;

test("content of BOOL is 0 or 1", () => {
  assert.deepEqual(read("BOOL", proto(DT_BOOL, 2, CONTENT, 2, 1, 0)), [1, 0]);
  assert.throws(
    () => read("BOOL", proto(DT_BOOL, 2, CONTENT, 2, 1, 2)),
    /input "x": data\[1\] is 2, BOOL wants 0 or 1/,
  );
});

test("values are packed or one by one, and of no other wire type", () => {
  const half = [0, 0, 0, 0x3f];
  assert.deepEqual(read("FP32", proto(DT_FLOAT, 1, 0x2a, 4, ...half)), half);
  assert.deepEqual(read("FP32", proto(DT_FLOAT, 1, 0x2d, ...half)), half);
  assert.throws(() => read("FP32", proto(DT_FLOAT, 1, 0x28, 0x80, 0x80, 0x80, 0x01)), /input "x".*wrong wire type 0/);
});

test("a shape of any number of dimensions says so, which a scalar's does not", () => {
  const UNKNOWN_RANK = 0x18;
  assert.deepEqual([...finish(writeShape([], true))], [UNKNOWN_RANK, 1]);
  assert.deepEqual([...finish(writeShape([]))], []);
});
