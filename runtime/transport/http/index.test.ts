import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { once } from "node:events";
import { Agent, request as httpRequest } from "node:http";
import { connect, Socket } from "node:net";
import { describe, it, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { deflateRawSync, deflateSync, gunzipSync, gzipSync, inflateSync } from "node:zlib";
import { z } from "zod";
import { PATIENCE_MS, until } from "../../../test/world/patience.ts";
import { RequestError } from "../../errors/request-error.ts";
import { YOUNG_MS } from "../../memory/room.ts";
import { createHttpServer, type HttpServer, type HttpServerOptions } from "./index.ts";
import type { Handle, HttpRequest, HttpResponse } from "./types.ts";

const text = (body: string, status = 200): HttpResponse => ({
  status,
  headers: { "content-type": "text/plain" },
  parts: [body],
});

/** Its clock stands still, unless a test brings one that goes. */
const start = async (
  t: TestContext,
  handlers: Record<string, Handle> = {},
  options: Partial<HttpServerOptions> = {},
) => {
  const logged: unknown[] = [];
  const paths = new Map<string, Partial<Record<"GET" | "POST", Handle>>>([
    ["/get", { GET: () => text("got") }],
    ["/length", { POST: ({ body }) => text(String(body.length)) }],
    ["/echo", { POST: ({ body }) => ({ status: 200, headers: {}, parts: [body] }) }],
    ...Object.entries(handlers).map(([path, handle]): [string, { POST: Handle }] => [path, { POST: handle }]),
  ]);
  const explain = (path: string) => (path.startsWith("/v2") ? "the model is called m" : undefined);
  const server = createHttpServer(
    [{ paths, explain }],
    { maxBodyBytes: 100_000, maxConnectionAgeMs: 300_000, times: { sweepMs: 20 }, now: () => 0, ...options },
    { error: (details) => logged.push(details.err) },
  );
  const port = await server.listen(0, "127.0.0.1");
  t.after(() => server.close());
  /** The server's sides of its connections, in the order in which they came. */
  const accepted: Socket[] = [];
  const note = (message: unknown): void => {
    const { socket } = z.object({ socket: z.instanceof(Socket) }).parse(message);
    if (socket.localPort === port) accepted.push(socket);
  };
  subscribe("net.server.socket", note);
  t.after(() => unsubscribe("net.server.socket", note));
  const open = async (): Promise<Socket & { all: Promise<string>; received: () => string }> => {
    const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    socket.on("error", () => undefined);
    let received = "";
    socket.on("data", (chunk: Buffer) => {
      received += chunk.toString("latin1");
    });
    const { promise, resolve } = Promise.withResolvers<string>();
    socket.once("close", () => resolve(received));
    socket.once("end", () => socket.end());
    await once(socket, "connect");
    t.after(() => socket.destroy());
    return Object.assign(socket, { all: promise, received: () => received });
  };
  /** All that is answered to these bytes until the server closes the connection. */
  const raw = async (...pieces: string[]): Promise<string> => {
    const socket = await open();
    for (const piece of pieces) socket.write(piece, "latin1");
    return socket.all;
  };
  return { server, port, url: `http://127.0.0.1:${port}`, open, raw, logged, accepted };
};

const post = (path: string, body: string, headers = "") =>
  `POST ${path} HTTP/1.1\r\nHost: h\r\n${headers}Content-Length: ${body.length}\r\n\r\n${body}`;
const CLOSE = "Connection: close\r\n";
/** Until so many are left: the server sees an end later than its client. */
const connectionsOf = (server: HttpServer, count: number): Promise<void> =>
  until(`${count} connections`, () => server.snapshot().connections === count, server.snapshot);
const inFlight = (server: HttpServer): Promise<void> =>
  until("a request that is being answered", () => server.snapshot().inFlight > 0, server.snapshot);
const statusOf = (answer: string): number => Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1]);

describe("bodies", { concurrency: true, timeout: PATIENCE_MS }, () => {
  it("are decompressed within --max-body, and a refused client gets its answer", async (t) => {
    const { url, server } = await start(t);
    const send = async (body: Uint8Array, encoding = "identity") => {
      const headers = { "content-encoding": encoding };
      const answer = await fetch(`${url}/length`, { method: "POST", body: Buffer.from(body), headers });
      return `${answer.status} ${await answer.text()}`;
    };
    assert.equal(await send(gzipSync(Buffer.alloc(100_000)), "gzip"), "200 100000");
    assert.equal(await send(deflateSync(Buffer.alloc(100_000)), "deflate"), "200 100000");
    assert.equal(await send(deflateRawSync(Buffer.alloc(100_000)), "Deflate"), "200 100000");
    assert.match(await send(gzipSync(Buffer.alloc(50_000_000)), "gzip"), /^413 .*--max-body/);
    assert.match(await send(Buffer.alloc(20_000_000)), /^413 .*--max-body/);
    assert.match(await send(Buffer.from("x"), "gzip"), /^400 /);
    assert.match(await send(gzipSync(Buffer.alloc(1000)).subarray(0, 15), "gzip"), /^400 /);
    assert.match(await send(Buffer.from("x"), "br"), /^415 /);
    assert.equal(await send(Buffer.alloc(100_000)), "200 100000");
    assert.deepEqual(server.snapshot().requests, { "200": 4, "400": 2, "413": 2, "415": 1 });
    assert.equal(server.snapshot().inFlight, 0);
  });

  it("share a budget of bytes; what is over it is told to come back, and it is given back", async (t) => {
    const { open, raw, server } = await start(t, {}, { maxBufferedBytes: 100_000 });
    const slow = await open();
    slow.write(`POST /length HTTP/1.1\r\nHost: h\r\n${CLOSE}Content-Length: 60000\r\n\r\nx`);
    await inFlight(server);
    const answer = await raw(`POST /length HTTP/1.1\r\nHost: h\r\nContent-Length: 60000\r\n\r\nx`);
    assert.match(answer, /^HTTP\/1\.1 429 [\s\S]*\r\nretry-after: 1\r\n/);
    assert.match(await raw(post("/length", "small", CLOSE)), /^HTTP\/1\.1 200 /);
    slow.write("x".repeat(59_999));
    assert.match(await slow.all, /\r\n\r\n60000$/);
    const next = await open();
    next.write(`POST /length HTTP/1.1\r\nHost: h\r\n${CLOSE}Content-Length: 60000\r\n\r\nx`);
    next.write("x".repeat(59_999));
    assert.match(await next.all, /\r\n\r\n60000$/);
  });

  it("that come slowly make room for others, the largest first, and their client is told", async (t) => {
    let now = 0;
    const { open, raw, server } = await start(t, {}, { maxBufferedBytes: 150_000, now: () => now });
    const slow = await open();
    slow.write(`POST /length HTTP/1.1\r\nHost: h\r\nContent-Length: 90000\r\n\r\n${"x".repeat(80_000)}`);
    await inFlight(server);
    const request = `POST /length HTTP/1.1\r\nHost: h\r\n${CLOSE}Content-Length: 70000\r\n\r\n`;
    assert.equal(statusOf(await raw(request, "x".repeat(69_999))), 429, "it has not been there for long");
    now = YOUNG_MS;
    const other = await open();
    other.write(`${request}x`);
    assert.match(await slow.all, /^HTTP\/1\.1 429 [\s\S]*retry-after: 1[\s\S]*not whole yet/);
    other.write("x".repeat(69_999));
    assert.match(await other.all, /\r\n\r\n70000$/);
  });

  it("that come at a good pace make no room, however old they are", async (t) => {
    let now = 0;
    const options = { maxBodyBytes: 9_000_000, maxBufferedBytes: 9_500_000, now: () => now };
    const { open, raw, accepted } = await start(t, {}, options);
    const brisk = await open();
    brisk.write(`POST /length HTTP/1.1\r\nHost: h\r\n${CLOSE}Content-Length: 9000000\r\n\r\n`);
    brisk.write(Buffer.alloc(8_000_000));
    const read = (): number => accepted[0]?.bytesRead ?? 0;
    await until("8 MB that the server has read", () => read() > 8_000_000, read);
    now = 2 * YOUNG_MS;
    const request = `POST /length HTTP/1.1\r\nHost: h\r\n${CLOSE}Content-Length: 2000000\r\n\r\n`;
    assert.equal(statusOf(await raw(request, "x".repeat(1_000_000))), 429);
    brisk.write(Buffer.alloc(1_000_000));
    assert.match(await brisk.all, /\r\n\r\n9000000$/);
  });

  it("of clients that leave while they are decompressed give their bytes back", async (t) => {
    const { open, raw, server } = await start(t, {}, { maxBufferedBytes: 100_000 });
    const packed = gzipSync(Buffer.alloc(90_000)).toString("latin1");
    for (let i = 0; i < 10; i++) {
      const socket = await open();
      socket.write(post("/length", packed, "Content-Encoding: gzip\r\n"), "latin1", () => socket.resetAndDestroy());
      await once(socket, "close");
    }
    await connectionsOf(server, 0);
    let answer = "";
    const fits = async (): Promise<boolean> => {
      answer = await raw(post("/length", packed, `${CLOSE}Content-Encoding: gzip\r\n`));
      return statusOf(answer) === 200;
    };
    await until("room for one more", fits, () => answer);
    assert.match(answer, /\r\n\r\n90000$/);
  });

  it("that are refused can still be sent to their end", async (t) => {
    const { open } = await start(t);
    const socket = await open();
    const errors: unknown[] = [];
    socket.on("error", (error) => errors.push(error));
    socket.pause();
    const piece = Buffer.alloc(1_000_000);
    socket.write("POST /length HTTP/1.1\r\nHost: h\r\nContent-Length: 10000000\r\n\r\n");
    for (let i = 0; i < 10; i++) await new Promise((resolve) => socket.write(piece, resolve));
    socket.resume();
    assert.match(await socket.all, /^HTTP\/1\.1 413 [\s\S]*--max-body[^}]*\}$/);
    assert.deepEqual(errors, []);
  });

  it("come byte by byte, and chunked", async (t) => {
    const { open } = await start(t);
    const socket = await open();
    socket.setNoDelay(true);
    const whole = `${post("/echo", "hello")}POST /echo HTTP/1.1\r\nHost: h\r\n${CLOSE}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n`;
    for (const byte of whole) {
      socket.write(byte);
      await new Promise(setImmediate);
    }
    assert.match(await socket.all, /\r\n\r\nhelloHTTP\/1\.1 200 [\s\S]*\r\n\r\nabc$/);
  });

  it("are asked for with 100 Continue, unless they are refused", async (t) => {
    const { open, raw } = await start(t);
    const expect = `${CLOSE}Expect: 100-continue\r\n`;
    const socket = await open();
    socket.write(`POST /echo HTTP/1.1\r\nHost: h\r\n${expect}Content-Length: 5\r\n\r\n`);
    const [first] = await once(socket, "data");
    assert.equal(String(first), "HTTP/1.1 100 Continue\r\n\r\n");
    socket.write("hello");
    assert.match(await socket.all, /\r\n\r\nHTTP\/1\.1 200 [\s\S]*\r\n\r\nhello$/);
    assert.equal(statusOf(await raw(`POST /no HTTP/1.1\r\nHost: h\r\n${expect}Content-Length: 5\r\n\r\n`)), 404);
    assert.equal(statusOf(await raw(`POST /echo HTTP/1.1\r\nHost: h\r\n${expect}Content-Length: 999999\r\n\r\n`)), 413);
  });
});

describe("answers", { concurrency: true, timeout: PATIENCE_MS }, () => {
  it("that nobody takes count, and make room for those that are taken", async (t) => {
    let now = 0;
    const answer = (bytes: number) => (): HttpResponse => ({ status: 200, headers: {}, parts: [Buffer.alloc(bytes)] });
    const handlers = { "/huge": answer(90_000_000), "/large": answer(60_000_000) };
    const { open, url, server } = await start(t, handlers, { maxUnsentBytes: 120_000_000, now: () => now });
    // more than the kernel takes for it (tcp_rmem allows 32 MiB)
    const deaf = await open();
    deaf.pause();
    deaf.write(post("/huge", "x"));
    await until("the huge answer", () => server.snapshot().requests["200"] === 1, server.snapshot);
    const headers = { "accept-encoding": "identity" };
    const ask = () => fetch(`${url}/large`, { method: "POST", body: "x", headers });
    const refused = await ask();
    assert.deepEqual([refused.status, refused.headers.get("retry-after")], [429, "1"]);
    await refused.text();
    // 90 MB at 1 MB/s
    now = 90_001;
    const taken = await ask();
    assert.deepEqual([taken.status, (await taken.arrayBuffer()).byteLength], [200, 60_000_000]);
    await connectionsOf(server, 1);
  });

  it("that close and have gone are not counted while their client keeps its side open", async (t) => {
    const answer = (): HttpResponse => ({ status: 200, headers: {}, parts: [Buffer.alloc(30_000_000)] });
    const { open, server } = await start(t, { "/huge": answer }, { maxUnsentBytes: 40_000_000 });
    const taken = async () => {
      const socket = await open();
      const ended = once(socket, "end");
      socket.removeAllListeners("end");
      const again = once(socket, "end");
      socket.write(post("/huge", "x", CLOSE));
      await Promise.race([ended, again]);
      return socket.bytesRead;
    };
    assert.ok((await taken()) > 30_000_000);
    assert.ok((await taken()) > 30_000_000, "the first answer still counts");
    assert.deepEqual(server.snapshot().requests, { "200": 2 });
  });

  it("to paths and verbs that are none", async (t) => {
    const { raw, url } = await start(t);
    const ask = (method: string, path: string) => fetch(url + path, { method });
    assert.equal(await (await ask("GET", "/v2/models/x")).text(), '{"error":"the model is called m"}');
    assert.equal((await ask("GET", "/x")).status, 404);
    for (const [method, path, allow] of [
      ["OPTIONS", "/get", "GET, HEAD"],
      ["POST", "/get", "GET, HEAD"],
      ["DELETE", "/echo", "POST"],
      ["HEAD", "/echo", "POST"],
    ] as const) {
      const answer = await ask(method, path);
      assert.deepEqual([answer.status, answer.headers.get("allow")], [405, allow]);
    }
    const head = await raw(`HEAD /get HTTP/1.1\r\nHost: h\r\n${CLOSE}\r\n`);
    assert.match(head, /^HTTP\/1\.1 200 OK\r\ncontent-length: 3\r\n[\s\S]*\r\n\r\n$/);
    assert.equal(await (await ask("GET", "/%67et?x=1")).text(), "got");
    // the body of what is refused is not taken for a request
    const both = await raw(post("/none", "GET /get HTTP/1.1\r\nHost: h\r\n\r\n") + post("/length", "four", CLOSE));
    assert.match(both, /^HTTP\/1\.1 404 [\s\S]*HTTP\/1\.1 200 [\s\S]*\r\n\r\n4$/);
    assert.match(await raw("nonsense\r\n\r\n"), /^HTTP\/1\.1 400 [\s\S]*connection: close[\s\S]*\{"error":"[^"]+"\}$/);
  });

  it("name what was wrong with the request, and nothing of what is wrong with the server", async (t) => {
    const { raw, logged } = await start(t, {
      "/invalid": () => Promise.reject(new RequestError("InvalidArgument", 'the input "x" is missing')),
      "/busy": () => {
        throw new RequestError("Unavailable", "no shard", 1.2);
      },
      "/broken": async () => {
        throw new Error("secret /path");
      },
      "/split": () => ({ status: 200, headers: { x: "a\r\nb: c" }, parts: [] }),
    });
    assert.match(
      await raw(post("/invalid", "", CLOSE)),
      /^HTTP\/1\.1 400 [\s\S]*\r\n\r\n\{"error":"the input \\"x\\" is missing"\}$/,
    );
    assert.match(await raw(post("/busy", "", CLOSE)), /^HTTP\/1\.1 503 [\s\S]*\r\nretry-after: 2\r\n/);
    assert.match(
      await raw(post("/broken", "", CLOSE)),
      /^HTTP\/1\.1 500 [\s\S]*\r\n\r\n\{"error":"the server failed; its log says why"\}$/,
    );
    assert.equal(logged.length, 1);
    assert.equal(statusOf(await raw(post("/split", "", CLOSE))), 500);
    assert.equal(logged.length, 2);
  });

  it("to pipelined requests come in order, however long each takes", async (t) => {
    const { raw } = await start(t, {
      "/wait": async ({ body }) => {
        await sleep(Number(Buffer.from(body).toString()));
        return text(`<${Buffer.from(body)}>`);
      },
    });
    const answers = await raw(
      [30, 0, 20, 10].map((ms) => post("/wait", String(ms))).join("") +
        post("/echo", "<x>") +
        post("/wait", "5", CLOSE),
    );
    assert.deepEqual(answers.match(/<\w+>/g), ["<30>", "<0>", "<20>", "<10>", "<x>", "<5>"]);
  });

  it("are compressed where the client asks for it and they are large enough", async (t) => {
    const { url } = await start(t, {
      "/large": () => ({ status: 200, headers: {}, parts: ["ä".repeat(1000), Buffer.alloc(5000, "b")] }),
    });
    const plain = "ä".repeat(1000) + "b".repeat(5000);
    const ask = (path: string, accept: string): Promise<[string | undefined, Buffer]> =>
      new Promise((resolve, reject) => {
        const headers = { "accept-encoding": accept };
        const sent = httpRequest(url + path, { method: "POST", agent: false, headers }, (answer) => {
          const pieces: Buffer[] = [];
          answer.on("data", (piece: Buffer) => pieces.push(piece));
          answer.once("end", () => resolve([answer.headers["content-encoding"], Buffer.concat(pieces)]));
        });
        sent.once("error", reject);
        sent.end("x");
      });
    for (const [accept, encoding] of [
      ["gzip, deflate", "gzip"],
      ["gzip;q=0.5, deflate", "deflate"],
      ["*", "gzip"],
      ["*;q=0, gzip;q=0.1", "gzip"],
      ["gzip;q=0, *", "deflate"],
      ["gzip;q=0", undefined],
      ["identity, gzip;q=0.5", undefined],
      ["br", undefined],
    ] as const) {
      const [got, body] = await ask("/large", accept);
      assert.equal(got, encoding, accept);
      const decoded = got === "gzip" ? gunzipSync(body) : got === "deflate" ? inflateSync(body) : body;
      assert.equal(decoded.toString(), plain);
    }
    assert.deepEqual(await ask("/echo", "gzip"), [undefined, Buffer.from("x")]);
  });

  it("of strings and bytes of every size arrive whole", async (t) => {
    const sizes = [0, 1, 65_000, 70_000, 3_000_000];
    const { url } = await start(t, {
      "/mixed": ({ body }) => {
        const size = sizes[Number(Buffer.from(body).toString())] ?? 0;
        return { status: 200, headers: {}, parts: ['{"é":', Buffer.alloc(size, "x"), "}", "ü".repeat(size)] };
      },
    });
    for (const [i, size] of sizes.entries()) {
      const headers = { "accept-encoding": "identity" };
      const answer = await fetch(`${url}/mixed`, { method: "POST", body: String(i), headers });
      assert.equal(await answer.text(), `{"é":${"x".repeat(size)}}${"ü".repeat(size)}`);
    }
  });
});

describe("clients that leave", { concurrency: true, timeout: PATIENCE_MS }, () => {
  /** A handler that answers when it is told to, and says whether its client has gone. */
  const pending = () => {
    const called = Promise.withResolvers<HttpRequest>();
    const result = Promise.withResolvers<HttpResponse>();
    const left = Promise.withResolvers<void>();
    let times = 0;
    const handle: Handle = (request) => {
      request.onGone = () => {
        times++;
        left.resolve();
      };
      called.resolve(request);
      return result.promise;
    };
    return { handle, called: called.promise, answer: result.resolve, left: left.promise, times: () => times };
  };

  for (const [how, leave] of [
    ["by a reset", (socket: Socket) => socket.resetAndDestroy()],
    ["by closing", (socket: Socket) => socket.destroy()],
  ] as const) {
    it(`${how}: the handler is told once`, async (t) => {
      const { handle, called, answer, left, times } = pending();
      const { open, server } = await start(t, { "/wait": handle });
      const socket = await open();
      socket.write(post("/wait", ""));
      await called;
      leave(socket);
      await left;
      answer(text("nobody"));
      await new Promise(setImmediate);
      assert.equal(times(), 1);
      assert.deepEqual(server.snapshot().requests, { "499": 1 });
      assert.equal(server.snapshot().inFlight, 0);
    });
  }

  it("only their sending side closed: they get their answers", async (t) => {
    const { handle, called, answer, times } = pending();
    const { open } = await start(t, { "/wait": handle });
    const socket = await open();
    socket.end(post("/wait", "") + post("/echo", "second"));
    await called;
    // by these it learns whether the client is still there
    await until("two interim answers", () => socket.received().split("100 Continue").length > 2, socket.received);
    answer(text("first"));
    const all = (await socket.all).replaceAll("HTTP/1.1 100 Continue\r\n\r\n", "");
    assert.match(all, /^HTTP\/1\.1 200 [\s\S]*\r\n\r\nfirstHTTP\/1\.1 200 [\s\S]*\r\n\r\nsecond$/);
    assert.equal(times(), 0);
  });

  it("within a request are told so", async (t) => {
    const { open } = await start(t);
    for (const part of ["POST /echo HT", "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nx"]) {
      const socket = await open();
      socket.end(part);
      assert.match(await socket.all, /^HTTP\/1\.1 400 [\s\S]*the request ended before its (header|body) was complete/);
    }
  });
});

describe("connections", { concurrency: true, timeout: PATIENCE_MS }, () => {
  it("end when a header, a body, the next request or the taking of an answer is too slow", async (t) => {
    let now = 0;
    const large = { status: 200, headers: {}, parts: [Buffer.alloc(30_000_000)] };
    const { open, server } = await start(t, { "/large": () => large }, { now: () => now });
    const [header, body, idle, reader] = [await open(), await open(), await open(), await open()];
    header.write("POST /echo HTTP/1.1\r\nHost: h\r\n");
    body.write("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nx");
    reader.pause();
    reader.write(post("/large", ""));
    const isBegun = () => server.snapshot().inFlight === 1 && server.snapshot().requests["200"] === 1;
    await until("a body and an answer under way", isBegun, server.snapshot);
    assert.equal(server.snapshot().connections, 4);
    now = 10_001;
    assert.match(await header.all, /^HTTP\/1\.1 408 /);
    await connectionsOf(server, 3);
    now = 60_001;
    assert.match(await body.all, /^HTTP\/1\.1 408 /);
    now = 75_001;
    assert.equal(await idle.all, "");
    await connectionsOf(server, 1);
    now = 60_000 + 300_001;
    await connectionsOf(server, 0);
  });

  it("that are too old end with their next answer, or while idle", async (t) => {
    let now = 0;
    const { open, server } = await start(
      t,
      {},
      { now: () => now, maxConnectionAgeMs: 20_000, random: () => 1 }, // 22 s
    );
    const [used, idle] = [await open(), await open()];
    // one that never says anything has less time
    idle.write(post("/echo", "x"));
    await once(idle, "data");
    const answers: string[] = [];
    for (now of [1, 21_999, 22_000]) {
      used.write(post("/echo", "x"));
      answers.push(String((await once(used, "data"))[0]));
    }
    assert.deepEqual(
      answers.map((answer) => answer.includes("connection: close")),
      [false, false, true],
    );
    await used.all;
    await connectionsOf(server, 1);
    now = 27_001;
    await idle.all;
  });

  it("of HTTP/1.0 stay only where the client asks for it", async (t) => {
    const { raw } = await start(t);
    const answers = await raw("GET /get HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\nGET /get HTTP/1.0\r\n\r\n");
    assert.match(answers, /connection: keep-alive[\s\S]*got[\s\S]*connection: close[\s\S]*got$/);
  });

  it("above the bound are told to come back", async (t) => {
    const { open, raw, server } = await start(t, {}, { maxConnections: 1 });
    const first = await open();
    first.write(post("/echo", "x", CLOSE).slice(0, -1));
    await inFlight(server);
    assert.match(await raw(post("/echo", "x")), /^HTTP\/1\.1 503 [\s\S]*\r\nretry-after: 1\r\n/);
    first.write("x");
    assert.match(await first.all, /^HTTP\/1\.1 200 /);
    await connectionsOf(server, 0);
    assert.match(await raw(post("/echo", "x", CLOSE)), /^HTTP\/1\.1 200 /);
  });

  it("are closed for those that come where they say nothing, never said anything first of all", async (t) => {
    let clock = 0;
    const { open, raw, server } = await start(t, {}, { maxConnections: 3, now: () => clock });
    const used = await open();
    await connectionsOf(server, 1);
    clock = 1000;
    const silent = await open();
    await connectionsOf(server, 2);
    clock = 2000;
    used.write(post("/echo", "x"));
    await until("its answer", () => used.received().includes("200 OK"));
    const third = await open();
    await connectionsOf(server, 3);
    third.write("POST /echo HTTP/1.1\r\n");
    assert.match(await raw(post("/echo", "x", CLOSE)), /^HTTP\/1\.1 200 /);
    assert.equal(await silent.all, "");
    assert.equal(used.closed, false);
  });

  it("that never say anything are closed after ten seconds, those between two requests after 75", async (t) => {
    let clock = 0;
    const { open, server } = await start(t, {}, { now: () => clock });
    const silent = await open();
    const used = await open();
    used.write(post("/echo", "x"));
    await until("its answer", () => used.received().includes("200 OK"));
    await connectionsOf(server, 2);
    clock = 10_001;
    assert.equal(await silent.all, "");
    assert.equal(used.closed, false);
    clock = 75_001;
    await used.all;
  });

  it("are not read while their client does not take its answers", async (t) => {
    let calls = 0;
    const large = { status: 200, headers: {}, parts: [Buffer.alloc(1_000_000)] };
    const handle = () => {
      calls++;
      return large;
    };
    const { open } = await start(t, { "/large": handle });
    const socket = await open();
    socket.pause();
    for (let i = 0; i < 200; i++) socket.write(post("/large", ""));
    await sleep(100);
    const before = calls;
    assert.ok(before < 20, `${before} answers were made that nobody takes`);
    socket.resume();
    await until(
      "all 200 answers",
      () => calls === 200,
      () => calls,
    );
  });
});

describe("drain", { concurrency: true, timeout: PATIENCE_MS }, () => {
  const ask = (port: number, agent: Agent | false): Promise<{ status: number; close: boolean }> =>
    new Promise((resolve, reject) => {
      const options = { port, host: "127.0.0.1", path: "/work", method: "POST", agent };
      const sent = httpRequest(options, (answer) => {
        answer.once("error", reject);
        answer.once("end", () =>
          resolve({ status: answer.statusCode ?? 0, close: answer.headers.connection === "close" }),
        );
        answer.resume();
      });
      sent.once("error", reject);
      sent.end("x");
    });

  for (const [what, agentOf] of [
    ["keep their connections", () => new Agent({ keepAlive: true, maxSockets: 1 })],
    ["make a new connection for each request", () => false as const],
  ] as const) {
    it(`fails no request of clients that ${what}`, async (t) => {
      const handle: Handle = async () => {
        await sleep(2);
        return text("done");
      };
      const { server, port } = await start(t, { "/work": handle }, { now: () => performance.now() });
      const failures: string[] = [];
      let answered = 0;
      let asked = false;
      let toldToClose = 0;
      const run = async (): Promise<void> => {
        const agent = agentOf();
        for (;;) {
          try {
            const { status, close } = await ask(port, agent);
            if (status !== 200) failures.push(`status ${status}`);
            answered++;
            if (asked && close) toldToClose++;
          } catch (error) {
            const code = error instanceof Error && "code" in error ? String(error.code) : String(error);
            // refused: nobody listens any more, so nothing of this request was ever begun
            if (asked && code === "ECONNREFUSED") return;
            failures.push(code);
            if (failures.length > 20) return;
          }
        }
      };
      const running = Array.from({ length: 24 }, run);
      await until(
        "100 answers",
        () => answered >= 100,
        () => ({ answered, failures }),
      );
      asked = true;
      await server.drain({ quietMs: 200, acceptMs: 400 });
      const atEnd = answered;
      await Promise.all(running);
      assert.deepEqual(failures, []);
      assert.ok(toldToClose > 24, `${toldToClose} of ${atEnd} answers told to close`);
      assert.equal(server.snapshot().connections, 0);
    });
  }

  it("answers what comes on a connection that was idle, while another answer is awaited", async (t) => {
    let now = 0;
    const result = Promise.withResolvers<HttpResponse>();
    const { server, open } = await start(t, { "/wait": () => result.promise }, { now: () => now });
    const [idle, busy] = [await open(), await open()];
    idle.write(post("/echo", "first"));
    await until("an answer", () => idle.received().endsWith("first"), idle.received);
    busy.write(post("/wait", ""));
    await inFlight(server);
    now = 900;
    const drained = server.drain({ quietMs: 10, acceptMs: 10_000 });
    idle.write(post("/echo", "second"));
    assert.match(await idle.all, /connection: close\r\n[\s\S]*second$/);
    result.resolve(text("at last"));
    assert.match(await busy.all, /connection: close\r\n[\s\S]*at last$/);
    now = 2000;
    await drained;
  });

  it("waits for what is being answered, and not for connections that say nothing", async (t) => {
    const result = Promise.withResolvers<HttpResponse>();
    const { server, open } = await start(t, { "/wait": () => result.promise }, { now: () => performance.now() });
    const [silent, busy] = [await open(), await open()];
    busy.write(post("/wait", ""));
    await inFlight(server);
    let drained = false;
    const end = server.drain({ quietMs: 10, acceptMs: 50 }).then(() => {
      drained = true;
    });
    assert.equal(await silent.all, "");
    await sleep(100);
    assert.equal(drained, false);
    result.resolve(text("at last"));
    assert.match(await busy.all, /connection: close\r\n[\s\S]*at last$/);
    await end;
  });
});
