import assert from "node:assert/strict";
import { it } from "node:test";
import { NETWORK_POLICIES } from "../platform/kube/resources.ts";
import type { Action } from "./actions.ts";
import { contestInWords } from "./contest.ts";

const metadata = { name: "a", namespace: "default", uid: "u" };
const policy = {
  apiVersion: "networking.k8s.io/v1",
  kind: "NetworkPolicy",
  metadata,
  spec: { ingress: [], egress: [] },
};
const action: Action = { verb: "apply", resource: NETWORK_POLICIES, object: policy, manager: "berth" };
const contested = { action, times: 5, waitMs: 10_000 };

it("names the field that is changed, and its manager", () => {
  const managedFields = [
    { manager: "berth", fieldsV1: { "f:spec": { "f:ingress": {} } } },
    { manager: "bystander", fieldsV1: { "f:metadata": {} } },
    { manager: "kubectl-edit", fieldsV1: { "f:spec": { "f:ingress": {} } } },
    { manager: "late", fieldsV1: { "f:metadata": {} } },
  ];
  const live = { ...policy, metadata: { ...metadata, managedFields }, spec: { ingress: [{}], egress: [] } };
  assert.match(
    contestInWords(contested, live),
    /^NetworkPolicy a: kubectl-edit \(a field manager\) changes spec\.ingress each time: Berth has written it 5 times/,
  );
});

it("says that an object is deleted, or made again", () => {
  assert.match(contestInWords(contested, undefined), /^something deletes NetworkPolicy a each time/);
  const removed: Action = { verb: "delete", resource: NETWORK_POLICIES, name: "a", namespace: "default", uid: "u" };
  assert.match(
    contestInWords({ ...contested, action: removed }, policy),
    /^something creates .* again each time Berth deletes it/,
  );
});
