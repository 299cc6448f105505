import assert from "node:assert/strict";
import { test } from "node:test";
import type { ObjectMeta, OwnerReference, Pod } from "./objects.ts";
import { isPodOf } from "./pod-owner.ts";

const owner = (rest: Partial<OwnerReference> = {}): OwnerReference => ({
  ...{ apiVersion: "apps/v1", kind: "ReplicaSet", name: "web-5d4f", uid: "u", controller: true, ...rest },
});
const pod = (metadata: Partial<ObjectMeta> = {}): Pod => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "web-5d4f-x", labels: { "pod-template-hash": "5d4f" }, ownerReferences: [owner()], ...metadata },
});

test("a pod is of a Deployment by the ReplicaSet that controls it, and by nothing less", () => {
  assert.equal(isPodOf(pod(), "web"), true);
  for (const [what, metadata] of Object.entries<Partial<ObjectMeta>>({
    "no owner": { ownerReferences: [] },
    "an owner that does not control": { ownerReferences: [owner({ controller: false })] },
    "another kind": { ownerReferences: [owner({ kind: "Job" })] },
    "another group": { ownerReferences: [owner({ apiVersion: "example.com/v1" })] },
    "a ReplicaSet that only begins with the name": { ownerReferences: [owner({ name: "web-of-others-5d4f" })] },
    "a ReplicaSet of another template": { ownerReferences: [owner({ name: "web-77aa" })] },
    "no hash": { labels: {}, ownerReferences: [owner({ name: "web-" })] },
    "an empty hash": { labels: { "pod-template-hash": "" }, ownerReferences: [owner({ name: "web-" })] },
  }))
    assert.equal(isPodOf(pod(metadata), "web"), false, what);
  assert.equal(isPodOf(pod(), "web-5d4f"), false);
});
