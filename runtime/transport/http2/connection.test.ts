import assert from "node:assert/strict";
import { once } from "node:events";
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from "node:http2";
import { createServer, type Socket, connect as tcp } from "node:net";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { PATIENCE_MS, until } from "../../../test/world/patience.ts";
import { serveHttp2 } from "./connection.ts";
import { HEAD_BYTES, writeHead } from "./frames.ts";
import * as http2 from "./protocol.ts";
import type { Connection, OnRequest } from "./types.ts";

/** Answers with the number of bytes that came, then as many bytes as the path says. */
const counting: OnRequest = ({ path }, stream) => {
  let bytes = 0;
  return {
    data: (piece) => {
      bytes += piece.length;
    },
    end: () => {
      stream.headers(
        [
          [":status", "200"],
          ["x-bytes", String(bytes)],
        ],
        false,
      );
      stream.write(Buffer.alloc(Number(path.slice(1))));
      stream.end([["x-end", "yes"]]);
    },
    closed: () => undefined,
    drained: () => undefined,
    sweep: () => undefined,
  };
};

const start = async (t: TestContext, onRequest: OnRequest = counting, silentMs = 10_000) => {
  const connections: Connection[] = [];
  const sockets = new Set<Socket>();
  const clock = { now: 0 };
  const server = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    const options = { maxConcurrentStreams: 100, keepaliveMs: silentMs, keepaliveTimeoutMs: 100 };
    connections.push(serveHttp2(socket, { ...options, now: () => clock.now }, onRequest));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  assert.ok(typeof address === "object" && address !== null);
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  const sweep = (): void => {
    for (const connection of connections) connection.sweep(clock.now);
  };
  return { port: address.port, connections, sockets, clock, sweep };
};

const client = (t: TestContext, port: number): ClientHttp2Session => {
  const session = connect(`http://127.0.0.1:${port}`, { maxSessionMemory: 1000 });
  session.on("error", () => undefined);
  t.after(() => session.destroy());
  return session;
};

type Answer = { bytes: number; taken: number; trailers: Record<string, unknown> };
const answerOf = async (stream: ClientHttp2Stream): Promise<Answer> => {
  const answer: Answer = { bytes: Number.NaN, taken: 0, trailers: {} };
  stream.on("response", (headers) => {
    answer.bytes = Number(headers["x-bytes"]);
  });
  stream.on("trailers", (trailers) => {
    answer.trailers = trailers;
  });
  stream.on("data", (piece: Buffer) => {
    answer.taken += piece.length;
  });
  await once(stream, "close");
  return answer;
};
const ask = (session: ClientHttp2Session, body: Buffer, answerBytes = 0): Promise<Answer> => {
  const stream = session.request({ ":method": "POST", ":path": `/${answerBytes}` });
  stream.end(body);
  return answerOf(stream);
};

const frame = (type: number, flags: number, stream: number, payload = Buffer.alloc(0)): Buffer => {
  const head = Buffer.alloc(HEAD_BYTES);
  writeHead(head, 0, payload.length, type, flags, stream);
  return Buffer.concat([head, payload]);
};
const PREFACE = Buffer.concat([Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), frame(http2.SETTINGS, 0, 0)]);
/** POST, http, /0 */
const HEADS = Buffer.from([0x83, 0x86, 0x44, 2, 0x2f, 0x30, 0x01, 1, 0x68]);

/** What the server sends until it closes the connection. */
const told = async (port: number, ...frames: Buffer[]): Promise<string> => {
  const socket = tcp(port, "127.0.0.1").on("error", () => undefined);
  const pieces: Buffer[] = [];
  socket.on("data", (piece: Buffer) => pieces.push(piece));
  for (const one of frames) socket.write(one);
  await once(socket, "close", { signal: AbortSignal.timeout(PATIENCE_MS) });
  return Buffer.concat(pieces).toString("latin1");
};

test("bodies and answers of any size come whole, on many streams at once, and go on for longer than the windows", async (t) => {
  const { port } = await start(t);
  const session = client(t, port);
  // together 8 times what the connection's window has, in frames that end their streams and frames that do not
  for (let round = 0; round < 32; round++) {
    const sizes = [0, 1, 16_384, 16_385, 1_000_000, 3_000_000];
    const answers = await Promise.all(sizes.map((size) => ask(session, Buffer.alloc(size), size)));
    assert.deepEqual(
      answers.map(({ bytes, taken, trailers }) => [bytes, taken, trailers["x-end"]]),
      sizes.map((size) => [size, size, "yes"]),
    );
  }
});

test("small requests, each in one frame, are given back to the window of the connection", async (t) => {
  const { port } = await start(t);
  const session = client(t, port);
  const body = Buffer.alloc(16_000);
  for (let round = 0; round < 30; round++) {
    const answers = await Promise.all(Array.from({ length: 50 }, () => ask(session, body)));
    assert.ok(answers.every(({ bytes }) => bytes === body.length));
  }
});

test("a request that is answered before its end, and one that is taken back, take nothing from those after them", async (t) => {
  let closed = 0;
  const { port } = await start(t, (head, stream) => {
    const handler = counting(head, stream);
    if (head.path === "/0") stream.headers([[":status", "400"]], true);
    return { ...handler, closed: () => closed++ };
  });
  const session = client(t, port);
  for (let round = 0; round < 40; round++) {
    const early = session.request({ ":method": "POST", ":path": "/0" });
    early.on("error", () => undefined);
    early.write(Buffer.alloc(1_000_000));
    const backed = session.request({ ":method": "POST", ":path": "/5" });
    backed.on("error", () => undefined);
    backed.write(Buffer.alloc(100_000), () => backed.close(http2.CANCEL));
    await Promise.all([once(early, "close"), once(backed, "close")]);
  }
  assert.equal((await ask(session, Buffer.alloc(2_000_000), 7)).bytes, 2_000_000);
  assert.ok(closed >= 41, `${closed}`);
});

test("a client that may not be sent more gets the rest when it can, and holds nobody up meanwhile", async (t) => {
  const { port } = await start(t);
  const session = client(t, port);
  const slow = session.request({ ":method": "POST", ":path": "/2000000" });
  slow.end();
  slow.pause();
  await once(slow, "response");
  assert.equal((await ask(session, Buffer.alloc(10), 10)).taken, 10);
  slow.resume();
  assert.equal((await answerOf(slow)).taken, 2_000_000);
});

test("a stream tells whether all that was written has gone", async (t) => {
  const told: boolean[] = [];
  const { port } = await start(t, (head, stream) => ({
    ...counting(head, stream),
    end: () => {
      stream.headers([[":status", "200"]], false);
      stream.write(Buffer.alloc(10));
      told.push(stream.flush());
      // more than the client's window
      stream.write(Buffer.alloc(100_000));
      told.push(stream.flush());
      stream.end([]);
    },
  }));
  const { taken } = await ask(client(t, port), Buffer.alloc(1));
  assert.deepEqual([told, taken], [[true, false], 100_010]);
});

test("streams beyond the most are refused, and may be tried again", async (t) => {
  const { port } = await start(t);
  const open = Array.from({ length: 120 }, (_, i) => frame(http2.HEADERS, http2.END_HEADERS, 2 * i + 1, HEADS));
  const socket = tcp(port, "127.0.0.1");
  t.after(() => socket.destroy());
  socket.write(Buffer.concat([PREFACE, ...open]));
  let got = "";
  socket.on("data", (piece: Buffer) => {
    got += piece.toString("latin1");
  });
  const refusal = frame(http2.RST_STREAM, 0, 201, Buffer.from([0, 0, 0, http2.REFUSED_STREAM])).toString("latin1");
  await until("the refusal", () => got.includes(refusal));
  assert.equal(socket.destroyed, false);
});

test("what breaks the rules ends the connection with the reason", async (t) => {
  const { port } = await start(t);
  const opened = [PREFACE, frame(http2.HEADERS, http2.END_HEADERS, 1, HEADS)];
  const cases: [RegExp, ...Buffer[]][] = [
    [/speaks HTTP\/2/, Buffer.from("GET / HTTP/1.1\r\n\r\n")],
    [/first frame/, PREFACE.subarray(0, 24), frame(http2.PING, 0, 0, Buffer.alloc(8))],
    [/not open/, PREFACE, frame(http2.DATA, 0, 1, Buffer.alloc(1))],
    [/damaged/, PREFACE, frame(http2.HEADERS, http2.END_HEADERS, 1, Buffer.from([0xff, 0xff, 0xff]))],
    [/interrupted/, PREFACE, frame(http2.HEADERS, 0, 1, HEADS), frame(http2.PING, 0, 0, Buffer.alloc(8))],
    [
      /too large/,
      PREFACE,
      frame(http2.HEADERS, 0, 1, HEADS),
      ...Array<Buffer>(99).fill(frame(http2.CONTINUATION, 0, 1)),
    ],
    [/padding/, ...opened, frame(http2.DATA, http2.PADDED, 1, Buffer.from([9, 1]))],
    [/too many streams/, ...opened, ...resets(2000)],
    [/too many streams/, PREFACE, ...provoked(2000)],
    [/carry nothing/, PREFACE, ...Array<Buffer>(12_000).fill(frame(http2.PING, 0, 0, Buffer.alloc(8)))],
    [/carry nothing/, ...opened, ...Array<Buffer>(12_000).fill(frame(http2.DATA, 0, 1))],
    [/2\^31-1/, PREFACE, frame(http2.WINDOW_UPDATE, 0, 0, Buffer.from([0x7f, 0xff, 0xff, 0xff]))],
  ];
  for (const [reason, ...frames] of cases) assert.match(await told(port, Buffer.concat(frames)), reason);
});

/** A WINDOW_UPDATE of 0 makes the server reset the stream. */
const provoked = (count: number): Buffer[] =>
  Array.from({ length: count }, (_, i) =>
    Buffer.concat([
      frame(http2.HEADERS, http2.END_HEADERS, 2 * i + 1, HEADS),
      frame(http2.WINDOW_UPDATE, 0, 2 * i + 1, Buffer.alloc(4)),
    ]),
  );

const resets = (count: number): Buffer[] =>
  Array.from({ length: count }, (_, i) =>
    Buffer.concat([
      frame(http2.HEADERS, http2.END_HEADERS, 2 * i + 3, HEADS),
      frame(http2.RST_STREAM, 0, 2 * i + 3, Buffer.from([0, 0, 0, http2.CANCEL])),
    ]),
  );

test("more than the window of a stream ends the stream", async (t) => {
  const { port } = await start(t, (head, stream) => {
    stream.pause();
    return counting(head, stream);
  });
  const part = Buffer.alloc(16_384);
  const stream = (id: number) => [
    frame(http2.HEADERS, http2.END_HEADERS, id, HEADS),
    ...Array<Buffer>(64).fill(frame(http2.DATA, 0, id, part)),
  ];
  const socket = tcp(port, "127.0.0.1");
  t.after(() => socket.destroy());
  let got = "";
  socket.on("data", (piece: Buffer) => {
    got += piece.toString("latin1");
  });
  socket.write(Buffer.concat([PREFACE, ...stream(1), frame(http2.DATA, 0, 1, Buffer.from("1"))]));
  const reset = frame(http2.RST_STREAM, 0, 1, Buffer.from([0, 0, 0, http2.FLOW_CONTROL_ERROR])).toString("latin1");
  await until("the reset", () => got.includes(reset));
});

test("a client that is told to leave has its calls answered, and opens no more", async (t) => {
  const { port, connections, sockets } = await start(t);
  const session = client(t, port);
  const running = session.request({ ":method": "POST", ":path": "/9" });
  running.write(Buffer.alloc(5));
  await ask(session, Buffer.alloc(1));
  const left = once(session, "goaway");
  for (const connection of connections) connection.leave(5000);
  await left;
  // it takes the client a round trip to hear of it: what it opens meanwhile is served
  running.end(Buffer.alloc(5));
  assert.deepEqual([(await answerOf(running)).bytes], [10]);
  await until("0 connections left", () => sockets.size <= 0);
});

test("a client that is slow to hear that it is to leave is served meanwhile, and has time to close", async (t) => {
  const { port, connections, sockets, clock, sweep } = await start(t);
  const socket = tcp({ port, host: "127.0.0.1", allowHalfOpen: true }).on("error", () => undefined);
  t.after(() => socket.destroy());
  let got = "";
  socket.on("data", (piece: Buffer) => {
    got += piece.toString("latin1");
  });
  socket.write(PREFACE);
  await until("the connection", () => connections.length > 0 && got.length > 0);
  connections[0]?.leave(60_000);
  await until("the word to leave", () => got.includes("leaving."));
  clock.now = 4000;
  sweep();
  socket.write(frame(http2.HEADERS, http2.END_HEADERS | http2.END_STREAM, 1, HEADS));
  await until("the answer", () => got.includes("x-end") || socket.readableEnded);
  assert.equal(socket.readableEnded, false);
  socket.write(frame(http2.PING, http2.ACK, 0, Buffer.from("leaving.")));
  await until("closed for writing", () => socket.readableEnded);
  clock.now = 8000;
  sweep();
  // what is sent to a connection that is gone is answered by a reset
  socket.write(frame(http2.PING, 0, 0, Buffer.from("anybody?")));
  assert.equal(sockets.size, 1);
  clock.now = 9001;
  sweep();
  await until("the end", () => sockets.size === 0);
});

test("a client that is silent is asked whether it is there, and ended where it does not answer", async (t) => {
  const { port, sockets, clock, sweep } = await start(t, counting, 1000);
  const session = client(t, port);
  await ask(session, Buffer.alloc(1));
  const mute = tcp(port, "127.0.0.1").on("error", () => undefined);
  const acknowledged = frame(http2.SETTINGS, http2.ACK, 0).toString("latin1");
  let got = "";
  mute.on("data", (piece: Buffer) => {
    got += piece.toString("latin1");
  });
  mute.write(PREFACE);
  await until("the acknowledgement", () => got.includes(acknowledged));
  assert.equal(sockets.size, 2);
  clock.now = 2000;
  sweep();
  await ask(session, Buffer.alloc(1));
  clock.now = 2200;
  sweep();
  await until("1 connections left", () => sockets.size <= 1);
  assert.equal((await ask(session, Buffer.alloc(1))).bytes, 1);
  mute.destroy();
});

test("a head that does not come is not waited for", async (t) => {
  const { port, sockets, clock, sweep } = await start(t);
  const slow = tcp(port, "127.0.0.1").on("error", () => undefined);
  slow.write(PREFACE.subarray(0, 10));
  await once(slow, "data");
  clock.now = 9000;
  sweep();
  await sleep(10);
  assert.equal(sockets.size, 1);
  clock.now = 10_001;
  sweep();
  await once(slow, "close");
});

test("what was on its way to calls that were refused early ends no connection", async (t) => {
  const { port } = await start(t, (head, stream) => {
    const handler = counting(head, stream);
    if (head.path === "/0") stream.headers([[":status", "400"]], true);
    return handler;
  });
  const session = client(t, port);
  // some 12,000 frames of data, which is more than move nothing in a burst
  for (let round = 0; round < 2; round++) {
    await Promise.all(
      Array.from({ length: 100 }, async () => {
        const early = session.request({ ":method": "POST", ":path": "/0" });
        early.on("error", () => undefined);
        early.resume().end(Buffer.alloc(1_000_000));
        await once(early, "close");
      }),
    );
  }
  assert.equal((await ask(session, Buffer.alloc(10), 7)).bytes, 10);
});

test("a content-length that is not the body's ends the stream", async (t) => {
  const { port } = await start(t);
  const session = client(t, port);
  const stream = session.request({ ":method": "POST", ":path": "/0", "content-length": "7" });
  stream.end(Buffer.alloc(6));
  const [error] = await once(stream, "error");
  assert.match(String(error), /PROTOCOL_ERROR/);
});

test("what is no request is answered, and ends its own stream alone", async (t) => {
  const { port } = await start(t);
  const session = client(t, port);
  const running = session.request({ ":method": "POST", ":path": "/9" });
  running.write("x");
  const cases: [number, Record<string, string>][] = [
    [400, { ":path": "/x y" }],
    [400, { ":path": "/\u00ff" }],
    [400, { ":path": "/9", ":authority": "a b:/?" }],
    [400, { ":path": "/9", odd: "a\u0001b" }],
    [501, { ":path": "/9", ":method": "FOO" }],
    [431, { ":path": "/9", ...Object.fromEntries(Array.from({ length: 120 }, (_, i) => [`x${i}`, "y"])) }],
    [417, { ":path": "/9", expect: "200-ok" }],
  ];
  for (const [status, headers] of cases) {
    const stream = session.request({ ":method": "POST", ...headers });
    stream.on("error", () => undefined);
    const got = await new Promise((resolve) => stream.once("response", (answer) => resolve(answer[":status"])));
    assert.equal(got, status, JSON.stringify(headers).slice(0, 100));
  }
  running.end("yz");
  const { bytes, taken } = await answerOf(running);
  assert.deepEqual([bytes, taken], [3, 9]);
});

test("a client that expects 100 (Continue) is told to go on", async (t) => {
  const { port } = await start(t);
  const stream = client(t, port).request({ ":method": "POST", ":path": "/2", expect: "100-continue" });
  await once(stream, "continue");
  stream.end("abc");
  assert.equal((await answerOf(stream)).bytes, 3);
});
