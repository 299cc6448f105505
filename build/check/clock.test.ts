import assert from "node:assert/strict";
import { test } from "node:test";
import { readsOfTheClock } from "./clock.ts";

test("only one file of the operator reads the node's clock", () => {
  const source = [
    "const a = Date.now();",
    "const b = { clock: Date.now };",
    "const c = new Date();",
    "const d = new Date(now).toISOString();",
    "const e = performance.now();",
    "const f = Date.parse(text);",
  ].join("\n");
  const found = readsOfTheClock("operator/controllers/autoscaler/scaler.ts", source);
  assert.deepEqual(
    found.map((line) => line.split(": ")[0]),
    [1, 2, 3].map((line) => `operator/controllers/autoscaler/scaler.ts:${line}`),
  );
  assert.deepEqual(readsOfTheClock("operator/platform/kube/server-clock.ts", source), []);
  assert.deepEqual(readsOfTheClock("test/e2e/world.ts", source), []);
});
