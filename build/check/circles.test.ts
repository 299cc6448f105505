import assert from "node:assert/strict";
import { test } from "node:test";
import { circlesIn } from "./circles.ts";

const imports = (...arrows: string[]) =>
  arrows.map((arrow) => {
    const [from = "", to = ""] = arrow.split(" → ");
    return { from, to };
  });

test("files that import each other are found, whatever lies between them", () => {
  assert.deepEqual(circlesIn(imports("a → b", "b → c", "c → a", "c → d", "d → e", "x → a")), [["a", "b", "c"]]);
  assert.deepEqual(circlesIn(imports("a → b", "b → a", "m → n", "n → m", "b → m")), [
    ["a", "b"],
    ["m", "n"],
  ]);
});

test("two ways to one file are no circle, nor is a package", () => {
  assert.deepEqual(circlesIn(imports("a → b", "a → c", "b → d", "c → d", "d → zod")), []);
});
