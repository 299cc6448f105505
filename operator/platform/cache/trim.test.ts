import assert from "node:assert/strict";
import { test } from "node:test";
import { trim } from "./trim.ts";

const object = (managedFields?: { manager: string; operation?: string; fieldsV1: object }[]) => ({
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

test("others have none", () => {
  for (const fields of [undefined, [{ manager: "somebody", fieldsV1: { "f:data": {} } }]]) {
    assert.deepEqual(trim(object(fields)).metadata, { name: "a" });
  }
});

test("whoever only restarts the pods has no say in their template", () => {
  const annotations = { "f:annotations": { ".": {}, "f:kubectl.kubernetes.io/restartedAt": {} } };
  const restart = { "f:spec": { "f:template": { "f:metadata": annotations } } };
  const edit = {
    "f:spec": { "f:template": { "f:metadata": { "f:annotations": { ...annotations["f:annotations"], "f:a": {} } } } },
  };
  const trimmed = trim(
    object([
      { manager: "kubectl-rollout", fieldsV1: restart },
      { manager: "kubectl-edit", fieldsV1: edit },
    ]),
  );
  assert.deepEqual(trimmed.metadata.managedFields, [{ manager: "kubectl-edit" }]);
});

test("of an object without a pod template stay those who have set spec.replicas, and how", () => {
  const replicas = { "f:spec": { "f:replicas": {} } };
  const managedFields = [
    { manager: "flux", operation: "Apply", fieldsV1: { "f:spec": { "f:model": { "f:uri": {} } } } },
    { manager: "kubectl", operation: "Update", subresource: "scale", fieldsV1: replicas },
  ];
  const kept = { manager: "kubectl", operation: "Update", subresource: "scale" };
  assert.deepEqual(trim(object(managedFields)).metadata.managedFields, [kept]);
  const deployment = { ...object(managedFields), spec: { template: {} } };
  assert.equal(trim(deployment).metadata.managedFields, undefined);
});
