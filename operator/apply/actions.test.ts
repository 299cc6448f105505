import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { KubeObject, ObjectMeta } from "../platform/kube/objects.ts";
import { DEPLOYMENTS, POD_DISRUPTION_BUDGETS, ROLE_BINDINGS, SERVICES } from "../platform/kube/resources.ts";
import { ensure, mark, remove } from "./actions.ts";
import { signed } from "./signature.ts";

const metadata = { name: "a", namespace: "default" };
const seen = <T extends KubeObject>(object: T): T => ({
  ...object,
  metadata: { ...object.metadata, uid: "1", resourceVersion: "7" },
});
const verbs = (actions: { verb: string }[]) => actions.map(({ verb }) => verb);

const service = (spec: object) => ({ apiVersion: "v1", kind: "Service", metadata, spec });
const binding = (name: string, subjects: string[]) => ({
  apiVersion: "rbac.authorization.k8s.io/v1",
  kind: "RoleBinding",
  metadata,
  roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name },
  subjects: subjects.map((one) => ({ kind: "ServiceAccount", name: one, namespace: "default" })),
});
const deployment = (app: string) => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata,
  spec: { selector: { matchLabels: { app } }, template: {} },
});
const budget = (spec: object) => ({ apiVersion: "policy/v1", kind: "PodDisruptionBudget", metadata, spec });

describe("ensure", () => {
  it("makes anew what can never become what it should be", () => {
    assert.deepEqual(verbs(ensure(ROLE_BINDINGS, seen(binding("old", ["a"])), binding("new", ["a"]))), ["delete"]);
    assert.deepEqual(verbs(ensure(DEPLOYMENTS, seen(deployment("old")), deployment("new"))), ["delete"]);
    assert.deepEqual(
      verbs(ensure(SERVICES, seen(service({ clusterIP: "10.0.0.1" })), service({ clusterIP: "None" }))),
      ["delete"],
    );
    assert.deepEqual(verbs(ensure(SERVICES, seen(service({ clusterIP: "None" })), service({ ports: [] }))), ["delete"]);
    const intended = budget({ maxUnavailable: 1 });
    assert.deepEqual(verbs(ensure(POD_DISRUPTION_BUDGETS, seen(budget({ minAvailable: 1 })), intended)), ["delete"]);
  });

  it("waits while what is in its place is being deleted", () => {
    const going = seen(binding("old", ["a"]));
    const observed = { ...going, metadata: { ...going.metadata, deletionTimestamp: "2026-01-01T00:00:00Z" } };
    assert.deepEqual(ensure(ROLE_BINDINGS, observed, binding("new", ["a"])), []);
  });

  it("keeps what is being deleted right, as long as finalizers keep it", () => {
    const [before, after] = [service({ selector: { app: "a" } }), service({ selector: { app: "b" } })];
    const going = seen(signed(before));
    const observed = { ...going, metadata: { ...going.metadata, deletionTimestamp: "2026-01-01T00:00:00Z" } };
    assert.deepEqual(verbs(ensure(SERVICES, observed, after)), ["apply"]);
    assert.deepEqual([ensure(SERVICES, observed, before), remove(SERVICES, observed)], [[], []]);
  });

  it("takes a role from those to whom somebody else has given it", () => {
    const observed = seen(signed(binding("a", ["a", "b"])));
    assert.deepEqual(verbs(ensure(ROLE_BINDINGS, observed, binding("a", ["a"]))), ["apply"]);
  });

  const ports = [
    { name: "http", port: 80, protocol: "TCP", targetPort: "http" },
    { name: "grpc", port: 8081, protocol: "TCP", targetPort: "grpc" },
  ];
  const intended = service({ selector: { app: "a" }, ports });
  const corrections = (added: object): unknown =>
    ensure(SERVICES, seen({ ...signed(intended), spec: { ...intended.spec, ...added } }), intended).map((action) =>
      action.verb === "correct" ? action.object.spec : action.verb,
    );

  it("takes off a Service what sends requests astray", () => {
    assert.deepEqual(corrections({ internalTrafficPolicy: "Local" }), [{ internalTrafficPolicy: null }]);
    assert.deepEqual(corrections({ publishNotReadyAddresses: true }), [{ publishNotReadyAddresses: null }]);
  });

  it("puts a port of a Service right that somebody has moved, which an apply would be refused for", () => {
    const [http, grpc] = ports;
    const metrics = { name: "metrics", port: 9090, protocol: "TCP", targetPort: 9090 };
    const taken = { name: "web", port: 80, protocol: "TCP", targetPort: "http", nodePort: 30080 };
    assert.deepEqual(corrections({ ports: [{ ...http, port: 8000 }, grpc, metrics] }), [
      { ports: [http, grpc, metrics] },
    ]);
    assert.deepEqual(corrections({ ports: [{ ...http, protocol: "UDP" }, grpc] }), [{ ports }]);
    assert.deepEqual(corrections({ ports: [{ ...grpc, port: 8082 }, taken] }), [
      { ports: [{ ...taken, ...http }, grpc] },
    ]);
  });

  it("leaves on a Service what is its users' choice", () => {
    const theirs = { type: "LoadBalancer", externalTrafficPolicy: "Local", sessionAffinity: "ClientIP" };
    assert.deepEqual(corrections({ ...theirs, internalTrafficPolicy: "Cluster" }), []);
    assert.deepEqual(corrections({ ports: [...ports, { name: "metrics", port: 9090, protocol: "TCP" }] }), []);
    assert.deepEqual(corrections({ ports: ports.map((one, i) => ({ ...one, nodePort: 30_000 + i })) }), []);
  });

  it("writes again what this version renders without a field, and nothing else", () => {
    const before = service({ selector: { app: "a" }, sessionAffinity: "ClientIP" });
    const after = service({ selector: { app: "a" } });
    assert.deepEqual(ensure(SERVICES, seen(signed(before)), before), []);
    assert.deepEqual(verbs(ensure(SERVICES, seen(signed(before)), after)), ["apply"]);
  });
});

it("mark keeps the owners that somebody else has given", () => {
  const other = { apiVersion: "v1", kind: "ConfigMap", name: "x", uid: "x" };
  const own = { apiVersion: "v1", kind: "ConfigMap", name: "own", uid: "own", controller: true };
  const observed: ObjectMeta = { ...metadata, uid: "1", resourceVersion: "7", ownerReferences: [other] };
  const action = mark(SERVICES, { name: "a", ownerReferences: [own] }, { ...service({}), metadata: observed });
  assert.ok(action.verb === "mark");
  assert.deepEqual(action.object.metadata.ownerReferences, [other, own]);
  assert.equal(action.object.metadata.resourceVersion, "7");
});
