import assert from "node:assert/strict";
import { test } from "node:test";
import { growth } from "./trend.ts";

const bound = { what: "memory", unit: "MiB", relative: 0.05, absolute: 2 };
const series = (value: (i: number) => number): number[] => Array.from({ length: 60 }, (_, i) => value(i));

test("what stays, falls, or grew in the warm-up only does not grow", () => {
  assert.equal(
    growth(
      series(() => 100),
      bound,
    ),
    undefined,
  );
  assert.equal(
    growth(
      series((i) => 100 - i),
      bound,
    ),
    undefined,
  );
  assert.equal(
    growth(
      series((i) => Math.min(100, 50 + 5 * i)),
      bound,
    ),
    undefined,
  );
  assert.equal(
    growth(
      series((i) => 100 + (i % 7 === 0 ? 60 : 0)),
      bound,
    ),
    undefined,
    "single peaks",
  );
});

test("what leaks grows, and too few samples prove nothing", () => {
  assert.match(
    growth(
      series((i) => 100 + i),
      bound,
    ) ?? "",
    /memory grows: 129|memory grows: 130/,
  );
  assert.match(growth([1, 2, 3], bound) ?? "", /only 3 samples/);
});
