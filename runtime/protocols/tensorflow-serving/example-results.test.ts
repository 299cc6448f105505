import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { writeClassifications, writeRegressions } from "./example-results.ts";
import { FIXED32, LENGTH, visitFields } from "./wire.ts";

/** The messages in field 1. */
const inner = (bytes: Uint8Array): Uint8Array[] => {
  const all: Uint8Array[] = [];
  visitFields(bytes, (field, wire, value) => {
    assert.deepEqual([field, wire], [1, LENGTH]);
    if (wire === LENGTH) all.push(value);
  });
  return all;
};

test("classes come back as they were written, whatever their labels are", () => {
  const label = fc.uint8Array({ maxLength: 300 });
  const rows = fc.integer({ min: 0, max: 5 });
  const classes = fc.integer({ min: 0, max: 40 });
  fc.assert(
    fc.property(rows, classes, fc.option(fc.infiniteStream(label)), (rows, classes, stream) => {
      const count = rows * classes;
      const labels = stream === null ? undefined : Array.from({ length: count }, () => stream.next().value);
      const scores = Array.from({ length: count }, (_, i) => i / 2);
      const written = inner(writeClassifications(scores, labels, classes, rows));
      assert.equal(written.length, rows);
      const read = written.flatMap(inner);
      assert.equal(read.length, count);
      for (const [at, one] of read.entries()) {
        const tail = Buffer.from(one.subarray(one.length - 5));
        assert.deepEqual([tail[0], tail.readFloatLE(1)], [2 * 8 + FIXED32, scores[at]]);
        const [found] = inner(one.subarray(0, one.length - 5));
        assert.deepEqual(found === undefined ? undefined : Buffer.from(found), labels && Buffer.from(labels[at] ?? []));
      }
    }),
    { seed: 5, numRuns: 200 },
  );
});

test("a regression is its value", () => {
  const read = inner(writeRegressions([1.5, -2])).map((one) => [one[0], Buffer.from(one).readFloatLE(1)]);
  assert.deepEqual(read, [
    [8 + FIXED32, 1.5],
    [8 + FIXED32, -2],
  ]);
});
