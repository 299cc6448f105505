import assert from "node:assert/strict";
import { test } from "node:test";
import { watchTurns } from "./longest-turn.ts";

test("the longest time between two ticks is told for a minute at least, and for two at most", () => {
  let cpu = 0;
  let time = 0;
  let tick = (): void => assert.fail("nothing ticks");
  const longest = watchTurns(
    () => cpu,
    () => time,
    (_, run) => {
      tick = run;
    },
  );
  const pass = (ms: number, used: number): void => {
    time += ms;
    cpu += used;
    tick();
  };
  assert.equal(longest(), 0);
  pass(20, 5);
  pass(500, 140);
  pass(20, 1);
  assert.equal(longest(), 140, "what the thread did, not what it waited for");
  pass(60_000, 30);
  assert.equal(longest(), 140);
  pass(60_001, 2);
  assert.equal(longest(), 30);
});
