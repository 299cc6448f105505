import assert from "node:assert/strict";
import { test } from "node:test";
import { decideRestart, describeGiveUp } from "./restart.ts";

test("a shard that was ready starts again at once, another one waits longer each time", () => {
  assert.deepEqual(decideRestart([0], 0, true, []), { delayMs: 0 });
  assert.deepEqual(decideRestart([0], 0, false, []), { delayMs: 250 });
  assert.deepEqual(decideRestart([0, 1, 2, 3], 3, false, []), { delayMs: 2000 });
});

const FIVE = [0, 10_000, 20_000, 30_000, 59_999];

test("of the only shard five ends within a minute are enough, whether it was ready or not; older ones do not count", () => {
  assert.equal(decideRestart(FIVE, 59_999, true, []), "give-up");
  assert.equal(decideRestart(FIVE, 59_999, false, []), "give-up");
  assert.deepEqual(decideRestart([...FIVE.slice(0, 4), 60_000], 60_000, true, []), { delayMs: 0 });
});

test("one that keeps ending waits, and ends nobody else, while another serves or may yet", () => {
  const nine = Array.from({ length: 9 }, (_, i) => 50_000 + i);
  assert.deepEqual(decideRestart(nine, 50_010, true, [{ ends: nine, serving: true }]), { delayMs: 15_000 });
  assert.deepEqual(decideRestart(FIVE, 59_999, true, [{ ends: [1, 2, 3, 4], serving: false }]), { delayMs: 4000 });
  assert.equal(decideRestart(FIVE, 59_999, true, [{ ends: FIVE, serving: false }]), "give-up");
  assert.deepEqual(
    decideRestart(FIVE, 59_999, true, [
      { ends: FIVE, serving: false },
      { ends: nine, serving: true },
    ]),
    { delayMs: 4000 },
  );
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
