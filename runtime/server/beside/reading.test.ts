import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { readingMs } from "./reading.ts";

/**
 * What an element of each shape takes to read, in nanoseconds: processor time of the handlers, a busy core of a shared machine, Node
 * 24.21, bodies of 600 KB. Elements are counted here, and no clock is read.
 */
const SHAPES: readonly [text: string, ns: number][] = [
  ["1", 30],
  ["0.12345", 53],
  ["0.1234567890123456", 129],
  ["0.1234567890123456789012345678901234", 723],
  ["-0", 32],
  ["NaN", 27],
  ["1e-30", 56],
  ["1e-99", 198],
  ["1e99", 210],
  ["1e0", 156],
  ["12345678", 58],
  ["90071992547409931", 922],
  ["9007199254740993111", 800],
  ["true", 35],
  ['""', 61],
  ['"a"', 53],
  ['"abcdefgh"', 85],
  [`"${"a".repeat(32)}"`, 233],
  [`"${"a".repeat(200)}"`, 1302],
  ['"é"', 278],
  [`"${"é".repeat(50)}"`, 357],
  ['"\\n"', 691],
  ['"\\u00e9"', 787],
  [`"${"a".repeat(100)}\\n"`, 1499],
  [`"${"\\n".repeat(100)}"`, 2063],
  [`"${"\\u00e9".repeat(100)}"`, 6146],
  ["[1]", 122],
  ["[true]", 71],
  ['[""]', 116],
  ["[[1]]", 122],
  ["[[[[1]]]]", 190],
  ["[]", 57],
  ['{"b64":""}', 1100],
  ['{"b64":"QUJDREVGR0g="}', 1600],
  ['{"x":1}', 2632],
  ['{"x":[1]}', 2548],
  ['{"x":""}', 2424],
  ['{"x":1,"a":1}', 2839],
];
/** Of the estimate to what it takes: never much too low, and rarely much too high. */
const LEAST = 0.5;
const MOST = 3.5;

const seeded = (seed: number) => () => {
  seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
  return seed / 2 ** 32;
};

for (const [text, ns] of SHAPES) {
  test(`the time to read ${text.slice(0, 40)} many times is estimated within a small factor`, () => {
    const length = Buffer.byteLength(text) + 1;
    for (const bytes of [500, 20_000, 600_000]) {
      const count = Math.max(1, Math.floor(bytes / length));
      // a string that is longer than a window is in few of them
      if (count < 50) continue;
      const estimate = readingMs(Buffer.from(Array(count).fill(text).join(",")), seeded(bytes));
      const ratio = estimate / (count * ns * 1e-6);
      assert.ok(ratio > LEAST && ratio < MOST, `${bytes} bytes: ${ratio.toFixed(2)} times as long`);
    }
  });
}

test("so is a text of several shapes, wherever what is dear stands in it", () => {
  const part = fc.record({ shape: fc.nat(SHAPES.length - 1), bytes: fc.integer({ min: 10_000, max: 200_000 }) });
  fc.assert(
    fc.property(fc.array(part, { minLength: 1, maxLength: 5 }), fc.integer(), (parts, seed) => {
      let ns = 0;
      const texts = parts.map(({ shape, bytes }) => {
        const [text = "", each = 0] = SHAPES[shape] ?? [];
        const count = Math.ceil(bytes / (Buffer.byteLength(text) + 1));
        ns += count * each;
        return Array(count).fill(text).join(",");
      });
      const ratio = readingMs(Buffer.from(texts.join(",")), seeded(seed)) / (ns * 1e-6);
      assert.ok(ratio > 0.8 * LEAST && ratio < 1.25 * MOST, `${ratio.toFixed(2)} times as long`);
    }),
    { seed: 4, numRuns: 100 },
  );
});

test("what is dear is found though all around it is cheap, by whatever random numbers", () => {
  const rows = Buffer.from(Array(12_000).fill('{"x":1}').join(","));
  const text = Buffer.concat([Buffer.alloc(400_000, "0.1,"), rows, Buffer.alloc(400_000, "0.1,")]);
  for (let seed = 0; seed < 50; seed++) assert.ok(readingMs(text, seeded(seed)) > 0.5 * 12_000 * 2632e-6);
});

test("nothing takes nothing", () => assert.equal(readingMs(new Uint8Array()), 0));
