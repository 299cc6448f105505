import assert from "node:assert/strict";
import { test } from "node:test";
import type { Change } from "../cache/indexed-store.ts";
import type { KubeObject, ObjectKey } from "../kube/objects.ts";
import { controllerOwner, follow, itself, resync } from "./sources.ts";

const object = (name: string) => ({ apiVersion: "v1", kind: "ConfigMap", metadata: { namespace: "default", name } });

test("every object of a store is due again and again, behind what has changed, until the signal", async () => {
  const stop = new AbortController();
  const added: [ObjectKey, string | undefined][] = [];
  const add = (key: ObjectKey, priority?: string) => {
    added.push([key, priority]);
    if (added.length === 4) stop.abort();
  };
  await resync({ list: () => [object("a"), object("b")] }, { add }, stop.signal, { everyMs: 2, random: () => 0.5 });
  const [a, b] = ["a", "b"].map((name) => [{ namespace: "default", name }, "low"]);
  assert.deepEqual(added, [a, b, a, b]);
});

test("what is told with all others after a start waits for what changes, but for what somebody waits for", () => {
  const added: [string, string | undefined][] = [];
  const add = ({ name }: ObjectKey, priority?: string) => void added.push([name, priority]);
  const told: Change<KubeObject>[] = [
    { type: "added", object: object("old"), initial: true },
    { type: "added", object: object("unseen"), initial: true },
    { type: "added", object: object("new"), initial: false },
    { type: "deleted", old: object("gone") },
  ];
  const subscribe = (listener: (change: Change<KubeObject>) => void) => told.forEach(listener);
  follow({ subscribe }, itself, { add }, ({ metadata }) => metadata.name === "unseen");
  assert.deepEqual(added, [
    ["old", "low"],
    ["unseen", "normal"],
    ["new", "normal"],
    ["gone", "normal"],
  ]);
});

test("a child's controller is found by group and kind, whichever version it was written by", () => {
  const owner = (apiVersion: string, kind = "ModelDeployment", controller = true) => {
    const reference = { apiVersion, kind, name: "digits", uid: "1", controller };
    const { metadata, ...head } = object("child");
    return { ...head, metadata: { ...metadata, ownerReferences: [reference] } };
  };
  const keysOf = controllerOwner({ apiVersion: "berth.dev/v1beta1", kind: "ModelDeployment" });
  const found = [{ namespace: "default", name: "digits" }];
  assert.deepEqual(keysOf(owner("berth.dev/v1alpha1")), found);
  assert.deepEqual(keysOf(owner("berth.dev/v1beta1")), found);
  for (const other of ["berth.example/v1beta1", "v1beta1", "v1", "berth.dev"])
    assert.deepEqual(keysOf(owner(other)), []);
  assert.deepEqual(keysOf(owner("berth.dev/v1beta1", "ModelRollout")), []);
  assert.deepEqual(keysOf(owner("berth.dev/v1beta1", "ModelDeployment", false)), []);
  assert.deepEqual(controllerOwner({ apiVersion: "v1", kind: "ModelDeployment" })(owner("v2")), found);
});
