import assert from "node:assert/strict";
import { test } from "node:test";
import { parseBusy } from "./arguments.ts";

test("without a command eight loops run beside npm test", () => {
  assert.deepEqual(parseBusy([]), { loops: 8, command: ["npm", "test"] });
  assert.deepEqual(parseBusy(["--loops", "3"]), { loops: 3, command: ["npm", "test"] });
});

test("options of the command are its own", () => {
  const command = ["node", "--test", "--loops", "9", "--help"];
  assert.deepEqual(parseBusy(command), { loops: 8, command });
  assert.deepEqual(parseBusy(["--loops=2", ...command]), { loops: 2, command });
  assert.deepEqual(parseBusy(["--loops", "2", "--", ...command]), { loops: 2, command });
});

test("help is for its own options only", () => {
  assert.equal(parseBusy(["--help"]), "help");
  assert.equal(parseBusy(["--loops", "2", "--help"]), "help");
});

test("what it does not know, and numbers that make no sense, are refused by name", () => {
  assert.throws(() => parseBusy(["--loop", "2", "true"]), /--loop/);
  assert.throws(() => parseBusy(["--loops"]), /--loops/);
  for (const count of ["0", "-1", "2.5", "many", "", "257"]) {
    assert.throws(() => parseBusy([`--loops=${count}`]), /--loops .*whole number from 1 to 256/);
  }
});
