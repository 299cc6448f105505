import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import fc from "fast-check";
import { inShell } from "./shell.ts";

test("a shell reads each word as it was", () => {
  const words = [
    "resources.limits.nvidia\\.com/gpu",
    "containers[0].x",
    "a b",
    "it's",
    "$HOME",
    "",
    "--name=x",
    "*",
    "~",
  ];
  const [one, ...others] = [...words, ...fc.sample(fc.string({ unit: "grapheme-ascii" }), 50)];
  const line = [one ?? "", ...others].map(inShell).join(" ");
  const read = execFileSync("bash", ["-c", `printf '%s\\0' ${line}`], { encoding: "utf8" });
  assert.deepEqual(read.split("\0").slice(0, -1), [one, ...others]);
  assert.equal(inShell("mdeploy/angle"), "mdeploy/angle");
});
