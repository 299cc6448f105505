import assert from "node:assert/strict";
import { test } from "node:test";
import { lostIn, targetsIn } from "./links.ts";

test("links and paths of a page are found, as they are from the root; other sites are left out", () => {
  const text = [
    "[one](../README.md#install), [same page](#here), [elsewhere](https://example.com/a.md)",
    "`runtime/main.ts` and `operator/domain/`, but neither `main.ts` nor `runtime/*.ts` nor `test/{a,b}.ts`",
  ].join("\n");
  assert.deepEqual(targetsIn("docs/page.md", text), ["README.md", "runtime/main.ts", "operator/domain"]);
});

test("what is not there is named, and a folder is there where a file is in it", () => {
  const files = ["docs/page.md", "runtime/router/split.ts"];
  const text =
    "[page](page.md), `runtime/router/`, `runtime/router/split.ts`, [gone](gone.md), `runtime/server/door.ts`";
  assert.deepEqual(lostIn("docs/page.md", text, files), [
    "docs/page.md names docs/gone.md, which is not there: name where it is now",
    "docs/page.md names runtime/server/door.ts, which is not there: name where it is now",
  ]);
});

test("a table of old and new names may name what was, and nothing but in its first cells", () => {
  const text = ["| was | is |", "| --- | --- |", "| `test/old.ts` | `test/new.ts` |", "", "| `test/other.ts` | |"].join(
    "\n",
  );
  assert.deepEqual(targetsIn("docs/page.md", text), ["test/new.ts", "test/other.ts"]);
});

test("what is TypeScript here is JavaScript in an image", () => {
  assert.deepEqual(lostIn("docs/page.md", "`operator/main.js`", ["operator/main.ts"]), []);
});
