import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { complete, type Entry, tar } from "./tar.ts";

const file = (path: string, content = path): Entry => ({
  path,
  kind: "file",
  mode: 0o644,
  content: Buffer.from(content),
});

/** What GNU tar reads in it. */
const listing = (bytes: Uint8Array): string[] => {
  const folder = mkdtempSync(join(tmpdir(), "berth-tar-"));
  try {
    writeFileSync(join(folder, "a.tar"), bytes);
    const args = ["-tvf", "a.tar", "--numeric-owner", "--full-time", "--utc"];
    return execFileSync("tar", args, { cwd: folder, encoding: "utf8", env: { ...process.env, LC_ALL: "C" } })
      .trim()
      .split("\n")
      .map((line) => line.replace(/ +/g, " "));
  } finally {
    rmSync(folder, { recursive: true });
  }
};

test("another tar reads it: owner root, time 0, modes, links, parents added and sorted", () => {
  const bytes = tar([
    file("app/main.ts", "x".repeat(513)),
    { path: "tmp", kind: "directory", mode: 0o1777 },
    { path: "lib", kind: "link", target: "usr/lib" },
    { path: "bin/node", kind: "file", mode: 0o755, content: Buffer.from("") },
  ]);
  assert.deepEqual(listing(bytes), [
    "drwxr-xr-x 0/0 0 1970-01-01 00:00:00 app/",
    "-rw-r--r-- 0/0 513 1970-01-01 00:00:00 app/main.ts",
    "drwxr-xr-x 0/0 0 1970-01-01 00:00:00 bin/",
    "-rwxr-xr-x 0/0 0 1970-01-01 00:00:00 bin/node",
    "lrwxrwxrwx 0/0 0 1970-01-01 00:00:00 lib -> usr/lib",
    "drwxrwxrwt 0/0 0 1970-01-01 00:00:00 tmp/",
  ]);
});

test("the order of the input does not matter", () => {
  const entries = ["b/c", "a", "b/a/d"].map((path) => file(path));
  assert.deepEqual(tar(entries), tar(entries.toReversed()));
});

test("a long path is split, and a path too long is refused", () => {
  const long = `${"folder/".repeat(20)}${"n".repeat(90)}`;
  assert.ok(listing(tar([file(long)])).some((line) => line.endsWith(` ${long}`)));
  assert.throws(() => tar([file("n".repeat(101))]), /too long/);
  assert.throws(() => tar([file(`${"folder/".repeat(40)}x`)]), /too long/);
});

test("paths that would not land where they say are refused", () => {
  for (const path of ["/etc/passwd", "../x", "a/../b", "a//b", "a/", "", "a/./b"])
    assert.throws(() => complete([file(path)]), /plain relative path/, path);
  assert.throws(() => complete([file("a"), file("a")]), /twice/);
  assert.throws(() => complete([file("a"), file("a/b")]), /lies below/);
});
