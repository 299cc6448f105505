import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createCrashers } from "./crashers.ts";
import { floats } from "./simulated.ts";

const asked = (value: number, outputs = ["y"]) => ({ inputs: new Map([["x", floats([1, 1], [value])]]), outputs });

test("what ended a process by itself is known at once, and for ten minutes", () => {
  const crashers = createCrashers();
  assert.equal(crashers.crashedAt(asked(1), 0), undefined);
  crashers.note(asked(1), 1000, false);
  assert.equal(crashers.crashedAt(asked(1), 2000), 1000);
  assert.equal(crashers.crashedAt(asked(2), 2000), undefined, "other values");
  assert.equal(crashers.crashedAt(asked(1, ["z"]), 2000), undefined, "other outputs run other nodes");
  assert.equal(crashers.crashedAt(asked(1, ["y", "z"]), 2000), 1000, "more outputs run the same nodes, too");
  assert.equal(crashers.crashedAt(asked(1), 1000 + 599_999), 1000);
  assert.equal(crashers.crashedAt(asked(1), 1000 + 600_000), undefined);
});

test("a process that was killed while a request ran may be no fault of it: the second time is", () => {
  const crashers = createCrashers();
  crashers.note(asked(1), 0, true);
  assert.equal(crashers.crashedAt(asked(1), 1), undefined);
  crashers.note(asked(1), 10, true);
  assert.equal(crashers.crashedAt(asked(1), 11), 10);
  crashers.note(asked(2, ["y"]), 20, true);
  crashers.note(asked(2, ["y", "z"]), 30, true);
  assert.equal(crashers.crashedAt(asked(2, ["y", "z"]), 31), 30, "whichever outputs it names");
});

test("the order in which inputs and outputs are named makes no difference", () => {
  const crashers = createCrashers();
  const [a, b] = [floats([1], [1]), floats([1], [2])];
  const one = {
    inputs: new Map([
      ["a", a],
      ["b", b],
    ]),
    outputs: ["y", "z"],
  };
  const other = {
    inputs: new Map([
      ["b", b],
      ["a", a],
    ]),
    outputs: ["z", "y"],
  };
  crashers.note(one, 0, false);
  assert.equal(crashers.crashedAt(other, 1), 0);
});

test("at most 256 are remembered, the last ones", () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 600 }), { maxLength: 900 }), (values) => {
      const crashers = createCrashers();
      for (const [i, value] of values.entries()) crashers.note(asked(value), i, false);
      const last = [...new Set(values.toReversed())].slice(0, 256);
      const known = Array.from({ length: 601 }, (_, value) => value).filter(
        (value) => crashers.crashedAt(asked(value), values.length) !== undefined,
      );
      assert.deepEqual(
        known,
        last.sort((one, two) => one - two),
      );
    }),
    { numRuns: 20 },
  );
});
