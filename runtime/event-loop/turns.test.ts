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
  assert.deepEqual(await play([4, 4, 4, 4, 2, 30, 2]), [[0, 1], [2, 3, 4], [5], [6], []]);
});

test("what is brief does not stand behind what is not, and neither waits for ever", async () => {
  assert.deepEqual(await play([8, 8, 12, 1, 1, 1]), [[0, 3, 4], [5, 1], [2], []]);
  const turns = await play([9, 9, 9, ...Array<number>(40).fill(1)]);
  assert.deepEqual(
    turns.slice(1, 4).map((turn) => [turn.length, Math.min(...turn)]),
    [
      [11, 1],
      [11, 2],
      [10, 24],
    ],
  );
});

test("each piece is done once, in the order of its kind, and no turn is full twice", async () => {
  const pieces = fc.array(fc.double({ min: 0.01, max: 40, noNaN: true }), { maxLength: 200 });
  await fc.assert(
    fc.asyncProperty(pieces, async (all) => {
      const turns = await play(all);
      const isBrief = (i: number): boolean => (all[i] ?? 0) <= 1;
      const done = turns.flat();
      for (const kind of [true, false]) {
        const wanted = [...all.keys()].filter((i) => isBrief(i) === kind);
        assert.deepEqual(
          done.filter((i) => isBrief(i) === kind),
          wanted,
        );
      }
      for (const turn of turns) {
        const longest = turn.reduce((most, i) => Math.max(most, all[i] ?? 0), 0);
        const ms = turn.reduce((sum, i) => sum + (all[i] ?? 0), 0);
        assert.ok(ms <= 10 + longest + 1e-9, `${ms} ms`);
      }
    }),
  );
});
