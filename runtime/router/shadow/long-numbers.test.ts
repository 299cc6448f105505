import assert from "node:assert/strict";
import { it } from "node:test";
import fc from "fast-check";
import { hasLongNumber } from "./long-numbers.ts";

it("whole numbers of sixteen digits or more are seen wherever they are, and no fractions are", () => {
  const number = fc
    .tuple(fc.integer({ min: 1, max: 30 }), fc.constantFrom("", "-", "0.", "1.5e"))
    .map(([length, before]) => `${before}${"9".repeat(length)}`);
  fc.assert(
    fc.property(fc.array(fc.tuple(number, fc.constantFrom(",", " ", "],[", '":')), { maxLength: 12 }), (parts) => {
      const text = parts.map(([one, behind]) => one + behind).join("");
      assert.equal(hasLongNumber(Buffer.from(text)), /(?<![.\d])\d{16}/.test(text), text);
    }),
  );
});
