import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createTurns } from "./turns.ts";

/** Runs pieces of work that all come in one turn, and tells what each turn did. */
const play = async (pieces: readonly number[]): Promise<number[][]> => {
  const turns: number[][] = [[]];
  let later: (() => void)[] = [];
  const { take } = createTurns((run) => later.push(run));
  for (const [i, ms] of pieces.entries()) {
    const wait = take(ms);
    if (wait === undefined) turns.at(-1)?.push(i);
    else void wait.then(() => turns.at(-1)?.push(i));
  }
  while (later.length > 0) {
    const now = later;
    later = [];
    turns.push([]);
    for (const run of now) run();
    await Promise.resolve();
    await Promise.resolve();
  }
  return turns;
};

test("what fits into a turn is done at once, the rest in the turns that follow", async () => {
  assert.deepEqual(await play([4, 4, 4, 4, 1, 30, 1]), [[0, 1], [2, 3, 4], [5], [6], []]);
});

test("each piece is done once, in order, and no turn has more than ten milliseconds unless it is one piece", async () => {
  const pieces = fc.array(fc.double({ min: 0.01, max: 40, noNaN: true }), { maxLength: 200 });
  await fc.assert(
    fc.asyncProperty(pieces, async (all) => {
      const turns = await play(all);
      assert.deepEqual(turns.flat(), [...all.keys()]);
      for (const turn of turns) {
        const ms = turn.reduce((sum, i) => sum + (all[i] ?? 0), 0);
        assert.ok(turn.length <= 1 || ms <= 10 + 1e-9, `${ms} ms`);
      }
    }),
  );
});
