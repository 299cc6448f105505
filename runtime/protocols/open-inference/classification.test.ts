import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { bytesOf } from "../../tensors/index.ts";
import { splitStrings } from "../../tensors/strings.ts";
import { classify } from "./classification.ts";

const textsOf = (values: readonly number[], shape: readonly number[], classes: number): string[] => {
  const { bytes, shape: found } = classify(
    "y",
    { datatype: "FP32", shape, bytes: bytesOf(Float32Array.from(values)) },
    classes,
  );
  const count = found.reduce((product, size) => product * size, 1);
  return (splitStrings(bytes, count) ?? []).map((text) => Buffer.from(text).toString());
};

test("the greatest of each item, greatest first, of equals the first, NaN last", () => {
  assert.deepEqual(textsOf([0.25, 2, Number.NaN, 2, -Infinity, 1], [2, 3], 2), [
    "2.000000:1",
    "0.250000:0",
    "2.000000:0",
    "1.000000:2",
  ]);
  assert.deepEqual(textsOf([Number.NaN, -Infinity], [2], 9), ["-Infinity:1", "NaN:0"]);
});

test("as sorting all of them would tell", () => {
  const small = fc.array(fc.integer({ min: -9, max: 9 }), { minLength: 1, maxLength: 60 });
  fc.assert(
    fc.property(small, fc.integer({ min: 1, max: 70 }), (values, classes) => {
      const sorted = values
        .map((value, index) => ({ value, index }))
        .sort((one, other) => other.value - one.value || one.index - other.index);
      const wanted = sorted.slice(0, classes).map(({ value, index }) => `${value.toFixed(6)}:${index}`);
      assert.deepEqual(textsOf(values, [values.length], classes), wanted);
    }),
  );
});

test("items without values cost nothing, however many there are", () => {
  const answer = classify("y", { datatype: "FP32", shape: [2 ** 52, 0], bytes: new Uint8Array() }, 1);
  assert.deepEqual([answer.shape, answer.bytes.length], [[2 ** 52, 0], 0]);
});

test("more texts than a tensor may have strings are refused before they are made", () => {
  const bytes = new Uint8Array(4 * 2_200_000);
  assert.throws(() => classify("y", { datatype: "FP32", shape: [1_100_000, 2], bytes }, 1), {
    code: "InvalidArgument",
    message: /^output "y": classification gives 1100000 texts, at most \d+ may be in one output/,
  });
});
