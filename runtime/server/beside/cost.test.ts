import assert from "node:assert/strict";
import { test } from "node:test";
import { bytesOf, type Datatype, type Tensor } from "../../tensors/index.ts";
import { encodeStrings } from "../../tensors/strings.ts";
import { classifyingAllMs, classifyingMs, writingAllMs, writingMs } from "./cost.ts";

const COUNT = 20_000;
const tensor = (datatype: Datatype, bytes: Uint8Array, shape: number[] = [COUNT]): Tensor => ({
  datatype,
  shape,
  bytes,
});
const floats = (value: (i: number) => number) => bytesOf(Float32Array.from({ length: COUNT }, (_, i) => value(i)));
const longs = (value: (i: number) => bigint) => bytesOf(BigInt64Array.from({ length: COUNT }, (_, i) => value(i)));
const doubles = bytesOf(Float64Array.from({ length: COUNT }, (_, i) => Math.sin(i)));
const strings = (value: string) => tensor("BYTES", encodeStrings(Array<string>(COUNT).fill(value)));

/** What an element takes to write, in nanoseconds: processor time, Node 24.21. Elements are counted here, and no clock is read. */
const SHAPES: readonly [what: string, tensor: Tensor, ns: number, base64?: boolean][] = [
  ["floats", tensor("FP32", floats(Math.sin)), 102],
  [
    "floats below 1.2e-38",
    tensor(
      "FP32",
      floats((i) => 1e-42 * (i + 1)),
    ),
    1008,
  ],
  ["doubles", tensor("FP64", doubles), 276],
  ["doubles each in a list", tensor("FP64", doubles, [COUNT, 1]), 781],
  ["doubles each in three lists", tensor("FP64", doubles, [COUNT, 1, 1, 1]), 2934],
  [
    "small integers",
    tensor(
      "INT64",
      longs((i) => BigInt(i - 100)),
    ),
    48,
  ],
  [
    "large integers",
    tensor(
      "INT64",
      longs((i) => 2n ** 62n + BigInt(i)),
    ),
    197,
  ],
  [
    "large negative integers",
    tensor(
      "INT64",
      longs((i) => -(2n ** 40n) - BigInt(i)),
    ),
    197,
  ],
  ["strings of nothing", strings(""), 32],
  ["short strings", strings("a"), 55],
  ["strings of 64 bytes", strings("a".repeat(64)), 342],
  ["strings of 65 bytes", strings("a".repeat(65)), 759],
  ["strings of a thousand bytes", strings("a".repeat(1000)), 4339],
  ["strings beyond ASCII", strings("é"), 651],
  ["strings with an escape", strings("\n"), 576],
  ["strings of control characters", strings("\u0001".repeat(60)), 1089],
  ["strings as base64", strings("abc"), 686, true],
  ["strings of nothing as base64", strings(""), 267, true],
];

const seeded = (seed: number) => () => {
  seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
  return seed / 2 ** 32;
};

for (const [what, output, ns, base64] of SHAPES) {
  test(`the time to write ${what} is estimated within a small factor`, () => {
    const ratio = writingMs(output, base64, seeded(1)) / (COUNT * ns * 1e-6);
    assert.ok(ratio > 0.4 && ratio < 3, `${ratio.toFixed(2)} times as long`);
  });
}

test("zeros are no tiny floats", () =>
  assert.equal(
    writingMs(
      tensor(
        "FP32",
        floats(() => -0),
      ),
    ),
    writingMs(
      tensor(
        "FP32",
        floats(() => 1),
      ),
    ),
  ));

test("a tenth of what is dear is found, wherever it stands", () => {
  for (let seed = 0; seed < 4; seed++) {
    const from = (seed * COUNT) / 4;
    const some = (i: number): boolean => i >= from && i < from + COUNT / 10;
    const tiny = tensor(
      "FP32",
      floats((i) => (some(i) ? 1e-42 : 1)),
    );
    assert.ok(writingMs(tiny, false, seeded(seed)) > (0.04 * COUNT * 1008) / 1e6);
    const values = Array.from({ length: COUNT }, (_, i) => (some(i) ? "\n" : "a"));
    assert.ok(writingMs(tensor("BYTES", encodeStrings(values)), false, seeded(seed)) > (0.05 * COUNT * 576) / 1e6);
  }
});

/** What a value takes, as measured: the greatest of rows, of values that rise, so that each sinks through the heap. */
const CLASSIFIED: readonly [shape: readonly number[], classes: number, ns: number][] = [
  [[1_000_000], 1, 20],
  [[1_000_000], 10, 90],
  [[1_000_000], 10_000, 256],
  [[500_000, 2], 1, 400],
  [[10_000, 100], 5, 70],
];

for (const [shape, classes, ns] of CLASSIFIED) {
  test(`the time to take the ${classes} greatest of each row of [${shape}] is estimated within a small factor`, () => {
    const output = { datatype: "FP32" as const, shape, bytes: new Uint8Array() };
    const ratio = classifyingMs(output, classes) / ns;
    assert.ok(ratio > 0.6 && ratio < 2, `${ratio.toFixed(2)} times as long`);
  });
}

test("of an answer in JSON what is classified is not written as values, and of one over gRPC nothing else is counted", () => {
  const long = tensor(
    "FP32",
    floats(() => 1),
  );
  const outputs = new Map([
    ["y", long],
    ["z", long],
  ]);
  const classes = new Map([["y", 1]]);
  const classified = classifyingMs(long, 1);
  assert.equal(classifyingAllMs(outputs, classes), classified);
  assert.equal(classifyingAllMs(outputs), 0);
  assert.equal(writingAllMs(outputs, classes), classified + writingMs(long));
});
