import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { DATATYPES, type Datatype, elements, floats, isDatatype } from "../../tensors/index.ts";
import { splitStrings } from "../../tensors/strings.ts";
import { EXTREME, PLAIN, type Recipe, sample, seeded, WIDE } from "./samples.ts";

const ALL: readonly Datatype[] = ["BYTES", ...Object.keys(DATATYPES).filter(isDatatype)];

test("rows of every recipe and type have as many elements as their shape says, and come again from the same seed", () => {
  for (const datatype of ALL) {
    for (const recipe of [PLAIN, ...WIDE, ...EXTREME]) {
      const [one, other] = [7, 7].map((seed) => sample(datatype, [3, 4], seeded(seed), recipe, 300));
      assert.deepEqual(one, other, recipe.name);
      const bytes = one?.bytes ?? new Uint8Array(0);
      const count = datatype === "BYTES" ? splitStrings(bytes, 12)?.length : elements(datatype, bytes).length;
      assert.equal(count, 12, `${datatype} ${recipe.name}`);
    }
  }
});

test("a half is the nearest one, as the language rounds it", () => {
  const of = (value: number): number => {
    const recipe: Recipe = { ...PLAIN, float: () => value };
    return floats(sample("FP16", [1], seeded(1), recipe))?.[0] ?? 0;
  };
  const finite = fc.double({ min: -65_000, max: 65_000, noNaN: true });
  fc.assert(
    fc.property(finite, (value) => {
      // a tie may go either way: half of the last of 11 bits
      const [held, nearest] = [of(value), new Float16Array([value])[0] ?? 0];
      assert.ok(Math.abs(held - value) <= Math.abs(nearest - value) * (1 + 1e-9), `${value}: ${held}, not ${nearest}`);
    }),
  );
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])
    assert.ok(Object.is(of(value), value));
  assert.equal(of(1e30), 65_504, "a huge number is the greatest half, not infinite");
});

test("whole numbers stay within their type and range", () => {
  const range = 300;
  for (const recipe of WIDE) {
    const all = elements("INT64", sample("INT64", [500], seeded(3), recipe, range).bytes);
    assert.ok(
      Array.from(all, Number).every((value) => value >= 0 && value < range),
      recipe.name,
    );
    const bytes = sample("UINT8", [500], seeded(3), recipe, 256).bytes;
    assert.equal(bytes.length, 500);
  }
});
