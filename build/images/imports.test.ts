import assert from "node:assert/strict";
import { test } from "node:test";
import { importsOf, missingImports } from "./imports.ts";

test("finds what Node loads and leaves out types", () => {
  const source = [
    'import { a } from "./a.ts";',
    'import type { B } from "./types.ts";',
    'import b, {\n  c,\n  type D,\n} from "@scope/pack/sub";',
    'import "side-effect";',
    'export * from "../up.ts";',
    'export type { E } from "./more-types.ts";',
    'const late = await import("./late.ts");',
    'const text = "import x from y";',
  ].join("\n");
  assert.deepEqual(importsOf(source), ["./a.ts", "@scope/pack/sub", "side-effect", "../up.ts", "./late.ts"]);
});

test("names the file and the import that an image lacks", () => {
  const sources = new Map([
    ["operator/main.ts", 'import fs from "node:fs";\nimport "./kube/client.ts";\nimport "pino/file";\nimport "ws";'],
    ["operator/kube/client.ts", 'import "../../runtime/main.ts";'],
  ]);
  assert.deepEqual(missingImports(sources, new Set(["pino"])), [
    "operator/main.ts imports ws, which is not among the image's packages",
    "operator/kube/client.ts imports ../../runtime/main.ts, which is not in the image",
  ]);
});
