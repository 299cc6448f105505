import assert from "node:assert/strict";
import { test } from "node:test";
import { createRate } from "./rate.ts";

test("a burst is had at once, then so much each second", () => {
  const may = createRate({ burst: 3, perSecond: 10 });
  const at = (now: number) => Array.from({ length: 5 }, () => may(now)).filter(Boolean).length;
  assert.equal(at(0), 3);
  // what was asked for in vain counts: who goes on asking waits longer
  assert.equal(at(300), 1);
  assert.equal(at(100_000), 3);
});

test("a clock that stands still gives nothing", () => {
  const may = createRate({ burst: 1, perSecond: 1000 });
  assert.deepEqual([may(500), may(500), may(501), may(503)], [true, false, false, true]);
});
