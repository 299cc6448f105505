import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { test } from "node:test";
import { until } from "../../test/world/patience.ts";
import { createGates, createPace } from "./pace.ts";

const MIB = 1024 ** 2;

/** Turns of the event loop that come when they are told to. */
const handTurns = () => {
  let waiting: (() => void)[] = [];
  return {
    later: (run: () => void) => waiting.push(run),
    waiting: () => waiting.length,
    next(): void {
      const now = waiting;
      waiting = [];
      for (const run of now) run();
    },
  };
};
const sources = (log: string[]) => (name: string) => ({
  pause: () => log.push(`${name} pauses`),
  stop: () => log.push(`${name} waits`),
  resume: () => log.push(`${name} goes on`),
});

test("who brings more than two megabytes in one turn waits for the next; where many are read, all do", () => {
  const turns = handTurns();
  const gateOf = createGates({ later: turns.later });
  const log: string[] = [];
  const [a, b, c] = ["a", "b", "c"].map((name) => gateOf(sources(log)(name)));
  assert.ok(a !== undefined && b !== undefined && c !== undefined);
  for (const gate of [a, b, c]) gate.resume();
  log.length = 0;
  a.read(1.5 * MIB);
  b.read(MIB);
  c.read(1);
  assert.deepEqual(log, ["b waits", "c waits"]);
  assert.equal(turns.waiting(), 1);
  // it does not want any more, so it does not go on when it could
  c.pause();
  turns.next();
  assert.deepEqual(log.slice(2), ["b goes on"]);
  a.read(1.5 * MIB);
  assert.equal(log.length, 3, "what came in the turn before does not count");
  c.resume();
  assert.deepEqual(log.slice(3), ["c goes on"]);
});

test("a thousand that begin at once begin in turns, in their order, and nothing is left to be done after them", () => {
  const turns = handTurns();
  const gateOf = createGates({ later: turns.later });
  const begun: number[] = [];
  const all = Array.from({ length: 1000 }, (_, i) =>
    gateOf({ pause: () => undefined, stop: () => undefined, resume: () => begun.push(i) }),
  );
  for (const gate of all) gate.resume();
  let before = 0;
  while (turns.waiting() > 0) {
    assert.ok(begun.length - before <= 16, `${begun.length - before} in one turn`);
    before = begun.length;
    turns.next();
  }
  assert.deepEqual(begun, [...all.keys()]);
});

test("one that has waited is not known to be silent before it was read from", () => {
  const turns = handTurns();
  const gateOf = createGates({ later: turns.later });
  const all = Array.from({ length: 20 }, (_, i) => gateOf(sources([])(String(i))));
  for (const gate of all) gate.resume();
  const last = all.at(-1);
  assert.equal(last?.waits(), true);
  turns.next();
  assert.equal(last?.waits(), true, "its turn has come, and nothing was read yet");
  turns.next();
  assert.equal(last?.waits(), false);
  assert.equal(turns.waiting(), 0);
});

test("one that is gone does not go on", () => {
  const turns = handTurns();
  const gateOf = createGates({ later: turns.later });
  const log: string[] = [];
  const gate = gateOf(sources(log)("a"));
  gate.resume();
  assert.equal(gate.waits(), false);
  gate.read(5 * MIB);
  assert.equal(gate.waits(), true);
  gate.close();
  turns.next();
  assert.deepEqual(log, ["a goes on", "a waits"]);
});

test("what pieces leave is collected within the turn in which they come", () => {
  let collected = 0;
  const gateOf = createGates({ remains: { mostBytes: 16 * MIB, collect: () => collected++ }, later: () => undefined });
  const gate = gateOf({ pause: () => undefined, stop: () => undefined, resume: () => undefined });
  for (let i = 0; i < 1000; i++) gate.read(65_536);
  assert.equal(collected, 3);
});

test("two hundred connections that all have something to say are read in many turns", async () => {
  const EACH = 128 * 1024;
  const COUNT = 200;
  const pace = createPace();
  let inTurn = 0;
  let most = 0;
  let total = 0;
  let accepted = 0;
  const server = createServer({ pauseOnConnect: true }, (socket) => {
    accepted++;
    const gate = pace(socket);
    socket.on("data", (piece) => {
      if (inTurn === 0) setImmediate(endTurn);
      inTurn += piece.length;
      total += piece.length;
      gate.read(piece.length);
    });
    gate.resume();
  });
  const endTurn = (): void => {
    most = Math.max(most, inTurn);
    inTurn = 0;
  };
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  assert.ok(typeof address === "object" && address !== null);
  const clients = Array.from({ length: COUNT }, () => connect(address.port, "127.0.0.1"));
  await until("all connections", () => accepted === COUNT);
  // they begin in turns
  for (const client of clients) client.write("x");
  await until("the first bytes", () => total === COUNT);
  for (const client of clients) client.write(Buffer.alloc(EACH));
  await until("all bytes", () => total === COUNT * (EACH + 1));
  for (const client of clients) client.destroy();
  server.close();
  assert.ok(most > 0 && most <= 2 * MIB + 65_536, `${most} bytes in one turn`);
});
