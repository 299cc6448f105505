import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { body, createBuilder, encode } from "../../../test/graphs/builder.ts";
import { newDirectory } from "../../../test/runtime/models.ts";
import { examineGraph } from "./index.ts";

const categories = (words: readonly string[]) => ({ cats_strings: words, zeros: 1 });
const wordsOf = (...lists: readonly (readonly string[])[]): readonly string[] => {
  const b = createBuilder();
  const x = b.input("x", "BYTES", ["N", 1]);
  for (const list of lists) b.output(b.op("OneHotEncoder", [x], categories(list), "ai.onnx.ml"), "FP32");
  const file = join(newDirectory(), "model.onnx");
  writeFileSync(file, encode(b));
  return examineGraph(file).words ?? [];
};

test("words are those of the model's lists, and few of many", () => {
  assert.deepEqual(wordsOf(["Lausanne", "Genève"], ["Genève", "Bern"]), ["Lausanne", "Genève", "Bern"]);
  const many = Array.from({ length: 5000 }, (_, i) => `word${i}`);
  const some = wordsOf(many);
  assert.equal(some.length, 32);
  assert.ok(some.includes("word0") && some.some((word) => many.indexOf(word) > 4500));
  assert.equal(wordsOf(...Array.from({ length: 9 }, (_, i) => many.map((word) => `${word}/${i}`))).length, 128);
});

test("what may have been cut off is no word, and a model without texts has none", () => {
  assert.deepEqual(wordsOf(["a".repeat(64), "b".repeat(63)]), ["b".repeat(63)]);
  const b = createBuilder();
  b.output(b.op("Relu", [b.input("x", "FP32", ["N", 4])]), "FP32");
  const file = join(newDirectory(), "model.onnx");
  writeFileSync(file, encode(b));
  assert.equal(examineGraph(file).words, undefined);
});

test("words within branches are found", () => {
  const b = createBuilder();
  const x = b.input("x", "BYTES", ["N", 1]);
  const branch = (word: string) =>
    body(b, [], (inner) => [
      { name: inner.op("OneHotEncoder", [x], categories([word, "c"]), "ai.onnx.ml"), type: "FP32" },
    ]);
  const condition = b.held("BOOL", [], [1]);
  b.output(b.op("If", [condition], { then_branch: branch("a"), else_branch: branch("b") }), "FP32");
  const file = join(newDirectory(), "model.onnx");
  writeFileSync(file, encode(b));
  assert.deepEqual(examineGraph(file).words, ["a", "c", "b"]);
});
