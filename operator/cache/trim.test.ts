import assert from "node:assert/strict";
import { test } from "node:test";
import { trim } from "./trim.ts";

const object = (managedFields?: { manager: string; fieldsV1: object }[]) => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "a", ...(managedFields === undefined ? {} : { managedFields }) },
});

test("of managed fields the names of those stay who own something in a pod template", () => {
  const trimmed = trim(
    object([
      { manager: "berth", fieldsV1: { "f:spec": { "f:template": { "f:spec": {} } } } },
      { manager: "kube-controller-manager", fieldsV1: { "f:status": { "f:replicas": {} } } },
      { manager: "kubectl-edit", fieldsV1: { "f:spec": { "f:template": { "f:metadata": {} } } } },
    ]),
  );
  assert.deepEqual(trimmed.metadata.managedFields, [{ manager: "berth" }, { manager: "kubectl-edit" }]);
});

test("others have none, and everything is frozen", () => {
  for (const fields of [undefined, [{ manager: "somebody", fieldsV1: { "f:data": {} } }]]) {
    const trimmed = trim(object(fields));
    assert.deepEqual(trimmed.metadata, { name: "a" });
    assert.ok(Object.isFrozen(trimmed.metadata));
  }
});
