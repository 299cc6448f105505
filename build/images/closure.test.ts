import assert from "node:assert/strict";
import { test } from "node:test";
import { closure, packageName, parseLock } from "./closure.ts";

const lock = parseLock(
  JSON.stringify({
    packages: {
      "": { dependencies: { a: "1", c: "1" } },
      "node_modules/a": { dependencies: { "@s/b": "1", types: "1" } },
      "node_modules/a/node_modules/@s/b": { dependencies: { c: "1" } },
      "node_modules/@s/b": {},
      "node_modules/c": { dependencies: { a: "1" } },
      "node_modules/types": {},
      "node_modules/unused": {},
      "node_modules/broken": { dependencies: { absent: "1" } },
    },
  }),
);

test("follows dependencies as Node resolves them, cycles included, and leaves out what is told", () => {
  assert.deepEqual(
    closure(lock, ["a"], (name) => name === "types"),
    ["node_modules/a", "node_modules/a/node_modules/@s/b", "node_modules/c"],
  );
  assert.deepEqual(
    closure(lock, [], () => false),
    [],
  );
});

test("names a package that the lock file lacks, and who needs it", () => {
  assert.throws(() => closure(lock, ["broken"], () => false), /"absent", which node_modules\/broken needs/);
  assert.throws(() => closure(lock, ["gone"], () => false), /"gone", which an image needs/);
});

test("packageName is the last package of a folder", () => {
  assert.equal(packageName("node_modules/a/node_modules/@s/b"), "@s/b");
  assert.equal(packageName("node_modules/a"), "a");
});
