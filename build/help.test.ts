/** `npm run NAME -- --help` explains the command, and does nothing else. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { z } from "zod";

const root = join(import.meta.dirname, "..");
const { scripts } = z
  .looseObject({ scripts: z.record(z.string(), z.string()) })
  .parse(JSON.parse(await readFile(join(root, "package.json"), "utf8")));

for (const [name, script] of Object.entries(scripts)) {
  const [, command = ""] = script.split(" node ");
  // node explains itself
  if (command.startsWith("--test ")) continue;
  test(`npm run ${name} -- --help`, async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [...command.split(" "), "--help"], { cwd: root });
    assert.match(
      stdout.split("\n").slice(0, 4).join("\n"),
      name === "test" ? /npm test/ : new RegExp(`npm run ${name}`),
    );
  });
}
