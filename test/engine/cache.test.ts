import assert from "node:assert/strict";
import { after, test } from "node:test";
import { createCaches } from "../../operator/cache/caches.ts";
import { createConsistency, recordWrites } from "../../operator/cache/consistency.ts";
import type { Change } from "../../operator/cache/indexed-store.ts";
import type { ConfigMap } from "../../operator/kube/objects.ts";
import { CONFIG_MAPS } from "../../operator/kube/resources.ts";
import { configMap, connect, eventually } from "./connection.ts";

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
  const changes: Change<ConfigMap>[] = [];
  store.subscribe((change) => changes.push(change));
  const running = caches.run(stop.signal);
  await eventually("the first list", caches.hasSynced);
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
  const consistency = createConsistency(caches.resourceVersion);
  const recorded = recordWrites(client, consistency, caches.covers);
  const child = configMap(`${run}-child`, { run }, {});
  await recorded.create(CONFIG_MAPS, { ...child, metadata: { ...child.metadata, ownerReferences: [owner] } }, manager);
  assert.equal(store.ownedBy(owner.uid).length, consistency.isCurrent(owner.uid) ? 1 : 0);
  await eventually("our own write", () => consistency.isCurrent(owner.uid));
  assert.deepEqual(
    store.ownedBy(owner.uid).map((object) => object.metadata.name),
    [`${run}-child`],
  );

  await client.delete(CONFIG_MAPS, { namespace: "default", name: `${run}-child` });
  await eventually("the deletion", () => store.ownedBy(owner.uid).length === 0);
  await client.delete(CONFIG_MAPS, { namespace: "default", name: `${run}-other` });
  stop.abort();
  await running;
  assert.deepEqual(
    changes.slice(3).map(({ type }) => type),
    ["added", "deleted"],
  );
});
