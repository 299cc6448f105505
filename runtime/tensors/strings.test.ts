import assert from "node:assert/strict";
import { isUtf8 } from "node:buffer";
import { test } from "node:test";
import fc from "fast-check";
import { encodeStrings, MOST_STRINGS, splitStrings, stringStarts, wrongStrings } from "./strings.ts";

const texts = fc.array(
  fc.oneof(
    fc.string({ unit: "binary", maxLength: 200 }).map((text) => text.replaceAll("\0", "0")),
    fc.constantFrom("", "a", "grüße", "🚢".repeat(40)),
  ),
);
/** Small lengths, so that what is no string is often nearly one. */
const anyBytes = fc
  .array(fc.constantFrom(0, 0, 0, 1, 2, 65, 0xc3, 0xbc, 0xff), { maxLength: 60 })
  .map((bytes) => Uint8Array.from(bytes));

test("strings come back as they were, at any offset of their buffer", () => {
  fc.assert(
    fc.property(texts, fc.nat({ max: 9 }), (values, offset) => {
      const encoded = encodeStrings(values);
      const bytes = Buffer.concat([Buffer.alloc(offset, 255), encoded]).subarray(offset);
      const split = splitStrings(bytes, values.length) ?? assert.fail("no strings");
      assert.deepEqual(
        split.map((one) => Buffer.from(one).toString()),
        values.map((text) => Buffer.from(text).toString()),
      );
      assert.equal(wrongStrings(bytes, values.length), undefined);
      assert.equal(stringStarts(bytes, values.length + 1), undefined);
      if (values.length > 0) assert.equal(stringStarts(bytes, values.length - 1), undefined);
    }),
  );
});

test("what a check of each string by itself refuses is refused, and nothing else", () => {
  fc.assert(
    fc.property(anyBytes, fc.nat({ max: 12 }), (bytes, count) => {
      const split = splitStrings(bytes, count);
      const good = split?.every((one) => !one.includes(0) && isUtf8(one)) ?? false;
      assert.equal(wrongStrings(bytes, count) === undefined, good);
    }),
    { numRuns: 5000 },
  );
});

test("a character that is cut into two strings is UTF-8 in neither", () => {
  const [first = 0, second = 0] = Buffer.from("ü");
  assert.match(
    wrongStrings(encodeStrings([Uint8Array.of(first), Uint8Array.of(second)]), 2) ?? "",
    /string 0 is not UTF-8/,
  );
});

test("as many strings as are allowed take memory for their bytes and an index, not for an object each", () => {
  const bytes = new Uint8Array(4 * MOST_STRINGS);
  const before = process.memoryUsage().heapUsed;
  const starts = stringStarts(bytes, MOST_STRINGS);
  assert.equal(starts?.length, MOST_STRINGS + 1);
  const heap = process.memoryUsage().heapUsed - before;
  assert.ok(heap < 4 * 1024 ** 2, `${heap} bytes of heap`);
});
