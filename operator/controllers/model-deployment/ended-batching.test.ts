import assert from "node:assert/strict";
import { test } from "node:test";
import { createWorld, NAME } from "../../../test/simulation/world.ts";
import { findCondition } from "../../api/v1alpha1/index.ts";
import { PODS } from "../../platform/kube/resources.ts";
import { readyServers } from "./observe.ts";

test("a pod in which batching has ended is told by a condition, an event, and nothing else", async () => {
  const world = createWorld();
  world.put({ model: { uri: "https://models.example.com/one.onnx" }, scaling: { minReplicas: 2 } });
  await world.settle();
  const condition = (type: "BatchingEnded" | "Ready") => findCondition(world.deployment().status?.conditions, type);
  assert.equal(condition("BatchingEnded"), undefined);
  const [pod] = world.all(PODS);
  world.endedIn.set(pod?.metadata.uid ?? "", 'a request had 1 at element 0 of its output "y" and has 2 alone');
  await world.settle();
  const { status, reason, message } = condition("BatchingEnded") ?? {};
  assert.deepEqual([status, reason], ["True", "AnswersDiffered"]);
  assert.match(message ?? "", /^batching has ended in pod \S+ of digits-\w+: a request had 1 at element 0/);
  assert.equal(condition("Ready")?.status, "True");
  assert.deepEqual(
    world.events.filter((event) => event.includes("Answers")),
    ["Warning AnswersDiffered"],
  );
  const writes = world.writes.length;
  await world.reconcile();
  assert.equal(world.writes.length, writes);
  world.endedIn.clear();
  await world.settle();
  assert.equal(condition("BatchingEnded"), undefined);
});

test("a pod of nobody's revision is not listened to", async () => {
  const world = createWorld();
  world.put({ model: { uri: "https://models.example.com/one.onnx" } });
  await world.settle();
  world.endedIn.set("a stranger's", "whatever it says");
  await world.settle();
  assert.equal(findCondition(world.deployment().status?.conditions, "BatchingEnded"), undefined);
});

test("asked are servers of ours that are ready and have an address", async () => {
  const world = createWorld();
  world.put({ model: { uri: "https://models.example.com/one.onnx" } });
  await world.settle();
  const [pod] = world.all(PODS);
  assert.ok(pod);
  const { ownerReferences: _, ...unowned } = pod.metadata;
  const status = { ...pod.status, podIP: "10.0.0.7" };
  const pods = [
    { ...pod, status },
    { ...pod, status: { ...pod.status, podIP: undefined } },
    { ...pod, status: { podIP: "10.0.0.8", conditions: [] } },
    { ...pod, metadata: { ...pod.metadata, deletionTimestamp: "2026-01-01T00:00:00Z" }, status },
    { ...pod, metadata: unowned, status },
  ];
  const key = { namespace: pod.metadata.namespace, name: NAME };
  assert.deepEqual(readyServers(JSON.parse(JSON.stringify(pods))), [
    { uid: pod.metadata.uid, address: "10.0.0.7", key },
  ]);
});
