import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { until } from "../world/patience.ts";
import { isNamespaceInit } from "./networks.ts";
import { alive, end, parsePidFile, start, startTime } from "./processes.ts";

const directory = mkdtempSync(join(tmpdir(), "processes-"));
after(() => rmSync(directory, { recursive: true }));
const pidFile = join(directory, "x.pid");
const log = join(directory, "x.log");

test("a pid file is a pid and a start time, and nothing else", () => {
  assert.deepEqual(parsePidFile("42 1234\n"), { pid: 42, start: "1234" });
  for (const text of ["", "42", "42 \n", "a b", "42 1 2"]) assert.equal(parsePidFile(text), undefined, text);
});

test("the start time is found behind a name with brackets, and a zombie has none", () => {
  const rest = Array.from({ length: 40 }, (_, i) => i + 4).join(" "); // field 4 holds 4, and so on
  assert.equal(startTime(`7 (a) b (c)) S ${rest}`), "22");
  assert.equal(startTime(`7 (a) Z ${rest}`), undefined);
});

test("a process is started, known by its file, and ended", async () => {
  await start({ command: ["sleep", "60"], pidFile, log, wrapped: false });
  const pid = alive(pidFile);
  assert.ok(pid !== undefined);
  assert.equal(readFileSync(`/proc/${pid}/comm`, "utf8"), "sleep\n");
  await end(pidFile);
  assert.equal(alive(pidFile), undefined);
  await end(pidFile);
});

test("of a wrapper, the child is kept track of", async () => {
  await start({ command: ["sh", "-c", "sleep 60; exit 1"], pidFile, log, wrapped: true });
  // The child is there before it is the program that it becomes.
  const name = (): string => readFileSync(`/proc/${alive(pidFile)}/comm`, "utf8");
  await until("the program", () => name() !== "sh\n", name);
  assert.equal(name(), "sleep\n");
  await end(pidFile);
});

test("another program that has the pid now is not ours to end", async () => {
  const stranger = spawn("sleep", ["60"]);
  writeFileSync(pidFile, `${stranger.pid} 1\n`);
  assert.equal(alive(pidFile), undefined);
  await end(pidFile);
  assert.equal(stranger.exitCode ?? stranger.signalCode, null);
  stranger.kill();
  await once(stranger, "close");
});

test("a program that cannot be started says why", async () => {
  const missing = { command: ["/no/such/program"], pidFile, log, wrapped: true };
  await assert.rejects(start(missing), /cannot start \/no\/such\/program: .*ENOENT/);
  const failing = { command: ["sh", "-c", "echo broken >&2; exit 1"], pidFile, log: `${log}.failing`, wrapped: true };
  await assert.rejects(start(failing), /did not start: broken/);
});

test("the first process of a pid namespace is told from others", () => {
  assert.equal(isNamespaceInit("Name:\tbash\nNSpid:\t4711\t1\nX: 1"), true);
  assert.equal(isNamespaceInit("Name:\tinit\nNSpid:\t1\n"), false);
  assert.equal(isNamespaceInit("NSpid:\t4711\t17\n"), false);
});
