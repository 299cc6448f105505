import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { canonicalQuantity, parseQuantity, sameQuantity } from "./quantity.ts";

const ONE = 10n ** 9n;
const MOST = (2n ** 63n - 1n) * ONE;

describe("a quantity", () => {
  it("is whatever the API server takes for one", () => {
    for (const [text, expected] of [
      ["2", 2n * ONE],
      [".5", ONE / 2n],
      ["5.", 5n * ONE],
      ["+1", ONE],
      ["-1.5", (-3n * ONE) / 2n],
      ["100u", 100_000n],
      ["7n", 7n],
      ["250m", ONE / 4n],
      ["18e9", 18n * 10n ** 18n],
      ["1E3", 1000n * ONE],
      ["1e+3", 1000n * ONE],
      ["5e-1", ONE / 2n],
      ["1E", 10n ** 27n],
      ["1.5Gi", 3n * 2n ** 29n * ONE],
      ["Gi", 0n],
      [".", 0n],
      [0.5, ONE / 2n],
      [1e21, MOST],
      [1e-7, 100n],
    ] as const)
      assert.equal(parseQuantity(text), expected, String(text));
  });

  it("is nothing else", () => {
    for (const text of ["", " 1", "1 Gi", "1e", "1ee3", "1e3.5", "1K", "1ki", "1mi", "--1", "0x10", "1,5", "1e3Gi"])
      assert.equal(parseQuantity(text), undefined, text);
  });

  it("rounds away from zero to a billionth, and goes no further than Kubernetes counts", () => {
    assert.equal(parseQuantity("0.1n"), 1n);
    assert.equal(parseQuantity("-1.5n"), -2n);
    assert.equal(parseQuantity("10Ei"), MOST);
    assert.equal(parseQuantity("-10Ei"), -MOST);
  });

  it("costs the same whatever its exponent and its length", () => {
    const large = String(Number.MAX_SAFE_INTEGER);
    assert.equal(parseQuantity(`1e${large}`), MOST);
    assert.equal(parseQuantity(`-1e${large}${large}`), -MOST);
    assert.equal(parseQuantity(`1e-${large}`), 1n);
    assert.equal(parseQuantity(`0e${large}`), 0n);
    assert.equal(parseQuantity(`1${"0".repeat(1_000_000)}e-1000000`), ONE);
    assert.equal(parseQuantity(`0.${"0".repeat(1_000_000)}1`), 1n);
    assert.equal(parseQuantity("9".repeat(1_000_000)), MOST);
    assert.equal(parseQuantity(`1.${"0".repeat(500)}1`), ONE + 1n);
  });

  it("has the value that its digits and its unit say", () => {
    const units = { n: -9, u: -6, m: -3, "": 0, k: 3, M: 6, G: 9, e2: 2, "E-4": -4, "e+5": 5 };
    const unit = fc.constantFrom(...Object.entries(units));
    const digits = fc.integer({ min: 0, max: 9_999_999 });
    fc.assert(
      fc.property(digits, fc.integer({ min: 0, max: 7 }), unit, (number, places, [suffix, power]) => {
        const text = String(number).padStart(places + 1, "0");
        const point = text.length - places;
        const quantity = `${text.slice(0, point)}.${text.slice(point)}${suffix}`;
        // in billionths of billionths, so that nothing is rounded here
        const exact = BigInt(number) * 10n ** BigInt(18 + power - places);
        assert.equal(parseQuantity(quantity), (exact + ONE - 1n) / ONE, quantity);
      }),
    );
  });

  it("compares as the API server keeps it for a container", () => {
    assert.ok(sameQuantity("1024Mi", "1Gi"));
    assert.ok(sameQuantity(0.5, "500m"));
    assert.ok(sameQuantity("100u", "1m"));
    assert.ok(!sameQuantity("1m", "2m"));
    assert.ok(!sameQuantity("nonsense", "0"));
    assert.equal(canonicalQuantity("1e9"), canonicalQuantity("1G"));
    assert.equal(canonicalQuantity(".5"), canonicalQuantity(0.5));
    assert.equal(canonicalQuantity("100u"), canonicalQuantity("1m"));
    assert.equal(canonicalQuantity("1.5"), "1500000000n");
    assert.throws(() => canonicalQuantity("half"), /"half" is not a quantity/);
  });
});
