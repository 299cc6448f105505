import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { makesRoom } from "./signals.ts";

/** Who reads after all of `asked` have come, each as the next stream, and which of them are still there. */
const after = (asked: readonly string[]): string[] => {
  const callers: string[] = [];
  for (const caller of asked) {
    const leaves = makesRoom(callers, caller);
    if (leaves !== undefined) callers.splice(leaves, 1);
    callers.push(caller);
  }
  return callers;
};

test("a caller's third stream ends its first, and nobody else's", () => {
  assert.deepEqual(after(["a", "operator", "a", "a", "a", "a"]), ["operator", "a", "a"]);
});

test("however many read, whoever comes is let in, and nobody has more than two of sixteen", () => {
  const caller = fc.nat({ max: 30 }).map(String);
  fc.assert(
    fc.property(fc.array(caller, { maxLength: 200 }), (asked) => {
      const callers = after(asked);
      assert.ok(callers.length <= 16);
      assert.equal(callers.at(-1), asked.at(-1));
      for (const one of callers) assert.ok(callers.filter((other) => other === one).length <= 2);
    }),
  );
});
