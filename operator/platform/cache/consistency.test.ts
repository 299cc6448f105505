import assert from "node:assert/strict";
import { test } from "node:test";
import type { Client } from "../kube/client.ts";
import type { KubeObject, OwnerReference, Resource } from "../kube/objects.ts";
import { createConsistency, forgetGone, recordWrites, type Written } from "./consistency.ts";
import { createIndexedStore } from "./indexed-store.ts";

const written = (kind: string, name: string, resourceVersion: string): Written => ({
  ...{ kind, resourceVersion },
  key: { namespace: "default", name },
});

test("an owner is current once the caches have the latest of each object that was written", () => {
  const seen = new Set(["Service a 100"]);
  const consistency = createConsistency(({ kind, key, resourceVersion }) =>
    seen.has(`${kind} ${key.name} ${resourceVersion}`),
  );
  assert.deepEqual(consistency.behind("uid"), []);
  consistency.wrote("uid", written("Service", "a", "100"));
  consistency.wrote("uid", written("Service", "a", "98")); // an answer that overtook another
  consistency.wrote("uid", written("Deployment", "a", "100"));
  consistency.wrote("uid", written("Deployment", "b", "99"));
  assert.deepEqual(consistency.behind("uid"), ["Deployment"]);
  assert.deepEqual(consistency.behind("other"), []);
  seen.add("Deployment a 100");
  assert.deepEqual(consistency.behind("uid"), ["Deployment"], "one of two");
  seen.add("Deployment b 99");
  assert.deepEqual(consistency.behind("uid"), []);
});

test("an owner that is gone is not waited for", () => {
  const consistency = createConsistency(() => false);
  consistency.wrote("uid", written("Service", "a", "2"));
  consistency.forget("uid");
  assert.deepEqual(consistency.behind("uid"), []);
});

const PARENT: Resource<KubeObject> = {
  apiVersion: "berth.dev/v1",
  kind: "Parent",
  plural: "parents",
  namespaced: true,
};
const CHILD: Resource<KubeObject> = { apiVersion: "v1", kind: "Child", plural: "children", namespaced: true };

const object = (
  { apiVersion, kind }: Resource<KubeObject>,
  name: string,
  uid: string,
  resourceVersion: string,
  ...ownerReferences: OwnerReference[]
): KubeObject => ({
  apiVersion,
  kind,
  metadata: { namespace: "default", name, uid, resourceVersion, ownerReferences },
});
const controlledBy = ({ apiVersion, kind, metadata: { name, uid = "" } }: KubeObject): OwnerReference => ({
  ...{ apiVersion, kind, name, uid },
  controller: true,
});

/** Writes answer with the object that was written; the caches have everything up to 5, and never more. */
const recording = () => {
  const store = createIndexedStore<KubeObject>();
  const consistency = createConsistency(({ resourceVersion }) => Number(resourceVersion) <= 5);
  const learnt: string[] = [];
  const parents = { resource: PARENT, store };
  forgetGone(parents, consistency);
  const echo = async <T>(_: unknown, written: unknown): Promise<T> => JSON.parse(JSON.stringify(written));
  const unused = () => Promise.reject(new Error("not used"));
  const client: Client = {
    get: unused,
    each: unused,
    list: unused,
    delete: unused,
    create: echo,
    apply: echo,
    patch: echo,
  };
  const caches = {
    covers: ({ metadata }: KubeObject) => metadata.name !== "uncached",
    learn: ({ metadata }: KubeObject) => void learnt.push(metadata.name),
  };
  const writer = recordWrites(client, consistency, caches, parents);
  const write = (written: KubeObject) =>
    writer.apply(written.kind === "Parent" ? PARENT : CHILD, written, { fieldManager: "test" });
  return { consistency, learnt, store, write };
};

test("a parent's own writes are its own, whoever controls it, and a child's are its parent's, whichever version made it", async () => {
  const { consistency, learnt, store, write } = recording();
  const platform = object({ ...CHILD, kind: "Platform" }, "platform", "platform", "1");
  const parent = object(PARENT, "a", "a", "2", controlledBy(platform));
  store.put(parent, "2");
  await write(object(PARENT, "a", "a", "9", controlledBy(platform)));
  assert.deepEqual([consistency.behind("a"), consistency.behind("platform")], [["Parent"], []]);
  const owner = { ...controlledBy(parent), apiVersion: "berth.dev/v1alpha1" };
  await write(object(CHILD, "child", "child", "8", owner));
  await write(object(CHILD, "uncached", "uncached", "8", owner));
  assert.deepEqual(consistency.behind("a"), ["Parent", "Child"]);
  assert.deepEqual(learnt, ["a", "child"]);
});

test("what a parent is not waited for: what has no parent, what another kind controls, and what comes after its end", async () => {
  const { consistency, store, write } = recording();
  const [old, young] = [object(PARENT, "a", "old", "2"), object(PARENT, "a", "young", "6")];
  const other = object(PARENT, "b", "other", "3");
  store.replace([old, other], "4");
  await write(object(CHILD, "router", "router", "9", { ...controlledBy(old), controller: false }));
  await write(object(CHILD, "pod", "pod", "9", controlledBy(object(CHILD, "set", "set", "1"))));
  for (const uid of ["router", "old", "pod", "set"]) assert.deepEqual(consistency.behind(uid), [], uid);

  for (const parent of [old, other]) await write(object(CHILD, "child", "child", "9", controlledBy(parent)));
  store.put(young, "6"); // of the same name
  store.remove(other, "7");
  for (const parent of [old, other]) await write(object(CHILD, "late", "late", "10", controlledBy(parent)));
  for (const uid of ["old", "other"]) assert.deepEqual(consistency.behind(uid), [], uid);
});
