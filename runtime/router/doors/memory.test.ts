import assert from "node:assert/strict";
import { once } from "node:events";
import { type ClientHttp2Session, connect as connectHttp2 } from "node:http2";
import { connect, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { z } from "zod";
import { until } from "../../../test/world/patience.ts";
import { type Example, startRawPod, startRouter } from "../../../test/world/router.ts";
import { TIMES } from "../../transport/http/times.ts";
import { HEAD_BYTES, writeHead } from "../../transport/http2/frames.ts";
import { createKeptBytes } from "../kept-bytes.ts";

const MIB = 1024 ** 2;
setFlagsFromString("--expose-gc");
const collect = z.function({ output: z.void() }).parse(runInNewContext("gc"));

/** What lives, of V8 and outside of it. */
const living = (): number => {
  collect();
  collect();
  const { external, heapUsed } = process.memoryUsage();
  return external + heapUsed;
};

type World = Example & { clock: { now: number }; used(): number; most(): number };

/** With `mostBytes` for all that waits; its clock goes as the test says. */
const start = async (t: TestContext, mostBytes: number, answer?: string): Promise<World> => {
  const clock = { now: 0 };
  const now = (): number => clock.now;
  const kept = createKeptBytes(mostBytes, now);
  const pod = answer === undefined ? undefined : await startRawPod(() => answer);
  const example = await startRouter(pod === undefined ? [] : [{ http: pod.port, grpc: 1 }], {
    ...{ kept, now, maxHeldBytes: mostBytes, times: { ...TIMES, sweepMs: 20 } },
  });
  t.after(() => {
    example.close();
    pod?.close();
  });
  let most = 0;
  const look = setInterval(() => {
    most = Math.max(most, kept.used());
  }, 5);
  t.after(() => clearInterval(look));
  return { ...example, clock, used: kept.used, most: () => most };
};

const dial = (t: TestContext, port: number): Socket => {
  const socket = connect(port, "127.0.0.1").on("error", () => undefined);
  socket.resume();
  t.after(() => socket.destroy());
  return socket;
};

const session = (t: TestContext, port: number, settings = {}): ClientHttp2Session => {
  const made = connectHttp2(`http://127.0.0.1:${port}`, { settings, maxSessionMemory: 1000 });
  made.on("error", () => undefined);
  t.after(() => made.destroy());
  return made;
};

/** A POST of HTTP/1.1 that is answered, or else why not. */
const small = (port: number): Promise<number> =>
  new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1").on("error", () => undefined);
    let got = "";
    socket.on("data", (piece: Buffer) => {
      got += piece.toString("latin1");
    });
    socket.on("close", () => resolve(Number(/^HTTP\/1\.1 (\d+)/.exec(got)?.[1] ?? 0)));
    socket.write("POST / HTTP/1.1\r\nhost: h\r\nconnection: close\r\ncontent-length: 2\r\n\r\nhi");
  });

const released = ({ used }: World): Promise<void> => until("all of it is given back", () => used() === 0, used);

test("chunks of one byte cost little more than a byte each", async (t) => {
  const world = await start(t, 8 * MIB);
  const before = living();
  const count = 900_000;
  const sockets = [dial(t, world.port), dial(t, world.port)];
  for (const socket of sockets) {
    socket.write("POST / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n");
    socket.write("1\r\nx\r\n".repeat(count));
  }
  await until("all bytes to come", () => world.used() > sockets.length * count, world.used);
  const grown = living() - before;
  assert.ok(grown < 30 * MIB, `${sockets.length * count} bytes take ${Math.round(grown / MIB)} MiB`);
  assert.ok(world.most() <= 9 * MIB);
  for (const socket of sockets) socket.destroy();
  await released(world);
});

test("frames of one byte do, too", async (t) => {
  const world = await start(t, 8 * MIB);
  const socket = dial(t, world.port);
  const frame = (type: number, flags: number, payload: Buffer, stream = 1): Buffer => {
    const head = Buffer.alloc(HEAD_BYTES);
    writeHead(head, 0, payload.length, type, flags, stream);
    return Buffer.concat([head, payload]);
  };
  const HEADS = Buffer.from([0x83, 0x86, 0x84, 0x01, 1, 0x68]);
  const before = living();
  socket.write(Buffer.concat([Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), frame(4, 0, Buffer.alloc(0), 0)]));
  socket.write(frame(1, 4, HEADS));
  // as much as the first window has
  const count = 65_000;
  socket.write(Buffer.concat(Array<Buffer>(count).fill(frame(0, 0, Buffer.from("x")))));
  await until("all frames to come", () => world.used() > count, world.used);
  assert.ok(living() - before < 4 * MIB);
  socket.destroy();
  await released(world);
});

test("many large calls that are held stay within the memory, and a small request waits beside them", async (t) => {
  const most = 32 * MIB;
  const world = await start(t, most);
  const before = living();
  const sessions = [session(t, world.port), session(t, world.port), session(t, world.port)];
  let refused = 0;
  for (const one of sessions) {
    for (let i = 0; i < 250; i++) {
      const stream = one.request({ ":method": "POST", ":path": "/" });
      stream.on("error", () => undefined);
      stream.on("response", () => refused++);
      stream.write(Buffer.alloc(MIB - 10));
    }
  }
  await until(
    "some to be refused",
    () => refused > 100,
    () => [refused, world.used()],
  );
  const waiting = small(world.port);
  await until("a small request to wait", () => world.router.fleet.arm("digits-a").room.size() === 1);
  const pod = await startRawPod(() => "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
  t.after(pod.close);
  const place = { name: "a", host: "127.0.0.1", httpPort: pod.port, grpcPort: 1, isReady: true, isTerminating: false };
  world.router.fleet.setPods("digits-a", [place]);
  assert.equal(await waiting, 200);
  assert.ok(world.most() <= (most * 9) / 8, `${world.most()}`);
  for (const one of sessions) one.destroy();
  await released(world);
  assert.ok(living() - before < most);
});

test("a call that is held has sent no more than its first window", async (t) => {
  const world = await start(t, 32 * MIB);
  const one = session(t, world.port);
  const stream = one.request({ ":method": "POST", ":path": "/", "content-length": String(2 * MIB) });
  stream.on("error", () => undefined);
  stream.write(Buffer.alloc(2 * MIB));
  await until("the call to be held", () => world.router.fleet.arm("digits-a").room.size() === 1);
  await until("its first window", () => world.used() > 65_535, world.used);
  // a ping comes back after all that was sent before it
  for (let i = 0; i < 3; i++) await new Promise<void>((resolve) => one.ping(() => resolve()));
  assert.ok(world.used() < 3 * 65_536, `${world.used()}`);
});

test("answers that clients do not take are counted, stop their pod, and end after a minute", async (t) => {
  const most = 16 * MIB;
  const answer = `HTTP/1.1 200 OK\r\ncontent-length: 200000\r\n\r\n${"x".repeat(200_000)}`;
  const world = await start(t, most, answer);
  const before = living();
  const sessions = Array.from({ length: 4 }, () => session(t, world.port, { initialWindowSize: 0 }));
  let closed = 0;
  let open = 0;
  for (const one of sessions) {
    for (let i = 0; i < 50; i++) {
      const stream = one.request({ ":method": "GET", ":path": "/" });
      open++;
      stream.on("error", () => undefined);
      stream.on("close", () => closed++);
    }
  }
  await until(
    "those without room to be ended",
    () => closed > 50 && world.used() > most / 2,
    () => [closed, world.used()],
  );
  assert.equal(await small(world.port), 200, "who takes its answers gets them");
  assert.ok(world.most() <= (most * 9) / 8, `${world.most()}`);
  assert.ok(living() - before < 4 * most);
  // some answers come only now that others have made room
  const passing = setInterval(() => {
    world.clock.now += 63_000;
  }, 100);
  t.after(() => clearInterval(passing));
  await until(
    "the rest to be ended",
    () => closed === open,
    () => [closed, open],
  );
  await released(world);
});

test("what is slow makes room for others", async (t) => {
  const world = await start(t, 4 * MIB);
  const one = session(t, world.port);
  const slow = Array.from({ length: 8 }, () => {
    const stream = one.request({ ":method": "POST", ":path": "/" });
    stream.on("error", () => undefined);
    stream.write(Buffer.alloc(500_000));
    return once(stream, "response").then(
      ([headers]) => headers[":status"],
      () => 0,
    );
  });
  await until("its memory to be taken", () => world.used() > 3 * MIB, world.used);
  world.clock.now = 10_000;
  const other = dial(t, world.port);
  other.write(`POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 900000\r\n\r\n${"x".repeat(900_000)}`);
  assert.equal(await Promise.race(slow), 503);
  await until("the other to be held", () => world.router.fleet.arm("digits-a").room.size() === 1);
});

test("requests behind one that is held, and headers that do not end, are counted", async (t) => {
  const world = await start(t, 8 * MIB);
  const request = "POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 2\r\n\r\nhi";
  const behind = dial(t, world.port);
  behind.write(request + request.repeat(1000));
  const partial = dial(t, world.port);
  partial.write(`GET / HTTP/1.1\r\nhost: h\r\nx: ${"y".repeat(15_000)}`);
  await until("both", () => world.used() > 15_000 + 40_000, world.used);
  behind.destroy();
  partial.destroy();
  await released(world);
});

test("a client of HTTP/1.1 that does not take its answer is counted, and cut off after a minute", async (t) => {
  const world = await start(t, 8 * MIB, `HTTP/1.1 200 OK\r\ncontent-length: 20000000\r\n\r\n${"x".repeat(20_000_000)}`);
  const socket = connect(world.port, "127.0.0.1").on("error", () => undefined);
  t.after(() => socket.destroy());
  socket.pause();
  socket.write("GET / HTTP/1.1\r\nhost: h\r\n\r\n");
  await until("some of it to wait", () => world.used() > 0, world.used);
  assert.ok(world.most() < MIB, `${world.most()}`);
  // the second look sees that it has stood still since the first
  for (let i = 0; i < 200 && world.used() > 0; i++) {
    world.clock.now += 61_000;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await released(world);
});
