import assert from "node:assert/strict";
import { test } from "node:test";
import { ideasInEngine } from "./engine.ts";

test("what the engine names of Berth is found in code, texts and comments, with its line", () => {
  const source = [
    "/** Counts a request. */",
    'const gauge = { name: "berth_scaling_reason" };',
    "/** By ModelDeployment, the reason that is shown. */",
    "const { scaling } = metrics;",
    'const manager = "berth-events";',
    'const failures = "berth_watch_failures_total";',
  ].join("\n");
  assert.deepEqual(
    ideasInEngine("operator/platform/telemetry/metrics.ts", source).map((line) => line.split(" is ")[0]),
    ["berth_scaling_reason", "ModelDeployment", "scaling"].map(
      (idea, i) => `operator/platform/telemetry/metrics.ts:${i + 2}: "${idea}"`,
    ),
  );
});

test("other folders may name it, and tests of the engine may have it as an example", () => {
  for (const file of ["operator/controllers/autoscaler/metrics.ts", "operator/platform/cache/trim.test.ts"])
    assert.deepEqual(ideasInEngine(file, "const { scaling } = spec;"), []);
});
