import assert from "node:assert/strict";
import { constants, createServer, type Http2Server, type ServerHttp2Session, type ServerHttp2Stream } from "node:http2";
import { connect, createServer as createTcpServer, type Socket } from "node:net";
import { after, describe, it } from "node:test";
import { frame } from "../../../test/world/made-up-http2.ts";
import { until } from "../../../test/world/patience.ts";
import { GOAWAY, SETTINGS } from "../../transport/http2/protocol.ts";
import type { Events, Message } from "../message.ts";
import { createGrpcPool, type GrpcPool } from "./grpc-pool.ts";

const ends: (() => void)[] = [];
after(() => {
  for (const end of ends) end();
});

type Pod = { port: number; server: Http2Server; calls: number; sessions: Set<ServerHttp2Session> };

const portOf = (server: { address(): unknown }): number => {
  const address = server.address();
  assert.ok(typeof address === "object" && address !== null && "port" in address && typeof address.port === "number");
  return address.port;
};

const pod = async (onCall: (stream: ServerHttp2Stream, session: ServerHttp2Session) => void): Promise<Pod> => {
  const server = createServer();
  const made: Pod = { port: 0, server, calls: 0, sessions: new Set() };
  server.on("session", (session) => {
    made.sessions.add(session);
    session.on("error", () => undefined);
    session.on("stream", (stream) => {
      made.calls++;
      stream.on("error", () => undefined);
      onCall(stream, session);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  made.port = portOf(server);
  ends.push(() => {
    server.close();
    for (const session of made.sessions) session.destroy();
  });
  return made;
};

const poolTo = (port: number, now: () => number = () => performance.now()): GrpcPool => {
  const pool = createGrpcPool({ host: "127.0.0.1", port }, now);
  ends.push(pool.retire);
  return pool;
};

const MESSAGE: Message = {
  ...{ protocol: "grpc", method: "POST", target: "/a/b", fields: ["content-type", "application/grpc"] },
  body: { kind: "whole", pieces: [Buffer.from("x")], bytes: 1 },
};

/** Resolves to what became of it. */
const send = (pool: GrpcPool, message: Message = MESSAGE, onReached = (): void => undefined): Promise<string> =>
  new Promise((resolve) => {
    const events: Events = {
      reached: onReached,
      head: () => undefined,
      data: () => undefined,
      flush: () => "taken",
      end: (_, outcome) => resolve(String(outcome)),
      failed: (kind) => resolve(kind),
    };
    pool.send(message, events);
  });

const answer = (stream: ServerHttp2Stream): void => {
  stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
  stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
  stream.end("x");
};

describe("the connections to a pod over HTTP/2", () => {
  it("find that nobody is there, and take nothing of the body before they know", async () => {
    let reads = 0;
    const source = { read: () => void reads++, pause: () => undefined, resume: () => undefined, isWhole: () => false };
    const body = { kind: "stream" as const, length: undefined, source };
    assert.equal(await send(poolTo(1), { ...MESSAGE, body }), "unreachable");
    assert.equal(reads, 0);
  });

  it("tell a request's own fault from theirs, and go on with one connection", async () => {
    const server = await pod(answer);
    const pool = poolTo(server.port);
    for (let i = 0; i < 600; i++) {
      const fields = [...MESSAGE.fields, ...(i % 2 === 0 ? ["http2-settings", "x"] : ["age", "1", "age", "2"])];
      assert.equal(await send(pool, { ...MESSAGE, fields }), "invalid");
    }
    assert.equal(await send(pool), "200");
    assert.deepEqual([pool.size(), server.sessions.size, server.calls], [1, 1, 1]);
  });

  it("do not fail in the turn in which they are asked, so that others have theirs", async () => {
    const pool = poolTo(1);
    let turned = false;
    setImmediate(() => {
      turned = true;
    });
    const failing = send(pool, { ...MESSAGE, fields: ["http2-settings", "x"] });
    await Promise.resolve();
    process.nextTick(() => assert.equal(turned, false));
    assert.equal(await failing, "invalid");
    assert.equal(turned, true);
  });

  it("send a method with its body, though it should have none", async () => {
    const seen: string[] = [];
    const server = await pod((stream) => {
      stream.on("data", (piece) => seen.push(String(piece)));
      stream.on("end", () => answer(stream));
    });
    assert.equal(await send(poolTo(server.port), { ...MESSAGE, method: "GET" }), "200");
    assert.deepEqual(seen, ["x"]);
  });

  it("take a status of HTTP for the client's fault where it is one, and for the pod's otherwise", async () => {
    const refusing = await pod((stream) => stream.respond({ ":status": 415 }, { endStream: true }));
    assert.equal(await send(poolTo(refusing.port)), "415");
    const failing = await pod((stream) => stream.respond({ ":status": 503 }, { endStream: true }));
    assert.equal(await send(poolTo(failing.port)), "broken");
  });

  it("know a call that the pod has not begun with from one that it may have", async () => {
    const refusing = await pod((stream) => stream.close(constants.NGHTTP2_REFUSED_STREAM));
    assert.equal(await send(poolTo(refusing.port)), "unseen");
    const failing = await pod((stream) => stream.close(constants.NGHTTP2_INTERNAL_ERROR));
    assert.equal(await send(poolTo(failing.port)), "broken");
    const dying = await pod((_, session) => session.destroy());
    assert.equal(await send(poolTo(dying.port)), "broken");
  });

  for (const code of [constants.NGHTTP2_NO_ERROR, constants.NGHTTP2_ENHANCE_YOUR_CALM])
    it(`know by GOAWAY (${code}) which calls a pod has not begun with`, async () => {
      const streams: ServerHttp2Stream[] = [];
      const server = await pod((stream) => streams.push(stream));
      const pool = poolTo(server.port);
      const [first, second] = [send(pool), send(pool)];
      await until("both calls at the pod", () => streams.length === 2);
      const [begun, other] = streams;
      assert.ok(begun?.session !== undefined && other !== undefined);
      begun.session.goaway(code, begun.id);
      assert.equal(await second, "unseen");
      if (code === constants.NGHTTP2_NO_ERROR) answer(begun);
      assert.equal(await first, code === constants.NGHTTP2_NO_ERROR ? "200" : "broken");
    });

  for (const last of [0, 2 ** 31 - 1])
    it(`know a call that was never sent, since the pod said in that moment that it leaves (last: ${last})`, async () => {
      const sockets: Socket[] = [];
      const server = createTcpServer((socket) => {
        sockets.push(socket);
        socket.on("error", () => undefined).resume();
        socket.write(frame(SETTINGS, 0, 0));
      });
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      ends.push(() => {
        server.close();
        for (const socket of sockets) socket.destroy();
      });
      const pool = poolTo(portOf(server));
      let reached = false;
      const first = send(pool, MESSAGE, () => {
        reached = true;
      });
      await until("a call that is sent", () => reached && sockets.length === 1);
      // out of a timer GOAWAY is read before what was begun in this turn is written
      const second = await new Promise<string>((resolve) =>
        setTimeout(() => {
          const payload = Buffer.alloc(8);
          payload.writeUInt32BE(last);
          sockets[0]?.write(frame(GOAWAY, 0, 0, payload));
          resolve(send(pool));
        }),
      );
      assert.equal(second, "unseen");
      for (const socket of sockets) socket.destroy();
      assert.match(await first, last === 0 ? /^unseen$/ : /^broken$/);
    });

  it("notice a node that is gone while calls wait for it, and send no more there meanwhile", async () => {
    const server = await pod((stream) => stream.on("end", () => server.calls > 1 && answer(stream)).resume());
    let pings = 0;
    server.server.on("session", (session) => session.on("ping", () => pings++));
    let isGone = false;
    const sockets: Socket[] = [];
    // what a node that lost its network does: nothing at all
    const network = createTcpServer((near) => {
      const far = connect(server.port, "127.0.0.1");
      sockets.push(near, far);
      near.on("data", (bytes) => isGone || far.write(bytes)).on("error", () => undefined);
      far.on("data", (bytes) => isGone || near.write(bytes)).on("error", () => undefined);
    });
    await new Promise<void>((resolve) => network.listen(0, "127.0.0.1", resolve));
    ends.push(() => {
      network.close();
      for (const socket of sockets) socket.destroy();
    });
    let time = 0;
    const pool = poolTo(portOf(network), () => time);
    const waiting = send(pool);
    await until("the call at the pod", () => server.calls === 1);
    time += 10_000;
    pool.sweep(time);
    await until("a ping", () => pings === 1);
    // what comes after it has come after its answer
    assert.equal(await send(pool), "200");
    time += 5000;
    pool.sweep(time);
    assert.equal(pool.size(), 1);
    isGone = true;
    time += 5000;
    pool.sweep(time);
    time += 5000;
    void send(pool);
    assert.equal(pool.size(), 2, "another connection");
    pool.sweep(time);
    assert.equal(await waiting, "broken");
  });

  it("are free once a call is answered, though its client goes on sending, or leaves without taking the answer", async () => {
    let closed = 0;
    const { port } = await pod((stream) => {
      stream.resume().once("close", () => closed++);
      stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
      stream.end(Buffer.alloc(100_000));
    });
    const source = { read: () => undefined, pause: () => undefined, resume: () => undefined, isWhole: () => false };
    const endless: Message = { ...MESSAGE, body: { kind: "stream", length: undefined, source } };
    const answered = poolTo(port);
    assert.equal(await send(answered, endless), "200");
    answered.retire();
    await until("no connection", () => answered.size() === 0, answered.size);

    const left = poolTo(port);
    const nothing = {
      reached: () => undefined,
      data: () => undefined,
      flush: () => "taken" as const,
      end: assert.fail,
    };
    const begun = Promise.withResolvers<void>();
    const sent = left.send(MESSAGE, { ...nothing, head: () => begun.resolve(), failed: assert.fail });
    await begun.promise;
    sent.pause();
    // all of it has come, and lies in the stream
    await until("the end of the call at the pod", () => closed === 2);
    sent.abort();
    left.retire();
    await until("no connection", () => left.size() === 0, left.size);
  });
});
