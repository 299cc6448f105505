import assert from "node:assert/strict";
import { test } from "node:test";
import { lostInTables, withoutReadme } from "./readmes.ts";

test("each folder below a root needs a README, the folders between included; other roots need none", () => {
  const files = ["runtime/README.md", "runtime/router/doors/http1.ts", "docs/pages/one.md", "main.ts"];
  assert.deepEqual(withoutReadme(files, {}), [
    "runtime/router has no README.md: say in two lines and a table what is in it",
    "runtime/router/doors has no README.md: say in two lines and a table what is in it",
  ]);
});

test("an exemption holds for its folder alone, and is named once it exempts nothing", () => {
  const files = ["test/README.md", "test/bare/one.ts", "test/bare/below/two.ts", "test/told/README.md"];
  assert.deepEqual(withoutReadme(files, { "test/bare": "why", "test/told": "why", "test/gone": "why" }), [
    "test/bare/below has no README.md: say in two lines and a table what is in it",
    "test/told needs no exemption any more: remove it from build/check/readmes.ts",
    "test/gone needs no exemption any more: remove it from build/check/readmes.ts",
  ]);
});

test("files and folders in a README's tables are found from its folder or from the root", () => {
  const files = [
    "runtime/router/split.ts",
    "runtime/router/shadow/read-json.ts",
    "contract/pod.ts",
    "runtime/router/README.md",
  ];
  const table = [
    "| file | what it is |",
    "| --- | --- |",
    "| `split.ts`, `shadow/` | `contract/pod.ts`, `../router/`, but neither `spec.traffic` nor `HTTP/1.1` |",
    "| `shadow/read-*.ts` | |",
  ].join("\n");
  assert.deepEqual(lostInTables("runtime/router/README.md", table, files), []);
  assert.deepEqual(
    lostInTables(
      "runtime/router/README.md",
      `${table}\n| \`gone.ts\`, \`doors/\`, \`write-*.ts\` | |\nand \`text.ts\``,
      files,
    ),
    ["gone.ts", "doors/", "write-*.ts"].map(
      (name) => `runtime/router/README.md names ${name}, which is not there: name where it is now`,
    ),
  );
});

test("a README whose tables name nothing is no map", () => {
  const prose = "`split.ts` decides.\n\n| run | found |\n| --- | --- |\n| one | nothing |";
  assert.deepEqual(lostInTables("runtime/router/README.md", prose, ["runtime/router/split.ts"]), [
    "runtime/router/README.md has no table of its files and folders: add one",
  ]);
});
