import assert from "node:assert/strict";
import { test } from "node:test";
import type { ObjectKey } from "../kube/objects.ts";
import { resync } from "./sources.ts";

const object = (name: string) => ({ apiVersion: "v1", kind: "ConfigMap", metadata: { namespace: "default", name } });

test("every object of a store is due again and again, behind what has changed, until the signal", async () => {
  const stop = new AbortController();
  const added: [ObjectKey, string | undefined][] = [];
  const add = (key: ObjectKey, priority?: string) => {
    added.push([key, priority]);
    if (added.length === 4) stop.abort();
  };
  await resync({ list: () => [object("a"), object("b")] }, { add }, stop.signal, { everyMs: 2, random: () => 0.5 });
  const [a, b] = ["a", "b"].map((name) => [{ namespace: "default", name }, "low"]);
  assert.deepEqual(added, [a, b, a, b]);
});
