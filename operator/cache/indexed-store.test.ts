import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeObject } from "../kube/objects.ts";
import { createIndexedStore } from "./indexed-store.ts";

const object = (name: string, resourceVersion: string, owner?: string, uid = name): KubeObject => {
  const ownerReferences = [
    { apiVersion: "v1", kind: "Owner", name: "o", uid: owner ?? "", controller: owner !== undefined },
  ];
  return { apiVersion: "v1", kind: "Thing", metadata: { namespace: "n", name, uid, resourceVersion, ownerReferences } };
};

const recorded = () => {
  const store = createIndexedStore();
  const told: string[] = [];
  store.subscribe((change) =>
    told.push(`${change.type} ${(change.type === "deleted" ? change.old : change.object).metadata.name}`),
  );
  return { store, told };
};

test("a list replaces all in one step and tells only what differs", () => {
  const { store, told } = recorded();
  assert.equal(store.hasSynced(), false);
  store.replace([object("a", "1"), object("b", "2")], "5");
  assert.deepEqual([store.hasSynced(), store.resourceVersion()], [true, "5"]);
  told.length = 0;
  let sizeWhenTold = 0;
  store.subscribe((change) => {
    if (change.type === "deleted") sizeWhenTold = [...store.list()].length;
  });
  store.replace([object("b", "2"), object("c", "7"), object("d", "8")], "9");
  assert.deepEqual(told, ["deleted a", "added c", "added d"]);
  assert.equal(sizeWhenTold, 3);
});

test("a new object of an old name is an update that shows both", () => {
  const { store, told } = recorded();
  store.put(object("a", "1", "owner-1", "uid-1"), "1");
  store.replace([object("a", "4", "owner-2", "uid-2")], "4");
  assert.deepEqual(told, ["added a", "updated a"]);
  assert.deepEqual([store.ownedBy("owner-1").length, store.ownedBy("owner-2").length], [0, 1]);
});

test("the owner index follows changes and removals, and only controller owners count", () => {
  const { store } = recorded();
  store.put(object("a", "1", "owner"), "1");
  store.put(object("b", "2", "owner"), "2");
  store.put(object("c", "3"), "3");
  assert.deepEqual(
    store.ownedBy("owner").map(({ metadata }) => metadata.name),
    ["a", "b"],
  );
  store.put(object("a", "4", "other"), "4");
  store.remove(object("b", "5", "owner"), "5");
  assert.deepEqual([store.ownedBy("owner"), store.ownedBy("")], [[], []]);
  assert.equal(store.get({ namespace: "n", name: "b" }), undefined);
  assert.equal(store.resourceVersion(), "5");
});

test("a late subscriber is told what is there", () => {
  const { store } = recorded();
  store.replace([object("a", "1")], "1");
  const told: string[] = [];
  store.subscribe((change) => told.push(change.type));
  assert.deepEqual(told, ["added"]);
});
