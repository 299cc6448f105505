import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { connect, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { handTimers } from "../../../test/world/hand-timers.ts";
import { until } from "../../../test/world/patience.ts";
import { startRawPod, startRouter } from "../../../test/world/router.ts";
import { TIMES } from "../../transport/http/times.ts";
import type { Pace } from "../../transport/pace.ts";

const open = async (t: TestContext, port: number): Promise<Socket> => {
  const socket = connect(port, "127.0.0.1").on("error", () => undefined);
  t.after(() => socket.destroy());
  socket.resume();
  await once(socket, "connect");
  return socket;
};

/** Begins a request, and waits until the router has read it. */
const begin = async (socket: Socket): Promise<void> => {
  socket.write("POST / HTTP/1.1\r\nhost: h\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n");
  await once(socket, "data");
};

const start = async (t: TestContext, maxConnections: number) => {
  const clock = { now: 0 };
  const pod = await startRawPod(() => "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
  const example = await startRouter([{ http: pod.port, grpc: 1 }], { maxConnections, now: () => clock.now });
  t.after(() => {
    example.close();
    pod.close();
  });
  const listening = (count: number) => until(`${count}`, () => example.router.listener.connections() === count);
  return { port: example.port, clock, listening };
};

const answered = async (port: number): Promise<boolean> => {
  const socket = connect(port, "127.0.0.1").on("error", () => undefined);
  socket.write("GET / HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n");
  const [piece]: Buffer[] = await Promise.race([once(socket, "data"), once(socket, "close")]);
  return Buffer.isBuffer(piece) && piece.toString("latin1").startsWith("HTTP/1.1 200 ");
};

test("connections that say nothing keep nobody out, by whichever protocol", async (t) => {
  const { clock, listening, port } = await start(t, 4);
  const silent = await open(t, port);
  await listening(1);
  clock.now = 1000;
  const session = connectHttp2(`http://127.0.0.1:${port}`);
  session.on("error", () => undefined);
  t.after(() => session.destroy());
  await once(session, "remoteSettings");
  clock.now = 2000;
  const begun = await open(t, port);
  await begin(begun);
  await listening(3);
  // an address gets three of four: each that comes takes the place of the one that has been idle for longest
  assert.equal(await answered(port), true);
  await until("the silent one to be closed", () => silent.closed);
  assert.equal(session.closed || session.destroyed, false);
  await listening(2);
  const next = await open(t, port);
  await listening(3);
  await begin(next);
  assert.equal(await answered(port), true);
  await until("the idle session to be closed", () => session.closed || session.destroyed);
  await listening(2);
  const last = await open(t, port);
  await begin(last);
  await listening(3);
  // those that have begun stay
  assert.equal(await answered(port), false);
  assert.deepEqual([begun.closed, next.closed], [false, false]);
});

test("one that waits for its turn to be read is not late with its first byte, and one that says nothing is", async (t) => {
  const timers = handTimers();
  const waiting: Socket[] = [];
  let waits = true;
  const pace: Pace = (socket) => ({
    pause: () => socket.pause(),
    resume: () => void (waits ? waiting.push(socket) : socket.resume()),
    waits: () => waits,
    ...{ read: () => undefined, close: () => undefined },
  });
  const pod = await startRawPod(() => "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
  const example = await startRouter([{ http: pod.port, grpc: 1 }], { after: timers.after, pace });
  t.after(() => {
    example.close();
    pod.close();
  });
  const late = async (): Promise<void> => {
    timers.ring(TIMES.headerMs);
    await new Promise(setImmediate);
    await new Promise(setImmediate);
  };
  const connections = (): number => example.router.listener.connections();
  const answer = answered(example.port);
  await until("it waits", () => waiting.length === 1);
  assert.equal(timers.begun(TIMES.headerMs), 1, "its time has begun");
  await late();
  assert.equal(connections(), 1);
  waits = false;
  waiting[0]?.resume();
  assert.equal(await answer, true);
  await until("it is closed", () => connections() === 0);
  await open(t, example.port);
  await until("the next one", () => connections() === 1);
  await late();
  await until("it is closed", () => connections() === 0);
});
