import assert from "node:assert/strict";
import { test } from "node:test";
import { bytesOf, type Tensor } from "../../tensors/index.ts";
import { encodeStrings } from "../../tensors/strings.ts";
import { floats } from "./simulated.ts";
import { differenceOf, isRounding, type Magnitudes, remember } from "./verdict.ts";

const answer = (tensor: Tensor) => new Map([["y", tensor]]);
const singles = (...values: number[]) => answer(floats([values.length], values));
const labels = (...values: bigint[]) =>
  answer({ datatype: "INT64", shape: [values.length], bytes: bytesOf(BigInt64Array.from(values)) });
const texts = (...values: string[]) =>
  answer({ datatype: "BYTES", shape: [values.length], bytes: encodeStrings(values) });
const halves = (...values: number[]) => {
  const bits = new Float16Array(values);
  return answer({ datatype: "FP16", shape: [values.length], bytes: new Uint8Array(bits.buffer) });
};
const usually = (...values: number[]): Magnitudes => {
  const magnitudes: Magnitudes = new Map();
  for (let i = 0; i < 32; i++) remember(magnitudes, singles(values[i % values.length] ?? 0));
  return magnitudes;
};
const NONE: Magnitudes = new Map();

test("a difference names the output, the element and both values", () => {
  assert.deepEqual(differenceOf(singles(1, 0.5, 3), singles(1, 2, 3), NONE), {
    ...{ output: "y", element: 1, together: "0.5", alone: "2" },
    isGross: false,
  });
  assert.match(differenceOf(labels(3n), labels(2n), NONE)?.together ?? "", /^3$/);
  const long = differenceOf(texts("a", "b".repeat(500)), texts("a", "c"), NONE);
  assert.deepEqual([long?.element, long?.together, long?.alone], [1, `"${"b".repeat(40)}…"`, '"c"']);
  assert.match(differenceOf(singles(1, 2), singles(1), NONE)?.together ?? "", /shape \[2\]/);
});

test("rounding is none, by type; NaN is NaN", () => {
  assert.equal(differenceOf(singles(1000, 1.05, Number.NaN), singles(1000.01, 1, Number.NaN), NONE), undefined);
  assert.equal(differenceOf(halves(1, 0.5), halves(1.005, 0.5), NONE), undefined);
  assert.ok(differenceOf(halves(1, 0.5), halves(1, 0.48), NONE));
  assert.ok(differenceOf(singles(1), singles(Number.NaN), NONE));
  assert.equal(differenceOf(texts("é"), texts("é"), NONE), undefined);
});

test("what is near 0 is measured by what the output usually is, never by the largest", () => {
  assert.equal(differenceOf(singles(0.0001), singles(0.0002), usually(10)), undefined);
  // most requests are a million times larger, and this one is answered half of what it should be
  assert.ok(differenceOf(singles(0.5), singles(1), usually(1, 1e6, 1e6, 1e6)));
});

test("it is rounding where copies of the request in its place give the same, unless it is large or frequent", () => {
  const few = { checked: 10, ties: 0 };
  const tie = differenceOf(labels(1n), labels(2n), NONE);
  assert.ok(tie);
  assert.ok(isRounding(tie, labels(1n), labels(1n), NONE, few));
  assert.ok(
    !isRounding(tie, labels(1n), labels(2n), NONE, few),
    "alone among copies it is as alone: its neighbours did it",
  );
  assert.ok(!isRounding(tie, labels(1n), labels(1n), NONE, { checked: 10, ties: 3 }));
  assert.ok(isRounding(tie, labels(1n), labels(1n), NONE, { checked: 10_000, ties: 50 }));
  // the sum of a batch, which copies of a row make as well
  const half = differenceOf(singles(0.5), singles(1), usually(1));
  assert.ok(half?.isGross);
  assert.ok(!isRounding(half, singles(0.5), singles(0.5), usually(1), few));
});
