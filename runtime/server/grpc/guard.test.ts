import assert from "node:assert/strict";
import { Socket } from "node:net";
import { test } from "node:test";
import { createGuard } from "./guard.ts";

const reads = (bytes: () => number): Socket =>
  Object.defineProperty(new Socket(), "bytesRead", { get: bytes, configurable: true });

test("where buffers take too much, the connection that sent the most of late is ended, and no other for a while", () => {
  let used = 100;
  let sent = 50_000_000;
  const greedy = reads(() => sent);
  const next = reads(() => 3_000_000);
  const small = reads(() => 1000);
  const finished = reads(() => 80_000_000);
  const sockets = new Set([small, next, greedy, finished]);
  const readSince = (socket: Socket) => (socket === finished ? 1000 : socket.bytesRead);
  let garbage = 0;
  const collect = (): void => {
    used -= garbage;
    garbage = 0;
  };
  const sweep = createGuard(sockets, { readSince, mostBytes: 1000, usedBytes: () => used, collect });
  sweep();
  assert.ok(!greedy.destroyed);
  used = 2000;
  sent += 1000;
  sweep();
  assert.deepEqual(
    [greedy, next, small].map(({ destroyed }) => destroyed),
    [true, false, false],
  );
  sockets.delete(greedy);
  for (let i = 0; i < 3; i++) sweep();
  assert.ok(!next.destroyed);
  garbage = 1500;
  sweep();
  assert.ok(!next.destroyed, "garbage is nobody's fault");
  used = 2000;
  for (let i = 0; i < 4; i++) sweep();
  assert.ok(next.destroyed);
  sockets.delete(next);
  for (let i = 0; i < 40; i++) sweep();
  assert.ok(!small.destroyed);
  assert.ok(!finished.destroyed, "nothing is held for calls that have ended");
});
