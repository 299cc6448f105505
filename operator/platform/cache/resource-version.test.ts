import assert from "node:assert/strict";
import { test } from "node:test";
import { compareResourceVersions } from "./resource-version.ts";

test("resourceVersions compare as integers of any size", () => {
  const ascending = ["1", "9", "10", "99", "100", "9007199254740993", "9007199254740994", "18446744073709551616"];
  for (const [i, a] of ascending.entries()) {
    for (const [j, b] of ascending.entries()) assert.equal(Math.sign(compareResourceVersions(a, b)), Math.sign(i - j));
  }
});
