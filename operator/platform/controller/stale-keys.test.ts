import assert from "node:assert/strict";
import { test } from "node:test";
import { createStaleKeys } from "./stale-keys.ts";

const key = (name: string) => ({ namespace: "default", name });

test("a key whose writes the caches have not seen is looked at less and less often, and at once when they have", () => {
  const stale = createStaleKeys(
    () => 0,
    () => undefined,
  );
  const delays = Array.from({ length: 9 }, () => stale.look(key("a"), ["Service"]));
  assert.deepEqual(delays, [100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000]);
  assert.equal(stale.look(key("b"), ["Service"]), 100);
  assert.equal(stale.look(key("a"), []), undefined);
  assert.equal(stale.look(key("a"), ["Service"]), 100);
});

test("caches that stay behind are named once in ten seconds for all keys, those that catch up are not", () => {
  let now = 0;
  const said: object[] = [];
  const stale = createStaleKeys(
    () => now,
    (what) => said.push(what),
  );
  for (; now <= 25_000; now += 500) {
    stale.look(key("a"), ["Service"]);
    stale.look(key("b"), ["Service"]);
    stale.look(key("c"), now % 2000 === 0 ? [] : ["Pod"]);
  }
  assert.deepEqual(said, [
    { kinds: ["Service"], objects: 3, seconds: 10 },
    { kinds: ["Service"], objects: 3, seconds: 20 },
  ]);
});
