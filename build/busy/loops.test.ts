import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { until } from "../../test/world/patience.ts";
import { startLoops } from "./loops.ts";

/** Clock ticks of CPU that a process has had. */
const ticks = (pid: number): number => {
  const [, fields = ""] = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ");
  return Number(fields.split(" ")[11]);
};
const runs = (pid: number): boolean =>
  existsSync(`/proc/${pid}`) && !/^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));

test("loops take CPU until they are stopped", async () => {
  const loops = startLoops(2);
  try {
    await until("both have taken CPU", () => loops.pids.every((pid) => ticks(pid) > 20));
    assert.deepEqual(loops.ended(), []);
  } finally {
    await loops.stop();
  }
  assert.deepEqual(loops.pids.filter(runs), []);
});

test("a loop that ends by itself is named", async (t) => {
  const loops = startLoops(1);
  t.after(() => loops.stop());
  const [pid = 0] = loops.pids;
  process.kill(pid, "SIGKILL");
  await until("its end is seen", () => loops.ended().length === 1);
  assert.deepEqual(loops.ended(), [pid]);
});

test("loops end with the process that started them, however it ends", async () => {
  const script = `
    import { startLoops } from ${JSON.stringify(new URL("loops.ts", import.meta.url).href)};
    console.log(startLoops(2).pids.join(" "));`;
  const parent = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const pids = await new Promise<number[]>((resolve, reject) => {
    createInterface(parent.stdout).once("line", (line) => resolve(line.split(" ").map(Number)));
    parent.once("exit", (code) => reject(new Error(`it ended with ${code} before its loops ran`)));
  });
  assert.equal(pids.filter(runs).length, 2);
  parent.kill("SIGKILL");
  await until("its loops are gone", () => !pids.some(runs));
});
