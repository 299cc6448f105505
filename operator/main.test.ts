import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";

const SHOW = `data:text/javascript,${encodeURIComponent(
  "process.on('exit', () => process.stderr.write(process.moduleLoadList.join('\\n')))",
)}`;

test("a start loads undici once: Node's own copy of it, which an import of node:http brings, stays out", async () => {
  const main = join(import.meta.dirname, "main.ts");
  const { stderr, stdout } = await promisify(execFile)(process.execPath, ["--import", SHOW, main, "--help"]);
  assert.match(stdout, /--workers/);
  assert.match(stderr, /^NativeModule http$/m);
  assert.doesNotMatch(stderr, /internal\/deps\/undici/);
});
