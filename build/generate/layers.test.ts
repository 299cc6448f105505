import assert from "node:assert/strict";
import { test } from "node:test";
import { layersOf } from "./layers.ts";

const folderOf = (file: string): string | undefined => (file.includes("/") ? file.split("/")[0] : undefined);

test("a folder is above all that it imports, and an arrow that follows from others is left out", () => {
  const imports = [
    { from: "top/a.ts", to: "middle/a.ts" },
    { from: "top/b.ts", to: "bottom/a.ts" },
    { from: "middle/a.ts", to: "bottom/a.ts" },
    { from: "middle/a.ts", to: "middle/b.ts" },
    { from: "beside/a.ts", to: "zod" },
  ];
  assert.deepEqual(layersOf(imports, folderOf), {
    layers: [["beside", "bottom"], ["middle"], ["top"]],
    arrows: [
      { from: "middle", to: "bottom" },
      { from: "top", to: "middle" },
    ],
  });
});

test("folders that import each other in a circle are named", () => {
  const imports = [
    { from: "one/a.ts", to: "two/a.ts" },
    { from: "two/b.ts", to: "one/b.ts" },
  ];
  assert.throws(() => layersOf(imports, folderOf), /circle: one → two → one/);
});
