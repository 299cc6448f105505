import assert from "node:assert/strict";
import { test } from "node:test";
import type { ModelDeploymentStatus } from "../api/v1alpha1/index.ts";
import { type Action, restoreTemplate } from "../apply/actions.ts";
import { DEPLOYMENTS } from "../kube/resources.ts";
import { createPace, createRestorePace } from "./pace.ts";

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

test("progress is written once a second, for each object", () => {
  const pace = createPace();
  const progress = { ...before, message: "1 of 2", pods: "1/2" };
  assert.equal(pace.wait(KEY, before, progress, 5000), 0);
  pace.wrote(KEY, 5000);
  assert.equal(pace.wait(KEY, before, progress, 5400), 600);
  assert.equal(pace.wait({ ...KEY, name: "b" }, before, progress, 5400), 0);
  assert.equal(pace.wait(KEY, before, progress, 6000), 0);
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

const metadata = { name: "a-1", namespace: "default", uid: "u", resourceVersion: "1" };
const restoreAt = (generation: number): Action =>
  restoreTemplate(
    DEPLOYMENTS,
    { apiVersion: "apps/v1", kind: "Deployment", metadata: { ...metadata, generation } },
    {},
  );

test("a pod template is restored after a minute, then two, and nothing else waits for that", () => {
  const pace = createRestorePace();
  const other: Action = { ...metadata, verb: "delete", resource: DEPLOYMENTS };
  const [first, second, third, fourth] = [restoreAt(1), restoreAt(3), restoreAt(5), restoreAt(7)];
  assert.deepEqual(pace.due(KEY, [first, other], 1000), { due: [first, other] });
  pace.done(KEY, [first, other], 1000);
  assert.deepEqual(pace.due(KEY, [second, other], 1500), { due: [other], againAfterMs: 59_500 });
  assert.deepEqual(pace.due(KEY, [second], 61_000), { due: [second] });
  pace.done(KEY, [second], 61_000);
  assert.deepEqual(pace.due(KEY, [third], 121_000), { due: [], againAfterMs: 60_000 });
  pace.done(KEY, [third], 10_000_000);
  assert.deepEqual(pace.due(KEY, [fourth], 10_060_000), { due: [fourth] });
});

test("a restore that failed is tried again, and one that changed nothing is not", () => {
  const pace = createRestorePace();
  const restore = restoreAt(1);
  assert.deepEqual(pace.due(KEY, [restore], 1000), { due: [restore] });
  assert.deepEqual(pace.due(KEY, [restore], 1001), { due: [restore] });
  pace.done(KEY, [restore], 1001);
  assert.deepEqual(pace.due(KEY, [restore], 10_000_000), { due: [] });
});
