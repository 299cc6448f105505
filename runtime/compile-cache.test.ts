import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { PATIENCE_MS } from "../test/world/patience.ts";

const SERVE = [fileURLToPath(new URL("main.ts", import.meta.url)), "serve", "--model", "/nowhere.onnx"];
const temporary = (t: TestContext): string => {
  const folder = mkdtempSync(join(tmpdir(), "berth-compile-"));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
};
const serve = (env: Record<string, string>) => {
  const { NODE_COMPILE_CACHE: _, ...inherited } = process.env;
  const ports = ["--http-port", "0", "--grpc-port", "0", "--admin-port", "0"];
  return spawnSync(process.execPath, [...SERVE, ...ports], { env: { ...inherited, ...env }, timeout: PATIENCE_MS });
};

test("what Node makes of the sources is kept for the next start, in the user's own cache", (t) => {
  const cache = temporary(t);
  serve({ XDG_CACHE_HOME: cache });
  assert.ok(readdirSync(join(cache, "berth", "node"), { recursive: true }).length > 10);
});

test("where there can be no such folder, the server starts without", (t) => {
  const file = join(temporary(t), "file");
  writeFileSync(file, "");
  const { stdout, stderr, status } = serve({ XDG_CACHE_HOME: file });
  assert.match(`${stdout}`, /nowhere\.onnx/);
  assert.equal(`${stderr}`, "");
  assert.notEqual(status, null);
});

test("a folder that NODE_COMPILE_CACHE names is used instead", (t) => {
  const [cache, other] = [temporary(t), temporary(t)];
  serve({ XDG_CACHE_HOME: cache, NODE_COMPILE_CACHE: other });
  assert.deepEqual(readdirSync(cache), []);
  assert.ok(readdirSync(other).length > 0);
});
