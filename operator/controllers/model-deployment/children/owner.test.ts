import assert from "node:assert/strict";
import { test } from "node:test";
import { API_VERSION, GROUP, KIND } from "../../../api/v1alpha1/index.ts";
import { wasOwnedByNamesake } from "./owner.ts";

test("a child of a namesake is known in whichever version of ours it was made, and no other group's is taken for one", () => {
  const owner = { name: "digits", namespace: "default", uid: "young" };
  const child = (apiVersion: string, uid = "old", kind: string = KIND) => ({
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "digits", ownerReferences: [{ apiVersion, kind, name: "digits", uid, controller: true }] },
  });
  for (const version of [API_VERSION, `${GROUP}/v1beta1`])
    assert.equal(wasOwnedByNamesake(owner, child(version)), true);
  assert.equal(wasOwnedByNamesake(owner, child("models.example/v1alpha1")), false);
  assert.equal(wasOwnedByNamesake(owner, child(API_VERSION, "young")), false);
  assert.equal(wasOwnedByNamesake(owner, child(API_VERSION, "old", "ModelRollout")), false);
});
