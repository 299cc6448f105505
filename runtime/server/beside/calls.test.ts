import assert from "node:assert/strict";
import { test } from "node:test";
import { checkedNs, messageMs } from "./calls.ts";

const INFER = "/inference.GRPCInferenceService/ModelInfer";
const PREDICT = "/tensorflow.serving.PredictionService/Predict";
const CLASSIFY = "/tensorflow.serving.PredictionService/Classify";

const varint = (value: number): number[] => {
  const bytes: number[] = [];
  for (; value > 127; value = Math.floor(value / 128)) bytes.push((value % 128) + 128);
  return [...bytes, value];
};
const field = (number: number, content: Uint8Array | string): Buffer => {
  const bytes = Buffer.from(content);
  return Buffer.concat([Uint8Array.from([...varint(number * 8 + 2), ...varint(bytes.length)]), bytes]);
};
const MIB = 1024 ** 2;
const many = (piece: readonly number[]): Buffer => Buffer.alloc(MIB - (MIB % piece.length), Uint8Array.from(piece));
const infer = (contents: Uint8Array, raw: Uint8Array = Buffer.alloc(0)): Buffer =>
  Buffer.concat([field(1, "m"), field(5, Buffer.concat([field(1, "x"), field(2, "FP32"), field(5, contents)])), raw]);
const predict = (values: Uint8Array): Buffer =>
  Buffer.concat([field(1, field(1, "m")), field(2, Buffer.concat([field(1, "x"), field(2, values)]))]);

/** The nanoseconds that a byte of a mebibyte takes, as they were measured. */
const SHAPES: readonly [what: string, path: string, message: Buffer, ns: number][] = [
  ["raw contents", INFER, infer(Buffer.alloc(0), field(7, Buffer.alloc(MIB))), 0],
  ["packed floats", INFER, infer(field(6, Buffer.alloc(MIB))), 0],
  ["floats each for itself", INFER, infer(many([53, 0, 0, 0, 0])), 31],
  ["packed whole numbers", INFER, infer(field(3, Buffer.alloc(MIB))), 45],
  ["whole numbers each for itself", INFER, infer(many([24, 0])), 85],
  ["empty strings", INFER, infer(many([66, 0])), 52],
  ["a tensor's content", PREDICT, predict(field(4, Buffer.alloc(MIB))), 0],
  ["packed floats of TensorFlow", PREDICT, predict(field(5, Buffer.alloc(MIB))), 0],
  ["floats of TensorFlow each for itself", PREDICT, predict(many([45, 0, 0, 0, 0])), 56],
  ["empty strings of TensorFlow", PREDICT, predict(many([66, 0])), 160],
  ["examples", CLASSIFY, field(2, field(1, many([10, 2, 10, 0]))), 119],
];

for (const [what, path, message, ns] of SHAPES) {
  test(`the time to read ${what} is estimated within a small factor`, () => {
    const each = ((messageMs(path, message, 0) ?? Number.NaN) * 1e6) / message.length;
    if (ns === 0) assert.ok(each < 0.1, `${each} ns`);
    else assert.ok(each > 0.9 * ns && each < 3.5 * ns, `${each} ns`);
  });
}

test("what is used as it came is looked at where it must be what it says", () => {
  const message = infer(Buffer.alloc(0), field(7, Buffer.alloc(MIB)));
  const ms = messageMs(INFER, message, checkedNs([{ datatype: "FP32" }, { datatype: "BOOL" }])) ?? Number.NaN;
  assert.ok(ms > 10 && ms < 20, `${ms} ms`);
  assert.equal(checkedNs([{ datatype: "FP32" }]), 0);
});

test("a request of a stream takes as long to read as one of ModelInfer", () => {
  for (const message of [infer(many([24, 0])), infer(Buffer.alloc(0), field(7, Buffer.alloc(MIB)))])
    assert.equal(
      messageMs("/inference.GRPCInferenceService/ModelStreamInfer", message, 1),
      messageMs(INFER, message, 1),
    );
});

test("plain fields do not hide others, and what is no message takes no long look", () => {
  const small = Buffer.alloc(MIB, field(7, "1234"));
  assert.ok((messageMs(INFER, small, 0) ?? 0) > 80);
  for (const bytes of [Buffer.alloc(MIB, 255), Buffer.from([58, 255, 255, 255, 255, 15]), Buffer.alloc(0)])
    assert.ok((messageMs(INFER, bytes, 0) ?? Number.NaN) >= 0);
  assert.equal(messageMs("/inference.GRPCInferenceService/ServerLive", small, 0), undefined);
});
