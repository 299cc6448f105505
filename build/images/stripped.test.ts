import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { CATALOGUE } from "./catalogue.ts";
import { stripped, strippedPath } from "./stripped.ts";

const ROOT = join(import.meta.dirname, "../..");

test("types go, lines and columns stay, and modules of our own are named as they are in the image", () => {
  const source = [
    'import type { A } from "./a.ts";',
    'import { b } from "../b.ts";',
    'const worker = new URL("./c.ts", import.meta.url);',
    "export const d: number = b(worker as A);",
  ].join("\n");
  const lines = stripped(source).split("\n");
  assert.equal(lines[0]?.trim(), "");
  assert.equal(lines[1], 'import { b } from "../b.js";');
  assert.equal(lines[2], 'const worker = new URL("./c.js", import.meta.url);');
  assert.match(lines[3] ?? "", /^export const d {9}= b\(worker {5}\);$/);
});

test("packages and other files keep their names", () => {
  assert.equal(stripped('import x from "some.ts"; open("./x.proto");'), 'import x from "some.ts"; open("./x.proto");');
  assert.deepEqual(["a/b.ts", "a/b.proto"].map(strippedPath), ["a/b.js", "a/b.proto"]);
});

test("syntax that Node cannot erase is refused", () => {
  assert.throws(() => stripped("enum A { B }"), /enum/);
});

test("no source of an image names a TypeScript file in a way that is not seen", () => {
  const folders = new Set(Object.values(CATALOGUE).flatMap(({ code }) => code));
  const sources = [...folders].flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
      .filter((path) => path.endsWith(".ts") && !path.endsWith(".test.ts"))
      .map((path) => join(folder, path)),
  );
  assert.ok(sources.length > 300);
  const left = sources.filter((path) =>
    stripped(readFileSync(join(ROOT, path), "utf8"))
      .split("\n")
      .some((line) => /\.ts["'`]/.test(line) && !/^\s*(\*|\/\/|\/\*)/.test(line)),
  );
  assert.deepEqual(left, []);
});
