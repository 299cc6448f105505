import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createPieces } from "./pieces.ts";

/** What a list of buffers keeps alive: all that each is a part of, once, and an object for each. */
const kept = (pieces: readonly Buffer[]): number => {
  const backings = new Set(pieces.map(({ buffer }) => buffer));
  return [...backings].reduce((sum, { byteLength }) => sum + byteLength, 0) + pieces.length * 115;
};

test("bytes that come one by one cost little more than their number", () => {
  const pieces = createPieces();
  let cost = 0;
  for (let i = 0; i < 1_000_000; i++) cost += pieces.add(Buffer.from("abcdef").subarray(2, 3));
  assert.ok(cost < 2_200_000, `${cost}`);
  const all = pieces.takeAll();
  assert.ok(kept(all) <= cost);
  assert.equal(Buffer.concat(all).length, 1_000_000);
});

test("a body that came in one piece is not copied, nor are large pieces", () => {
  const came = Buffer.alloc(1000);
  const pieces = createPieces();
  pieces.add(came.subarray(300));
  assert.equal(pieces.takeAll()[0]?.buffer, came.buffer);
  const large = Buffer.allocUnsafeSlow(65_536);
  for (const at of [0, 16_384, 32_768]) pieces.add(large.subarray(at, at + 16_384));
  assert.deepEqual(
    pieces.takeAll().map(({ buffer }) => buffer === large.buffer),
    [true, true, true],
  );
});

test("whatever comes is what is given, and what it takes is never more than what is counted", () => {
  const chunk = fc.record({
    before: fc.integer({ min: 0, max: 70_000 }),
    length: fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 70_000 })),
    times: fc.integer({ min: 1, max: 5 }),
  });
  fc.assert(
    fc.property(fc.array(chunk, { maxLength: 30 }), (chunks) => {
      const pieces = createPieces();
      const sent: Buffer[] = [];
      let cost = 0;
      let seed = 1;
      for (const { before, length, times } of chunks) {
        const came = Buffer.allocUnsafeSlow(before + length * times);
        for (let i = 0; i < came.length; i++) came[i] = seed = (seed * 31 + 7) & 255;
        for (let i = 0; i < times; i++) {
          const piece = came.subarray(before + i * length, before + (i + 1) * length);
          cost += pieces.add(piece);
          sent.push(Buffer.from(piece));
        }
      }
      const all = pieces.takeAll();
      assert.ok(Buffer.concat(all).equals(Buffer.concat(sent)));
      assert.ok(kept(all) <= cost, `${kept(all)} are kept, ${cost} counted`);
      assert.ok(pieces.isEmpty());
    }),
    { numRuns: 100 },
  );
});
