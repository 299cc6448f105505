import assert from "node:assert/strict";
import { test } from "node:test";
import { createWorld, NAME, type World } from "../../../test/simulation/world.ts";
import { BATCHING_KEY, batchingName, findCondition } from "../../api/v1alpha1/index.ts";
import { CONFIG_MAPS, CONTROLLER_REVISIONS, PODS } from "../../platform/kube/resources.ts";
import { readyServers } from "./observe.ts";

const spec = (model: string) => ({
  model: { uri: `https://models.example.com/${model}.onnx` },
  scaling: { minReplicas: 2 },
});
const FOUND = 'a request had 1 at element 0 of its output "y" and has 2 alone';
const conditionOf = (world: World, type: "BatchingEnded" | "Ready") =>
  findCondition(world.deployment().status?.conditions, type);
const stableOf = (world: World): string => world.deployment().status?.stable?.revision ?? assert.fail("no stable");
const toldTo = (world: World, revision: string): string | undefined =>
  world.get(CONFIG_MAPS, batchingName(revision))?.data?.[BATCHING_KEY];

/** Two pods, in the first of which batching has ended. */
const ended = async (): Promise<World> => {
  const world = createWorld();
  world.put(spec("one"));
  await world.settle();
  assert.equal(conditionOf(world, "BatchingEnded"), undefined);
  assert.equal(toldTo(world, stableOf(world)), undefined);
  const [pod] = world.all(PODS);
  world.endedIn.set(pod?.metadata.uid ?? "", FOUND);
  await world.settle();
  return world;
};

test("batching that has ended in a pod is told by a condition, an event, and nothing else", async () => {
  const world = await ended();
  const { status, reason, message } = conditionOf(world, "BatchingEnded") ?? {};
  assert.deepEqual([status, reason], ["True", "BatchResultsDiffer"]);
  assert.match(message ?? "", /^batching has ended for all pods of digits-\w+: \S+: a request had 1 at element 0/);
  assert.equal(conditionOf(world, "Ready")?.status, "True");
  assert.deepEqual(
    world.events.filter((event) => event.includes("Batch")),
    ["Warning BatchResultsDiffer"],
  );
  const writes = world.writes.length;
  await world.reconcile();
  assert.equal(world.writes.length, writes);
});

test("an older operator's name of the reason gives way to the new one, in the same condition and without another event", async () => {
  const world = await ended();
  const { conditions } = world.deployment().status ?? {};
  world.renameReasons({ BatchResultsDiffer: "AnswersDiffered" });
  assert.equal(conditionOf(world, "BatchingEnded")?.reason, "AnswersDiffered");
  const events = world.events.length;
  world.now += 60_000;
  world.changeLeader();
  await world.settle();
  assert.deepEqual(world.deployment().status?.conditions, conditions);
  assert.deepEqual(world.events.slice(events), []);
});

test("it ends for all pods of the revision, which read it in a file, and stays so when the pod that found it is gone", async () => {
  const world = await ended();
  const revision = stableOf(world);
  const [pod] = world.all(PODS);
  assert.equal(toldTo(world, revision), `${pod?.metadata.name}: ${FOUND}`);
  const told = conditionOf(world, "BatchingEnded");
  world.endedIn.clear();
  world.changeLeader();
  await world.settle();
  assert.deepEqual(conditionOf(world, "BatchingEnded"), told);
  const { spec: pods } = pod ?? {};
  assert.deepEqual(pods?.volumes?.find(({ name }) => name === "batching")?.configMap, {
    name: batchingName(revision),
    optional: true,
  });
  const [server] = pods?.containers ?? [];
  const at = server?.volumeMounts?.find(({ name }) => name === "batching")?.mountPath;
  assert.equal(server?.args?.[server.args.indexOf("--batching-ended-file") + 1], `${at}/${BATCHING_KEY}`);
});

test("another revision is batched until something is found in it, and what was found goes with its revision", async () => {
  const world = await ended();
  const first = stableOf(world);
  world.endedIn.clear();
  for (let i = 0; i < 14; i++) {
    world.put(spec(`next-${i}`));
    await world.settle();
    world.now += 60_000;
    await world.settle();
    if (i === 0) {
      assert.notEqual(stableOf(world), first);
      assert.equal(conditionOf(world, "BatchingEnded"), undefined);
      // going back to it finds what is known of it
      assert.ok(toldTo(world, first) !== undefined);
    }
  }
  assert.equal(world.get(CONTROLLER_REVISIONS, first), undefined);
  assert.equal(toldTo(world, first), undefined);
});

test("pods of a revision from before there was such a file are told nothing, and each goes by itself", async () => {
  const world = createWorld();
  world.put(spec("one"));
  await world.settle();
  const record = world.all(CONTROLLER_REVISIONS)[0];
  assert.ok(record);
  const key = `ControllerRevision/${record.metadata.name}`;
  const stored = world.objects.get(key) ?? assert.fail();
  const older = JSON.parse(JSON.stringify(stored).replace(/,\{"configMap":\{[^}]*\},"name":"batching"\}/, ""));
  assert.notDeepEqual(older, stored);
  world.objects.set(key, older);
  const [pod] = world.all(PODS);
  world.endedIn.set(pod?.metadata.uid ?? "", FOUND);
  await world.settle();
  assert.equal(toldTo(world, stableOf(world)), undefined);
  assert.equal(conditionOf(world, "BatchingEnded")?.status, "True");
  world.endedIn.clear();
  await world.settle();
  assert.equal(conditionOf(world, "BatchingEnded"), undefined);
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
