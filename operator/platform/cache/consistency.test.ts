import assert from "node:assert/strict";
import { test } from "node:test";
import type { Client } from "../kube/client.ts";
import type { KubeObject, OwnerReference, Resource } from "../kube/objects.ts";
import { createConsistency, forgetGone, recordWrites } from "./consistency.ts";
import { createIndexedStore } from "./indexed-store.ts";

test("an owner is current once every kind's cache has seen the latest write", () => {
  const seen = new Map([
    ["Service", "99"],
    ["Deployment", "100"],
  ]);
  const consistency = createConsistency((kind) => seen.get(kind));
  assert.deepEqual(consistency.behind("uid"), []);
  consistency.wrote("uid", "Service", "100", "default");
  consistency.wrote("uid", "Service", "98", "default"); // an answer that overtook another
  consistency.wrote("uid", "Deployment", "100", "default");
  assert.deepEqual(consistency.behind("uid"), ["Service"]);
  assert.deepEqual(consistency.behind("other"), []);
  seen.set("Service", "100");
  assert.deepEqual(consistency.behind("uid"), []);
});

test("what has no cache, or no owner any more, is not waited for", () => {
  const consistency = createConsistency((kind) => (kind === "Service" ? "1" : undefined));
  consistency.wrote("uid", "Secret", "100", "default");
  assert.deepEqual(consistency.behind("uid"), []);
  consistency.wrote("uid", "Service", "2", "default");
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

/** Writes answer with the object that was written; the caches have seen everything up to 5. */
const recording = () => {
  const store = createIndexedStore<KubeObject>();
  const consistency = createConsistency(() => "5");
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
  const writer = recordWrites(client, consistency, () => true, parents);
  const write = (written: KubeObject) =>
    writer.apply(written.kind === "Parent" ? PARENT : CHILD, written, { fieldManager: "test" });
  return { consistency, store, write };
};

test("a parent's own writes are its own, whoever controls it, and a child's are its parent's, whichever version made it", async () => {
  const { consistency, store, write } = recording();
  const platform = object({ ...CHILD, kind: "Platform" }, "platform", "platform", "1");
  const parent = object(PARENT, "a", "a", "2", controlledBy(platform));
  store.put(parent, "2");
  await write(object(PARENT, "a", "a", "9", controlledBy(platform)));
  assert.deepEqual([consistency.behind("a"), consistency.behind("platform")], [["Parent"], []]);
  const owner = { ...controlledBy(parent), apiVersion: "berth.dev/v1alpha1" };
  await write(object(CHILD, "child", "child", "8", owner));
  assert.deepEqual(consistency.behind("a"), ["Parent", "Child"]);
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
