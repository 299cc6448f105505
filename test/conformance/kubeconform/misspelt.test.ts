import assert from "node:assert/strict";
import { test } from "node:test";
import { misspelt } from "./misspelt.ts";

test("every field is misspelt once, in lists, too, and the keys of maps are left alone", () => {
  const object = { a: 1, b: [{ c: 2 }, "x"], labels: { d: "e" } };
  assert.deepEqual(misspelt(object), [
    { field: "aa", manifest: { aa: 1, b: [{ c: 2 }, "x"], labels: { d: "e" } } },
    { field: "bb", manifest: { a: 1, bb: [{ c: 2 }, "x"], labels: { d: "e" } } },
    { field: "b.0.cc", manifest: { a: 1, b: [{ cc: 2 }, "x"], labels: { d: "e" } } },
    { field: "labelss", manifest: { a: 1, b: [{ c: 2 }, "x"], labelss: { d: "e" } } },
  ]);
});
