import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { asApplied, withTemplate } from "./take-over.ts";

const entry = (manager: string, operation: string, fieldsV1: object, apiVersion = "v1") => ({
  ...{ apiVersion, manager, operation, fieldsV1 },
});

describe("what was posted counts as applied", () => {
  it("is nothing to do where nothing was posted", () => {
    assert.equal(asApplied([], "berth", "v1"), undefined);
    assert.equal(asApplied([entry("berth", "Apply", {}), entry("kubectl", "Update", {})], "berth", "v1"), undefined);
  });

  it("joins what was posted with what was applied, and leaves the others alone", () => {
    const others = [
      entry("kubectl", "Update", { "f:spec": { "f:type": {} } }),
      entry("berth-scaling", "Update", { "f:spec": { "f:replicas": {} } }),
      entry("berth", "Update", { "f:spec": { "f:old": {} } }, "v1beta1"),
      { ...entry("berth", "Update", { "f:status": {} }), subresource: "status" },
    ];
    const posted = entry("berth", "Update", { "f:spec": { "f:a": {}, "f:both": { ".": {}, "f:x": {} } } });
    const applied = entry("berth", "Apply", { "f:spec": { "f:b": {}, "f:both": { ".": {}, "f:y": {} } } });
    const fields = { "f:spec": { "f:a": {}, "f:b": {}, "f:both": { ".": {}, "f:x": {}, "f:y": {} } } };
    assert.deepEqual(asApplied([posted, ...others, applied], "berth", "v1"), [
      ...others,
      entry("berth", "Apply", fields),
    ]);
  });
});

describe("a pod template that is put right", () => {
  const spec = (template: object, rest: object = {}) => ({ "f:spec": { ...rest, "f:template": template } });

  it("is applied by us alone, and what others have beside it stays theirs", () => {
    const status = { ...entry("kube-controller-manager", "Update", { "f:status": {} }), subresource: "status" };
    const ours = entry("berth", "Update", spec({ "f:spec": { "f:volumes": {} } }));
    const entries = [
      entry("velero", "Update", spec({ "f:spec": { ".": {}, "f:x": {} } }, { "f:paused": {} })),
      entry("kubectl-edit", "Update", spec({ "f:spec": { "f:y": {} } })),
      ...[ours, status],
    ];
    const template = { "f:spec": { ".": {}, "f:x": {}, "f:y": {} } };
    assert.deepEqual(withTemplate(entries, "berth", "v1"), [
      ...[ours, status, entry("velero", "Update", { "f:spec": { "f:paused": {} } })],
      { ...entry("berth", "Apply", spec(template)), fieldsType: "FieldsV1" },
    ]);
  });

  it("keeps what we have applied", () => {
    const applied = entry("berth", "Apply", spec({ "f:metadata": {} }));
    const entries = [applied, entry("kubectl-edit", "Update", spec({ "f:spec": {} }))];
    assert.deepEqual(withTemplate(entries, "berth", "v1"), [
      entry("berth", "Apply", spec({ "f:metadata": {}, "f:spec": {} })),
    ]);
  });
});
