import assert from "node:assert/strict";
import { after, test } from "node:test";
import { createCaches } from "../../operator/platform/cache/caches.ts";
import { createConsistency, forgetGone, recordWrites } from "../../operator/platform/cache/consistency.ts";
import type { Change } from "../../operator/platform/cache/indexed-store.ts";
import type { ConfigMap } from "../../operator/platform/kube/objects.ts";
import { CONFIG_MAPS, LEASES } from "../../operator/platform/kube/resources.ts";
import { until } from "../world/patience.ts";
import { configMap, connect } from "./connection.ts";

const { client, watch, transport } = connect();
const run = `engine-${process.pid}`;
const manager = { fieldManager: "berth-engine-test" };
const stop = new AbortController();
after(async () => {
  stop.abort();
  for (const { metadata } of (await client.list(CONFIG_MAPS, { namespace: "default", labelSelector: `run=${run}` }))
    .items) {
    await client.delete(CONFIG_MAPS, { namespace: "default", name: metadata.name });
  }
  await transport.close();
});

test("a cache follows its selector's objects, and knows what it has not seen yet", async () => {
  for (const n of [1, 2, 3]) await client.create(CONFIG_MAPS, configMap(`${run}-${n}`, { run }, { n: "0" }), manager);
  await client.create(CONFIG_MAPS, configMap(`${run}-other`, {}, {}), manager);

  const caches = createCaches(client, watch, (_kind, error) => assert.fail(error));
  const store = caches.of(CONFIG_MAPS, { run });
  const children = caches.of(LEASES, { run });
  const changes: Change<ConfigMap>[] = [];
  store.subscribe((change) => changes.push(change));
  const running = caches.run(stop.signal);
  await until("the first list", caches.hasSynced);
  assert.deepEqual(
    [...store.list()].map((object) => object.metadata.name).sort(),
    [1, 2, 3].map((n) => `${run}-${n}`),
  );
  assert.deepEqual(
    changes.map(({ type }) => type),
    ["added", "added", "added"],
  );
  const first = store.get({ namespace: "default", name: `${run}-1` });
  assert.ok(first?.metadata.uid && Object.isFrozen(first.metadata));
  assert.ok(!("managedFields" in first.metadata));

  const owner = { apiVersion: "v1", kind: "ConfigMap", name: `${run}-1`, uid: first.metadata.uid, controller: true };
  const consistency = createConsistency(caches.hasSeen);
  const parents = { resource: CONFIG_MAPS, store };
  forgetGone(parents, consistency);
  const recorded = recordWrites(client, consistency, caches, parents);
  const name = `${run}-child`;
  const metadata = { name, namespace: "default", labels: { run }, ownerReferences: [owner] };
  await recorded.create(LEASES, { apiVersion: LEASES.apiVersion, kind: LEASES.kind, metadata, spec: {} }, manager);
  assert.deepEqual(consistency.behind(owner.uid), [], "its answer is in the cache");
  assert.deepEqual(
    children.ownedBy(owner.uid).map((object) => object.metadata.name),
    [name],
  );

  await client.delete(LEASES, { namespace: "default", name });
  await until("the deletion", () => children.ownedBy(owner.uid).length === 0);
  await client.create(CONFIG_MAPS, configMap(`${run}-4`, { run }, {}), manager);
  await client.delete(CONFIG_MAPS, { namespace: "default", name: `${run}-4` });
  await until("a change of the parents", () => changes.length === 5);
  await client.delete(CONFIG_MAPS, { namespace: "default", name: `${run}-other` });
  stop.abort();
  await running;
  assert.deepEqual(
    changes.slice(3).map(({ type }) => type),
    ["added", "deleted"],
  );
});
