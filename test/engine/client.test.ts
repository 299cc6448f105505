import assert from "node:assert/strict";
import { readdir, readlink } from "node:fs/promises";
import { after, test } from "node:test";
import { KubeError } from "../../operator/platform/kube/errors.ts";
import { CONFIG_MAPS, LEASES, SERVICES } from "../../operator/platform/kube/resources.ts";
import { configMap, connect } from "./connection.ts";

const { client, transport } = connect();
const run = `engine-${process.pid}`;
const key = (name: string) => ({ namespace: "default", name });
const manager = { fieldManager: "berth-engine-test" };
after(async () => {
  for (const { metadata } of (await client.list(CONFIG_MAPS, { namespace: "default", labelSelector: `run=${run}` }))
    .items) {
    await client.delete(CONFIG_MAPS, key(metadata.name));
  }
  await transport.close();
});

const rejection = async (call: Promise<unknown>): Promise<KubeError> => {
  const error = await call.then(
    () => new Error("the call succeeded"),
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof KubeError, String(error));
  return error;
};

test("create, get, apply and delete", async () => {
  const object = configMap(`${run}-a`, { run }, { colour: "red" });
  const created = await client.create(CONFIG_MAPS, object, manager);
  assert.ok(created.metadata.uid);
  const again = await rejection(client.create(CONFIG_MAPS, object, manager));
  assert.deepEqual([again.kind, again.reason], ["conflict", "AlreadyExists"]);
  assert.match(again.message, new RegExp(`^create ConfigMap default/${run}-a: `));

  await client.apply(CONFIG_MAPS, configMap(`${run}-b`, { run }, { one: "1", two: "2" }), manager);
  await client.apply(CONFIG_MAPS, configMap(`${run}-b`, { run }, { two: "2" }), manager);
  assert.deepEqual((await client.get(CONFIG_MAPS, key(`${run}-b`))).data, { two: "2" });

  assert.equal((await rejection(client.delete(CONFIG_MAPS, key(`${run}-a`), { uid: "other" }))).kind, "conflict");
  await client.delete(CONFIG_MAPS, key(`${run}-a`), { uid: created.metadata.uid });
  const gone = await rejection(client.get(CONFIG_MAPS, key(`${run}-a`)));
  assert.deepEqual([gone.kind, gone.status], ["notFound", 404]);
});

test("a wrong object is terminal, and the message names its field", async () => {
  const lease = {
    apiVersion: "coordination.k8s.io/v1",
    kind: "Lease",
    metadata: { name: run, namespace: "default" },
    spec: { leaseDurationSeconds: -1 },
  };
  const error = await rejection(client.apply(LEASES, lease, manager));
  assert.deepEqual([error.kind, error.reason, error.status], ["terminal", "Invalid", 422]);
  assert.match(error.message, /spec\.leaseDurationSeconds/);
});

test("an apply that carries an old resourceVersion conflicts", async () => {
  const first = await client.apply(CONFIG_MAPS, configMap(`${run}-c`, { run }, { n: "1" }), manager);
  await client.apply(CONFIG_MAPS, configMap(`${run}-c`, { run }, { n: "2" }), manager);
  const late = configMap(`${run}-c`, { run }, { n: "3" });
  const { resourceVersion } = first.metadata;
  assert.ok(resourceVersion);
  const withVersion = { ...late, metadata: { ...late.metadata, resourceVersion } };
  assert.equal((await rejection(client.apply(CONFIG_MAPS, withVersion, manager))).kind, "conflict");
});

test("status is written apart from the rest", async () => {
  // A Service without pods: on a whole cluster no controller writes its status.
  const name = `${run}-service`;
  const head = { apiVersion: "v1", kind: "Service", metadata: { name, namespace: "default" } };
  await client.create(SERVICES, { ...head, spec: { clusterIP: "None", ports: [{ port: 80 }] } }, manager);
  const lastTransitionTime = "2026-01-01T00:00:00Z";
  const conditions = [{ type: "Tested", status: "True", reason: "Test", message: "", lastTransitionTime }];
  const withStatus = { ...head, status: { conditions } };
  await client.apply(SERVICES, withStatus, { ...manager, subresource: "status" });
  const now = await client.get(SERVICES, key(name));
  assert.deepEqual([now.status?.conditions, now.spec?.ports?.[0]?.port], [conditions, 80]);
  await client.delete(SERVICES, key(name));
});

const sockets = async (): Promise<number> => {
  const names = await readdir("/proc/self/fd");
  const links = await Promise.all(names.map((name) => readlink(`/proc/self/fd/${name}`).catch(() => "")));
  return links.filter((link) => link.startsWith("socket:")).length;
};

test("400 calls share a few connections", async () => {
  const get = () => client.list(CONFIG_MAPS, { namespace: "default", limit: 1 });
  const before = await sockets();
  for (let i = 0; i < 200; i++) await get();
  const sequential = await sockets();
  await Promise.all(Array.from({ length: 200 }, get));
  const parallel = await sockets();
  assert.ok(
    parallel - before <= 8 && sequential - before <= 1,
    `${sequential} sockets after 200 calls in turn, ${parallel} after 200 at once`,
  );
});

test("an aborted call rejects at once", async () => {
  const error = await rejection(client.get(CONFIG_MAPS, key("any"), AbortSignal.abort()));
  assert.deepEqual([error.kind, error.reason], ["retryable", "Aborted"]);
});
