import assert from "node:assert/strict";
import { test } from "node:test";
import type { ModelDeploymentStatus } from "../../api/v1alpha1/index.ts";
import { createPace } from "./pace.ts";

const KEY = { namespace: "default", name: "a" };
const before: ModelDeploymentStatus = {
  observedGeneration: 1,
  phase: "Progressing",
  message: "0 of 2",
  conditions: [],
};

test("the same status is not written", () => {
  assert.equal(createPace().wait(KEY, before, { ...before }, 5000), undefined);
});

test("progress is written every two seconds, for each object", () => {
  const pace = createPace();
  const progress = { ...before, message: "1 of 2", pods: "1/2" };
  assert.equal(pace.wait(KEY, before, progress, 5000), 0);
  pace.wrote(KEY, 5000);
  assert.equal(pace.wait(KEY, before, progress, 5400), 1600);
  assert.equal(pace.wait({ ...KEY, name: "b" }, before, progress, 5400), 0);
  assert.equal(pace.wait(KEY, before, progress, 7000), 0);
  pace.forget(KEY);
  assert.equal(pace.wait(KEY, before, progress, 5400), 0);
});

test("news are written at once", () => {
  const pace = createPace();
  pace.wrote(KEY, 5000);
  const ready = { type: "Ready", status: "True", reason: "Serving", message: "", lastTransitionTime: "" } as const;
  const news: ModelDeploymentStatus[] = [
    { ...before, observedGeneration: 2 },
    { ...before, phase: "Healthy" },
    { ...before, stable: { revision: "a-1", executionProvider: "cpu", replicas: 1, ready: 1 } },
    { ...before, conditions: [{ ...ready, observedGeneration: 1 }] },
  ];
  for (const after of news) assert.equal(pace.wait(KEY, before, after, 5001), 0);
});
