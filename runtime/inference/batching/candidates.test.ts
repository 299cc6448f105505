import assert from "node:assert/strict";
import { test } from "node:test";
import type { TensorInfo } from "../../tensors/index.ts";
import type { Finding } from "../graph/findings.ts";
import type { Model } from "../index.ts";
import { provable } from "./candidates.ts";

const info = (name: string, ...symbols: (string | number)[]): TensorInfo => ({
  name,
  datatype: "FP32",
  shape: symbols.map((size) => (typeof size === "number" ? size : null)),
  symbols: symbols.map((size) => (typeof size === "string" ? size : null)),
});
const MODEL: Model = {
  name: "m",
  version: "1",
  inputs: [info("x", "batch", "time")],
  outputs: [info("y", "out", "time")],
};
const of = (...findings: Finding[]) => provable(MODEL, { findings });

test("what the graph shows is proved by runs, along the axes that it shows", () => {
  const found = of({ axes: { x: 0 }, outputs: { y: 0 } }, { axes: { x: 1 }, reason: "no" });
  assert.ok("candidates" in found);
  assert.deepEqual(found.candidates, [{ name: "batch", inputs: [0], outputs: [[0]] }]);
});

test("a way that the graph does not show is not tried, and its reason is told", () => {
  const found = of(
    { axes: { x: 0 }, reason: 'node "a" (Softmax): it normalises over the batch' },
    { axes: { x: 1 }, reason: "no" },
  );
  assert.deepEqual(found, { reason: 'along "batch", node "a" (Softmax): it normalises over the batch', byGraph: true });
});

test("without findings nothing is tried", () => {
  assert.deepEqual(provable(MODEL, { findings: [], reason: "its graph is too large" }), {
    reason: 'along "batch", its graph is too large',
    byGraph: true,
  });
  for (const finding of [
    { axes: { other: 0 }, outputs: { y: 0 } },
    { axes: { x: 0 }, outputs: { z: 0 } },
  ]) {
    assert.deepEqual(of(finding), { reason: 'along "batch", its graph was not followed that far', byGraph: true });
  }
});

test("a model without a batch is told of as before", () => {
  const found = provable({ ...MODEL, outputs: [info("y", 1, 3)] }, { findings: [] });
  assert.ok("reason" in found && !found.byGraph);
  assert.match(found.reason, /its output "y" is always \[1, 3\]/);
});
