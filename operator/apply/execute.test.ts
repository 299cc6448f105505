import assert from "node:assert/strict";
import { test } from "node:test";
import { createWorld } from "../../test/simulation/world.ts";
import type { ConfigMap } from "../platform/kube/objects.ts";
import { CONFIG_MAPS } from "../platform/kube/resources.ts";
import { create, remove } from "./actions.ts";
import { execute } from "./execute.ts";

test("of very many actions the first hundred are tried in one go", async () => {
  const world = createWorld();
  const signal = new AbortController().signal;
  const run = (actions: Parameters<typeof execute>[1]) => execute(world.client, actions, () => undefined, signal);
  const objects = Array.from(
    { length: 250 },
    (_, i): ConfigMap => ({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: `c${i}`, namespace: "default" } }),
  );
  assert.equal((await run(objects.map((one) => create(CONFIG_MAPS, one)))).done.length, 100);
  assert.equal(world.all(CONFIG_MAPS).length, 100);
  for (let left = 100; left > 0; left -= 100) {
    await run(world.all(CONFIG_MAPS).flatMap((one) => remove(CONFIG_MAPS, one)));
  }
  assert.deepEqual([world.all(CONFIG_MAPS).length, world.writes.length], [0, 200]);
});
