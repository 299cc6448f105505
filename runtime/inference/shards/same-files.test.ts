import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { copyFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { newDirectory } from "../../../test/runtime/models.ts";
import { assertSame, knownFiles } from "./same-files.ts";

const TOLD = /model\.onnx is not the file that was checked|no file .*model\.onnx any more/;

/** What `change` does to a file of 4 bytes must be seen. */
const seen = (what: string, change: (file: string, directory: string) => void): void => {
  test(what, () => {
    const directory = newDirectory();
    const file = join(directory, "model.onnx");
    writeFileSync(file, "good");
    const known = knownFiles([file]);
    assertSame(known);
    change(file, directory);
    assert.throws(() => assertSame(known), TOLD);
  });
};

seen("another file under the name", (file, directory) => {
  const other = join(directory, "other");
  copyFileSync(file, other);
  renameSync(other, file);
});
seen("other bytes in the file, as many, and its time put back", (file) => {
  const { atime, mtime } = statSync(file);
  writeFileSync(file, "evil");
  utimesSync(file, atime, mtime);
});
seen("a file that is gone", (file) => rmSync(file));

test("another file with the same bytes is as good where these are known, and others are not", () => {
  const file = join(newDirectory(), "model.onnx");
  writeFileSync(file, "good");
  const sha256 = createHash("sha256").update("good").digest("hex");
  const known = knownFiles([file]).map((one) => ({ ...one, sha256 }));
  rmSync(file);
  writeFileSync(file, "good");
  const [now] = assertSame(known);
  assert.notEqual(now?.identity, known[0]?.identity);
  writeFileSync(file, "evil");
  assert.throws(() => assertSame(known), TOLD);
});

test("a file that is not there cannot be known", () => {
  assert.throws(() => knownFiles(["/none/model.onnx"]), /no file \/none\/model\.onnx/);
});
