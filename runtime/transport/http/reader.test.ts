import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { connect } from "node:net";
import { describe, it, test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { RequestError } from "../../errors/request-error.ts";
import type { Lease } from "../../memory/shares.ts";
import { createReader } from "./reader.ts";
import { Refusal } from "./refusal.ts";

const MAX_BODY = 200_000;

/** A lease that refuses nothing and tells what was taken. */
const counted = (): Lease & { taken: number } => ({
  taken: 0,
  take(bytes) {
    this.taken += bytes;
  },
  give(bytes) {
    this.taken -= bytes;
  },
  release() {
    this.taken = 0;
  },
  end() {
    this.taken = 0;
  },
});

const headFor = (bytes: number): Buffer =>
  Buffer.from(`POST / HTTP/1.1\r\nHost: h\r\nContent-Length: ${bytes}\r\n\r\n`);

test("a body that comes with its head in one piece is counted from 16 KiB on", () => {
  const taken = [16_383, 16_384, 60_000].map((bytes) => {
    const lease = counted();
    const reader = createReader(MAX_BODY, lease);
    reader.feed(Buffer.concat([headFor(bytes), Buffer.alloc(bytes)]));
    reader.head();
    assert.equal(reader.body()?.length, bytes);
    return lease.taken;
  });
  assert.deepEqual(taken, [0, 16_384, 60_000]);
});

test("a piece that was read is not kept", async () => {
  setFlagsFromString("--expose-gc");
  const collect: unknown = runInNewContext("gc");
  assert.ok(typeof collect === "function");
  const reader = createReader(MAX_BODY, counted());
  reader.feed(headFor(100_000));
  reader.head();
  const piece = new WeakRef(Buffer.alloc(50_000));
  const give = (): void => {
    const bytes = piece.deref();
    if (bytes === undefined) return;
    reader.feed(bytes);
    reader.body();
  };
  give();
  await new Promise<void>((resolve) => setImmediate(resolve));
  collect();
  assert.ok(piece.deref() === undefined, "the reader holds it");
  assert.equal(reader.received(), 50_000);
});

type Seen = { method: string; path: string; query: string; fields: readonly string[]; body: string };
/** The requests in a stream of bytes that comes in these pieces, and what ended it: a status, or bytes that are missing. */
const read = (pieces: readonly Buffer[]): { requests: Seen[]; end: number | "complete" | "incomplete" } => {
  const lease = counted();
  const reader = createReader(MAX_BODY, lease);
  const requests: Seen[] = [];
  let head: ReturnType<typeof reader.head>;
  try {
    for (const piece of pieces) {
      reader.feed(piece);
      for (;;) {
        head ??= reader.head();
        if (head === undefined) break;
        const body = reader.body();
        if (body === undefined) break;
        const { method, path, query, fields } = head;
        requests.push({ method, path, query, fields, body: body.toString("latin1") });
        head = undefined;
        lease.release();
      }
    }
  } catch (error) {
    if (error instanceof Refusal) return { requests, end: error.status };
    if (error instanceof RequestError) return { requests, end: error.httpStatus };
    throw error;
  }
  return { requests, end: head === undefined && reader.pending() === 0 ? "complete" : "incomplete" };
};

const bytes = (text: string) => Buffer.from(text, "latin1");
const split = (whole: Buffer, at: readonly number[]): Buffer[] => {
  const cuts = [
    0,
    ...[...new Set(at.map((cut) => cut % whole.length))].sort((one, other) => one - other),
    whole.length,
  ];
  return cuts.slice(1).map((cut, i) => whole.subarray(cuts[i], cut));
};

/** A request that would be smuggled behind the one before it. */
const SECOND = "GET /second HTTP/1.1\r\nHost: h\r\n\r\n";
const post = (headers: string, body = "") => `POST /p HTTP/1.1\r\nHost: h\r\n${headers}\r\n${body}`;
const chunked = (body: string) => post("Transfer-Encoding: chunked\r\n", body);

const BAD: readonly [string, string, number][] = [
  [
    "both lengths, chunked last",
    post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", `0\r\n\r\n${SECOND}`),
    400,
  ],
  [
    "both lengths, chunked first",
    post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", `0\r\n\r\n${SECOND}`),
    400,
  ],
  ["two lengths that differ", post("Content-Length: 0\r\nContent-Length: 5\r\n", "hello"), 400],
  ["two lengths that agree", post("Content-Length: 5\r\nContent-Length: 5\r\n", "hello"), 400],
  ["a list of lengths", post("Content-Length: 5, 5\r\n", "hello"), 400],
  ["a length with a sign", post("Content-Length: +5\r\n", "hello"), 400],
  ["a negative length", post("Content-Length: -5\r\n", "hello"), 400],
  ["a hexadecimal length", post("Content-Length: 0x5\r\n", "hello"), 400],
  ["a length with a fraction", post("Content-Length: 5.0\r\n", "hello"), 400],
  ["a length with an exponent", post("Content-Length: 1e1\r\n", "hello"), 400],
  ["a length with a space in it", post("Content-Length: 1 0\r\n", "hello"), 400],
  ["an empty length", post("Content-Length: \r\n"), 400],
  ["a length that no number holds", post("Content-Length: 99999999999999999999\r\n"), 413],
  [
    "two codings in two headers",
    post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
    400,
  ],
  ["identity", post("Transfer-Encoding: identity\r\n", SECOND), 400],
  ["chunked not last", post("Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\n"), 400],
  ["chunked twice", post("Transfer-Encoding: chunked, chunked\r\n", "0\r\n\r\n"), 501],
  ["a coding that is not known", post("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"), 501],
  ["quoted chunked", post('Transfer-Encoding: "chunked"\r\n', "0\r\n\r\n"), 400],
  ["chunked with a parameter", post("Transfer-Encoding: chunked;q=1\r\n", "0\r\n\r\n"), 400],
  ["xchunked", post("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"), 400],
  ["a vertical tab before chunked", post("Transfer-Encoding: \x0bchunked\r\n", "0\r\n\r\n"), 400],
  ["a no-break space after chunked", post("Transfer-Encoding: chunked\xa0\r\n", "0\r\n\r\n"), 400],
  ["an empty coding", post("Transfer-Encoding:\r\n", "0\r\n\r\n"), 400],
  ["a space before the colon", post("Transfer-Encoding : chunked\r\n", "0\r\n\r\n"), 400],
  ["a tab before the colon", post("Content-Length\t: 5\r\n", "hello"), 400],
  ["a folded header", post("X: a\r\n Transfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400],
  ["a folded coding", post("Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n"), 400],
  ["a first header that begins with a space", `GET / HTTP/1.1\r\n Host: h\r\n\r\n`, 400],
  ["a CR alone in a value", post("X: a\rTransfer-Encoding: chunked\r\n"), 400],
  ["an LF alone at a line's end", post("X: a\nTransfer-Encoding: chunked\r\n"), 400],
  ["an LF alone at the header's end", "GET / HTTP/1.1\r\nHost: h\r\n\n", 400],
  ["an LF alone after the request line", "GET / HTTP/1.1\nHost: h\r\n\r\n", 400],
  ["CR CR LF", "GET / HTTP/1.1\r\nHost: h\r\r\n\r\n", 400],
  ["NUL in a value", post("X: a\0b\r\n"), 400],
  ["NUL in a name", post("X\0: a\r\n"), 400],
  ["DEL in a value", post("X: a\x7fb\r\n"), 400],
  ["NUL in the target", "GET /\0 HTTP/1.1\r\nHost: h\r\n\r\n", 400],
  ["a tab in the request line", "GET\t/ HTTP/1.1\r\nHost: h\r\n\r\n", 400],
  ["two spaces in the request line", "GET  / HTTP/1.1\r\nHost: h\r\n\r\n", 400],
  ["a space in the target", "GET /a b HTTP/1.1\r\nHost: h\r\n\r\n", 400],
  ["a fragment in the target", "GET /a#b HTTP/1.1\r\nHost: h\r\n\r\n", 400],
  ["a target that is not ASCII", "GET /\xe9 HTTP/1.1\r\nHost: h\r\n\r\n", 400],
  ["a target that is no path", "GET a HTTP/1.1\r\nHost: h\r\n\r\n", 400],
  ["a target of another scheme", "GET file:///etc/passwd HTTP/1.1\r\nHost: h\r\n\r\n", 400],
  ["a star for a GET", "GET * HTTP/1.1\r\nHost: h\r\n\r\n", 400],
  ["an authority", "CONNECT h:80 HTTP/1.1\r\nHost: h\r\n\r\n", 501],
  ["an authority of another method", "GET h:80 HTTP/1.1\r\nHost: h\r\n\r\n", 400],
  ["a target that names a user", "GET http://user@h/ HTTP/1.1\r\nHost: h\r\n\r\n", 400],
  ["a host with a space", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400],
  ["a host with a path", "GET / HTTP/1.1\r\nHost: a:/?\r\n\r\n", 400],
  ["no target", "GET HTTP/1.1\r\nHost: h\r\n\r\n", 400],
  ["no version", "GET /\r\nHost: h\r\n\r\n", 400],
  ["nothing but empty lines", "\r\n\r\n", 400],
  ["a method that is no token", "G(T / HTTP/1.1\r\nHost: h\r\n\r\n", 400],
  ["a method that nobody knows", "XGET / HTTP/1.1\r\nHost: h\r\n\r\n", 501],
  ["a method in lower case", "get / HTTP/1.1\r\nHost: h\r\n\r\n", 501],
  ["HTTP/0.9", "GET / HTTP/0.9\r\nHost: h\r\n\r\n", 505],
  ["HTTP/1.2", "GET / HTTP/1.2\r\nHost: h\r\n\r\n", 505],
  ["the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505],
  ["http in lower case", "GET / http/1.1\r\nHost: h\r\n\r\n", 400],
  ["HTTP/1.10", "GET / HTTP/1.10\r\nHost: h\r\n\r\n", 400],
  ["a space after the version", "GET / HTTP/1.1 \r\nHost: h\r\n\r\n", 400],
  ["no host", "GET / HTTP/1.1\r\n\r\n", 400],
  ["two hosts", "GET / HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n", 400],
  ["chunked in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400],
  ["a header without a name", post(": a\r\n"), 400],
  ["a header without a colon", post("X\r\n"), 400],
  ["a name that is no token", post("X[]: a\r\n"), 400],
  ["a name that is not ASCII", post("X\xe9: a\r\n"), 400],
  ["another expectation", post("Expect: 200-ok\r\n"), 417],
  ["a chunk without a size", chunked("\r\nhello\r\n0\r\n\r\n"), 400],
  ["a size with a sign", chunked("+5\r\nhello\r\n0\r\n\r\n"), 400],
  ["a negative size", chunked("-5\r\nhello\r\n0\r\n\r\n"), 400],
  ["a size with 0x", chunked("0x5\r\nhello\r\n0\r\n\r\n"), 400],
  ["a size with a space before", chunked(" 5\r\nhello\r\n0\r\n\r\n"), 400],
  ["a size with a space after", chunked("5 \r\nhello\r\n0\r\n\r\n"), 400],
  ["a size of nine digits", chunked("000000005\r\nhello\r\n0\r\n\r\n"), 400],
  ["a size that is too large", chunked("ffffffff\r\nhello"), 413],
  ["a size with LF alone", chunked("5\nhello\r\n0\r\n\r\n"), 400],
  ["a size with CR alone", chunked("5\rhello\r\n0\r\n\r\n"), 400],
  ["data longer than the size", chunked("4\r\nhello\r\n0\r\n\r\n"), 400],
  ["data that ends with LF alone", chunked("5\r\nhello\n0\r\n\r\n"), 400],
  ["data that ends with CR alone", chunked("5\r\nhello\r0\r\n\r\n"), 400],
  ["an extension with LF alone", chunked("5;a\nhello\r\n0\r\n\r\n"), 400],
  ["an extension with NUL", chunked("5;\0\r\nhello\r\n0\r\n\r\n"), 400],
  ["a last chunk that ends with LF alone", chunked("0\n\r\n"), 400],
  ["trailers that end with LF alone", chunked("0\r\n\n"), 400],
  ["a malformed trailer", chunked("0\r\nX y\r\n\r\n"), 400],
  ["a length in the trailers", chunked("0\r\nContent-Length: 5\r\n\r\n"), 400],
  ["an encoding in the trailers", chunked("0\r\nx: y\r\nTransfer-Encoding: chunked\r\n\r\n"), 400],
  ["a folded trailer", chunked("0\r\nX: y\r\n z\r\n\r\n"), 400],
  ["the start of a TLS connection", "\x16\x03\x01\x02\x00\x01", 400],
];

const GOOD: readonly [string, string][] = [
  ["a GET", "GET /v2?x=1&y=?/ HTTP/1.1\r\nHost: h\r\n\r\n"],
  ["an absolute target", "GET http://h:80/v2?x HTTP/1.1\r\nHost: h:80\r\n\r\n"],
  ["an absolute target without a path", "GET HTTP://h HTTP/1.1\r\nHost: h\r\n\r\n"],
  ["OPTIONS *", "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n"],
  ["HTTP/1.0 without a host", "GET / HTTP/1.0\r\n\r\n"],
  ["an empty line before", "\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n"],
  ["a body", post("Content-Length: 5\r\n", "hello")],
  ["a length with zeros before", post("content-length: 0005\r\n", "hello")],
  ["no body", post("Content-Length: 0\r\n")],
  ["blanks around a value", post("X:\t a b \t\r\nContent-Length:5\r\n", "hello")],
  ["an empty value, and one that is not ASCII", post("X:\r\nY: \xe9\r\n")],
  ["the same header twice", post("X: a\r\nX: b\r\n")],
  ["chunks", chunked("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n")],
  [
    "chunks with extensions and trailers",
    chunked('5;a=b;c="d"\r\nhello\r\n00A\r\n0123456789\r\n0;x\r\nX: y\r\nZ: \r\n\r\n'),
  ],
  ["a body that looks like a request", post(`Content-Length: ${SECOND.length}\r\n`, SECOND)],
  ["Chunked in another case", post("Transfer-Encoding:   CHUNKED\r\n", "1\r\nx\r\n0\r\n\r\n")],
];

describe("what could be read in two ways is refused, wherever the bytes are divided", () => {
  for (const [what, text, status] of BAD) {
    it(what, () => {
      const whole = bytes(text);
      assert.deepEqual(read([whole]), { requests: [], end: status });
      assert.equal(read([Buffer.concat([whole, bytes(SECOND)])]).end, status);
      for (let at = 1; at < whole.length; at++) assert.equal(read(split(whole, [at])).end, status, `split at ${at}`);
      assert.equal(read([...whole].map((byte) => Buffer.of(byte))).end, status, "byte by byte");
      const behind = read([bytes(post("Content-Length: 2\r\n", "ok")), whole]);
      assert.deepEqual([behind.requests.length, behind.end], [1, status]);
    });
  }
});

describe("what is in order is read, wherever the bytes are divided", () => {
  for (const [what, text] of GOOD) {
    it(what, () => {
      const whole = bytes(text + SECOND);
      const expected = read([whole]);
      assert.equal(expected.end, "complete");
      assert.deepEqual(
        expected.requests.map(({ path }) => path),
        [expected.requests[0]?.path, "/second"],
      );
      for (let at = 1; at < whole.length; at++) assert.deepEqual(read(split(whole, [at])), expected, `split at ${at}`);
      assert.deepEqual(read([...whole].map((byte) => Buffer.of(byte))), expected, "byte by byte");
    });
  }
});

test("node:http reads the same in what is in order", async (t) => {
  const seen: Seen[] = [];
  const server = createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on("data", (piece: Buffer) => pieces.push(piece));
    request.on("end", () => {
      const [path = "", ...query] = (request.url ?? "").replace(/^http:\/\/[^/?]*/i, "").split("?");
      const fields = request.rawHeaders.map((text, i) => (i % 2 === 0 ? text.toLowerCase() : text));
      const body = Buffer.concat(pieces).toString("latin1");
      seen.push({ method: request.method ?? "", path: path || "/", query: query.join("?"), fields, body });
      response.end();
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  const address = server.address();
  for (const [what, text] of GOOD) {
    seen.length = 0;
    const socket = connect(typeof address === "object" ? (address?.port ?? 0) : 0, "127.0.0.1");
    socket.end(bytes(text));
    socket.resume();
    await once(socket, "close");
    assert.deepEqual(read([bytes(text)]).requests, seen, what);
  }
});

test("any requests in any pieces are the same requests", () => {
  const body = fc.string({ unit: "binary-ascii", maxLength: 40 });
  const request = fc.oneof(
    body.map((text) => post(`Content-Length: ${text.length}\r\n`, text)),
    fc.array(fc.tuple(body, fc.stringMatching(/^(;[a-z]{0,5})?$/)), { maxLength: 4 }).map((chunks) =>
      chunked(
        `${chunks
          .filter(([text]) => text !== "")
          .map(([text, extension]) => `${text.length.toString(16)}${extension}\r\n${text}\r\n`)
          .join("")}0\r\n\r\n`,
      ),
    ),
    fc.constantFrom(...BAD.map(([, text]) => text), ...GOOD.map(([, text]) => text)),
  );
  fc.assert(
    fc.property(
      fc.array(request, { minLength: 1, maxLength: 4 }),
      fc.array(fc.nat(), { maxLength: 12 }),
      (all, cuts) => {
        const whole = bytes(all.join(""));
        assert.deepEqual(read(split(whole, cuts)), read([whole]));
      },
    ),
    { numRuns: 300 },
  );
});

test("any change of one byte gives the same verdict in one piece and in two", () => {
  const sample = fc.constantFrom(...GOOD.map(([, text]) => text + SECOND));
  fc.assert(
    fc.property(sample, fc.nat(), fc.nat(255), fc.nat(), (text, place, byte, cut) => {
      const whole = bytes(text);
      whole[place % whole.length] = byte;
      assert.deepEqual(read(split(whole, [cut])), read([whole]));
    }),
    { numRuns: 500 },
  );
});

describe("bounds", () => {
  const get = (target: string, fields: string) => bytes(`GET ${target} HTTP/1.1\r\nHost: h\r\n${fields}\r\n`);
  const cases: [string, Buffer, Buffer, number][] = [
    ["the target", get(`/${"a".repeat(8191)}`, ""), get(`/${"a".repeat(8192)}`, ""), 414],
    ["the header", get("/", `X: ${"a".repeat(17_408 - 32)}\r\n`), get("/", `X: ${"a".repeat(17_408 - 31)}\r\n`), 431],
    ["fields", get("/", "X: a\r\n".repeat(107)), get("/", "X: a\r\n".repeat(108)), 431],
    [
      "chunk extensions",
      bytes(chunked(`1;${"a".repeat(4095)}\r\nx\r\n0\r\n\r\n`)),
      bytes(chunked(`1;${"a".repeat(4000)}\r\nx\r\n1;${"a".repeat(4000)}\r\nx\r\n0\r\n\r\n`)),
      400,
    ],
    [
      "trailers",
      bytes(chunked(`0\r\nX: ${"a".repeat(8000)}\r\n\r\n`)),
      bytes(chunked(`0\r\n${`X: ${"a".repeat(4000)}\r\n`.repeat(3)}\r\n`)),
      431,
    ],
    [
      "chunks",
      bytes(chunked(`${(200_000).toString(16)}\r\n${"a".repeat(200_000)}\r\n0\r\n\r\n`)),
      bytes(chunked(`${(200_000).toString(16)}\r\n${"a".repeat(200_000)}\r\n1\r\na\r\n0\r\n\r\n`)),
      413,
    ],
  ];
  for (const [what, most, more, status] of cases) {
    it(`${what}: the most is read, one more is ${status}`, () => {
      for (const size of [7, 1000, 65_536]) {
        const pieces = (whole: Buffer) =>
          split(
            whole,
            Array.from({ length: Math.ceil(whole.length / size) }, (_, i) => i * size),
          );
        assert.equal(read(pieces(most)).end, "complete");
        assert.equal(read(pieces(more)).end, status);
      }
    });
  }

  it("a header that never ends is refused when its bound is reached", () => {
    assert.equal(read([bytes("GET / HTTP/1.1\r\nX: "), Buffer.alloc(17_408, "a")]).end, 431);
  });
});

test("a body that came with its header is not copied, a larger one once into a buffer of its size", () => {
  const lease = counted();
  const reader = createReader(MAX_BODY, lease);
  const whole = bytes(post("Content-Length: 5\r\n", "hello"));
  reader.feed(whole);
  reader.head();
  const body = reader.body();
  assert.deepEqual([body?.buffer, body?.byteOffset], [whole.buffer, whole.byteOffset + whole.length - 5]);
  assert.equal(lease.taken, 0);
  reader.feed(bytes(post("Content-Length: 150000\r\n", "a")));
  reader.head();
  assert.equal(reader.body(), undefined);
  assert.equal(lease.taken, 65_536, "what is declared is not taken before it comes");
  reader.feed(Buffer.alloc(149_999));
  assert.equal(reader.body()?.length, 150_000);
  assert.equal(lease.taken, 150_000);
});
