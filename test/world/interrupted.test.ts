import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { test } from "node:test";

const MODULE = join(import.meta.dirname, "interrupted.ts");

/** A program that cleans up by `cleanUp`, a JavaScript expression; resolves when it waits for a signal. */
const start = async (cleanUp: string): Promise<{ child: ChildProcess; said: () => string }> => {
  const script = `
    import { whenInterrupted } from ${JSON.stringify(MODULE)};
    whenInterrupted(${cleanUp});
    setInterval(() => undefined, 1_000);
    console.log("ready");`;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", script], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text) => (said += text));
  while (!said.includes("ready")) await once(child.stdout, "data");
  return { child, said: () => said };
};

test("what is interrupted cleans up, and exits as a shell has it", async () => {
  const { child, said } = await start(`async (signal) => console.log("cleaned up after " + signal)`);
  child.kill("SIGTERM");
  assert.deepEqual(await once(child, "close"), [143, null]);
  assert.match(said(), /cleaned up after SIGTERM/);
});

test("a clean-up that fails is told, and ends all the same", async () => {
  const { child, said } = await start(`async () => { throw new Error("no lock"); }`);
  child.kill("SIGINT");
  assert.deepEqual(await once(child, "close"), [130, null]);
  assert.match(said(), /cannot clean up: no lock/);
});

test("a second signal ends at once what does not come to an end", async () => {
  const { child, said } = await start("() => new Promise(() => undefined)");
  child.kill("SIGTERM");
  while (!said().includes("cleaning up")) await once(child.stderr ?? child, "data");
  child.kill("SIGTERM");
  assert.deepEqual(await once(child, "close"), [null, "SIGTERM"]);
});
