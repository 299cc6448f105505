import assert from "node:assert/strict";
import { test } from "node:test";
import type { Client } from "../kube/client.ts";
import { KubeError } from "../kube/errors.ts";
import type { KubeObject, Resource } from "../kube/objects.ts";
import { createCaches } from "./caches.ts";

const resource = (kind: string, plural: string): Resource<KubeObject> => ({
  ...{ apiVersion: "v1", kind, plural },
  namespaced: true,
});
const PARENT = resource("Parent", "parents");
const CHILD = resource("Child", "children");

const object = (kind: string, namespace: string, name: string, resourceVersion: string): KubeObject => ({
  apiVersion: "v1",
  kind,
  metadata: { namespace, name, resourceVersion, uid: `${kind}/${namespace}/${name}` },
});

/** A server of one page for each kind and namespace; a list that is not there waits until it is. */
const serving = () => {
  const lists = new Map<string, { answer: Promise<KubeObject[]>; come(objects: KubeObject[] | KubeError): void }>();
  const listOf = (place: string) => {
    const { promise: answer, resolve, reject } = Promise.withResolvers<KubeObject[]>();
    const come = (objects: KubeObject[] | KubeError) =>
      objects instanceof KubeError ? reject(objects) : resolve(objects);
    const list = lists.get(place) ?? { answer, come };
    lists.set(place, list);
    return list;
  };
  const unused = () => Promise.reject(new Error("not used"));
  const client: Client = {
    ...{ get: unused, each: unused, create: unused, apply: unused, patch: unused, delete: unused },
    list: async <T extends KubeObject>({ kind }: Resource<T>, { namespace = "*" } = {}) => {
      const items: T[] = JSON.parse(JSON.stringify(await listOf(`${kind} ${namespace}`).answer));
      return { items, resourceVersion: namespace === "b" ? "90" : "100" };
    },
  };
  const watch = async function* (_: unknown, __: unknown, signal: AbortSignal) {
    yield* [];
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
  };
  return { client, watch, come: (place: string, ...objects: KubeObject[]) => listOf(place).come(objects), listOf };
};

/** Until nothing more happens by itself. */
const quiet = () => new Promise((resolve) => setImmediate(resolve));

test("each namespace has lists and watches of its own, and readers see one store", async () => {
  const { client, come, watch } = serving();
  const caches = createCaches(client, watch, (_kind, error) => assert.fail(error), ["a", "b"]);
  const store = caches.of(PARENT);
  const told: string[] = [];
  store.subscribe((change) => change.type === "added" && told.push(change.object.metadata.name));
  const stop = new AbortController();
  const running = caches.run(stop.signal);
  come("Parent a", object("Parent", "a", "one", "7"));
  await quiet();
  assert.deepEqual([caches.hasSynced(), caches.missing("a"), caches.missing("b")], [false, [], ["Parent"]]);
  come("Parent b", object("Parent", "b", "one", "8"), object("Parent", "b", "two", "9"));
  await quiet();
  assert.deepEqual([caches.hasSynced(), caches.missing()], [true, []]);
  assert.deepEqual(told, ["one", "one", "two"]);
  assert.deepEqual(
    [...store.list()].map(({ metadata }) => metadata.uid),
    ["Parent/a/one", "Parent/b/one", "Parent/b/two"],
  );
  assert.equal(store.get({ namespace: "b", name: "one" })?.metadata.uid, "Parent/b/one");
  assert.equal(store.get({ namespace: "c", name: "one" }), undefined);
  // How far one namespace has been seen says nothing of another.
  const hasSeen = (kind: string, namespace: string) =>
    caches.hasSeen({ kind, key: { namespace, name: "x" }, resourceVersion: "95" });
  assert.deepEqual(
    [hasSeen("Parent", "a"), hasSeen("Parent", "b"), hasSeen("Parent", "c"), hasSeen("Child", "b")],
    [true, false, true, true],
  );
  assert.deepEqual(
    ["a", "c"].map((namespace) => caches.covers(object("Parent", namespace, "x", "1"))),
    [true, false],
  );
  stop.abort();
  await running;
});

test("an answer goes into the cache that covers it, as the watch would bring it", async () => {
  const { client, come, watch } = serving();
  const caches = createCaches(client, watch, (_kind, error) => assert.fail(error), ["a"]);
  const [lean, full] = [caches.of(PARENT, { ours: "yes" }, undefined, { managedFields: "unused" }), caches.of(CHILD)];
  const stop = new AbortController();
  const running = caches.run(stop.signal);
  come("Parent a");
  come("Child a");
  await quiet();
  const managedFields = [
    { manager: "someone", operation: "Update", fieldsV1: { "f:spec": { "f:template": { "f:spec": {} } } } },
    { manager: "other", operation: "Update", fieldsV1: { "f:data": {} } },
  ];
  const answer = (kind: string, namespace: string, ours: string): KubeObject => {
    const { metadata, ...rest } = object(kind, namespace, `${kind}-${ours}`, "101");
    return { ...rest, metadata: { ...metadata, labels: { ours }, managedFields } };
  };
  const answers = [
    answer("Parent", "a", "yes"),
    answer("Parent", "a", "no"),
    answer("Parent", "b", "yes"),
    answer("Child", "a", "no"),
    answer("Stranger", "a", "yes"),
  ];
  for (const one of answers) caches.learn(one);
  assert.deepEqual(
    [...lean.list()].map(({ metadata }) => [metadata.name, metadata.namespace, metadata.managedFields]),
    [["Parent-yes", "a", undefined]],
  );
  assert.deepEqual(
    [...full.list()].map(({ metadata }) => [metadata.name, metadata.managedFields]),
    [["Child-no", [{ manager: "someone" }]]],
  );
  assert.ok(
    answers.every(({ metadata }) => metadata.managedFields?.length === 2),
    "the writer's own",
  );
  stop.abort();
  await running;
});

const forbidden = () => new KubeError("forbidden", { kind: "retryable", reason: "Forbidden", status: 403 });

test("a namespace that may not be looked into holds up no other, and nothing is done in it", async () => {
  const { client, come, listOf, watch } = serving();
  const failed: string[] = [];
  const onFailure = (kind: string, _: KubeError, __: number, namespace?: string) =>
    void failed.push(`${kind} ${namespace}`);
  const caches = createCaches(client, watch, onFailure, ["a", "gone"]);
  caches.of(PARENT);
  caches.of(CHILD);
  const stop = new AbortController();
  const running = caches.run(stop.signal);
  come("Parent a");
  come("Child a");
  listOf("Parent gone").come(forbidden());
  await quiet();
  assert.equal(caches.hasSynced(), false, "its children may yet come");
  listOf("Child gone").come(forbidden());
  await quiet();
  assert.deepEqual(failed, ["Parent gone", "Child gone"]);
  assert.equal(caches.hasSynced(), true);
  assert.deepEqual([caches.missing("a"), caches.missing("gone")], [[], ["Parent", "Child"]]);
  stop.abort();
  await running;
});

test("where nothing may be looked at, nothing is ready", async () => {
  for (const namespaces of [["gone"], []]) {
    const { client, listOf, watch } = serving();
    const caches = createCaches(client, watch, () => undefined, namespaces);
    caches.of(PARENT);
    const stop = new AbortController();
    const running = caches.run(stop.signal);
    listOf(`Parent ${namespaces[0] ?? "*"}`).come(forbidden());
    await quiet();
    assert.equal(caches.hasSynced(), false);
    stop.abort();
    await running;
  }
});
