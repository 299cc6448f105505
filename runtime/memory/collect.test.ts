import assert from "node:assert/strict";
import { test } from "node:test";
import { handTimers } from "../../test/world/hand-timers.ts";
import { collectWhenQuiet } from "./collect.ts";

test("what large messages leave is collected once none has come for a while, and small ones leave nothing to do", () => {
  const timers = handTimers();
  let collected = 0;
  const freed = collectWhenQuiet(30_000_000, () => collected++, timers.after);
  for (let i = 0; i < 1000; i++) freed(60_000);
  assert.equal(timers.begun(2000), 0);
  freed(9_000_000);
  timers.ring(2000);
  assert.equal(collected, 1);
  for (let i = 0; i < 8; i++) freed(1_000_000);
  timers.ring(2000);
  assert.equal(collected, 1, "little together");
  freed(1_000_000);
  timers.ring(2000);
  assert.equal(collected, 2);
  for (let i = 0; i < 4; i++) freed(9_000_000);
  timers.ring(0);
  assert.equal(collected, 3, "too much to wait for quiet");
});

test("memory outside of V8's heap comes back, though nothing is allocated", async () => {
  let ring = (): void => assert.fail("no timer was set");
  const freed = collectWhenQuiet(1e9, undefined, (_, run) => {
    ring = run;
    return { refresh: () => undefined, close: () => undefined };
  });
  const large = (): WeakRef<Uint8Array>[] => Array.from({ length: 20 }, () => new WeakRef(new Uint8Array(1024 ** 2)));
  const left = large();
  // a WeakRef keeps what it refers to until the turn ends in which it was made
  await new Promise(setImmediate);
  freed(20 * 1024 ** 2);
  ring();
  // that it is no longer reachable: V8 gives the memory itself back on a thread of its own
  assert.equal(left.filter((one) => one.deref() !== undefined).length, 0);
});
