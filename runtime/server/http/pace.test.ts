import assert from "node:assert/strict";
import { test } from "node:test";
import { createPace } from "./pace.ts";

const MIB = 1024 ** 2;

test("who brings more than four megabytes in one turn waits for the next, and nobody else does", () => {
  let turns: (() => void)[] = [];
  const pace = createPace(undefined, (run) => turns.push(run));
  const log: string[] = [];
  const source = (name: string) => ({
    pause: () => log.push(`${name} waits`),
    resume: () => log.push(`${name} goes on`),
  });
  const [a, b, c] = [source("a"), source("b"), source("c")];
  pace(a, 3 * MIB);
  pace(b, 2 * MIB);
  pace(c, 1);
  assert.deepEqual(log, ["b waits", "c waits"]);
  const [turn] = turns;
  assert.equal(turns.length, 1);
  turns = [];
  turn?.();
  assert.deepEqual(log.slice(2), ["b goes on", "c goes on"]);
  pace(a, 3 * MIB);
  assert.equal(log.length, 4, "what came in the turn before does not count");
});

test("what pieces leave is collected within the turn in which they come", () => {
  let collected = 0;
  const pace = createPace({ mostBytes: 16 * MIB, collect: () => collected++ }, () => undefined);
  const source = { pause: () => undefined, resume: () => undefined };
  for (let i = 0; i < 1000; i++) pace(source, 65_536);
  assert.equal(collected, 3);
});
