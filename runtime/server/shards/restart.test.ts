import assert from "node:assert/strict";
import { test } from "node:test";
import { decideRestart, describeGiveUp } from "./restart.ts";

test("a shard that was ready starts again at once, another one waits longer each time", () => {
  assert.deepEqual(decideRestart([0], 0, true), { delayMs: 0 });
  assert.deepEqual(decideRestart([0], 0, false), { delayMs: 250 });
  assert.deepEqual(decideRestart([0, 1, 2, 3], 3, false), { delayMs: 2000 });
});

test("five ends within a minute are enough, whether it was ready or not; older ones do not count", () => {
  const five = [0, 10_000, 20_000, 30_000, 59_999];
  assert.equal(decideRestart(five, 59_999, true), "give-up");
  assert.equal(decideRestart(five, 59_999, false), "give-up");
  assert.deepEqual(decideRestart([...five.slice(0, 4), 60_000], 60_000, true), { delayMs: 0 });
});

test("only a model that was never ready and was not killed is to blame", () => {
  const loading = { how: "it was ended by SIGSEGV", signal: "SIGSEGV", step: "load" } as const;
  assert.equal(describeGiveUp(loading, false).code, "ModelInvalid");
  assert.equal(describeGiveUp({ ...loading, step: "warm-up" }, false).code, "WarmUpFailed");
  assert.equal(describeGiveUp({ ...loading, step: "serving" }, true).code, undefined);
  assert.equal(describeGiveUp(loading, true).code, undefined);
  const killed = describeGiveUp({ how: "it was ended by SIGKILL", signal: "SIGKILL", step: "load" }, false);
  assert.equal(killed.code, undefined);
  assert.match(killed.message, /while loading the model: it was ended by SIGKILL; .*resources\.limits\.memory/);
});
