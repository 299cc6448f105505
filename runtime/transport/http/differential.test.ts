/**
 * The reader against node:http's parser (llhttp), over made-up bytes: the same requests, or a refusal of ours that is listed here with
 * its reason. Nothing may be read that node:http refuses. FUZZ_RUNS and FUZZ_SEED as for the other fuzzed readers.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import { duplexPair } from "node:stream";
import { test } from "node:test";
import fc from "fast-check";
import { http1Bytes } from "../../../test/world/made-up-http1.ts";
import { createReader } from "./reader.ts";
import { Refusal } from "./refusal.ts";

/** What is refused here and read by node:http, by our message. */
const STRICTER: readonly [message: RegExp, reason: string][] = [
  [/the method is unknown|CONNECT is not supported/, "node:http tells CONNECT by another event"],
  [/the request target has a character/, "llhttp takes bytes above 127 and fragments; RFC 9112 (3.2) has neither"],
  [/the request target must be a path or an http URL/, "llhttp takes URLs of any scheme, which no server here has"],
  [/the host must be a name or an address/, "node:http leaves the value to the application; RFC 9112 (3.2) wants 400"],
  [/a request must have exactly one host header/, "node:http takes the first of several; RFC 9112 (3.2) wants 400"],
  [/the HTTP version must be 1\.0 or 1\.1/, "llhttp takes 0.9 and 2.0 as versions"],
  [/HTTP\/1\.0 must not have transfer-encoding/, "RFC 9112 (6.1): it is the sign of faulty framing"],
  [
    /transfer-encoding must be chunked|the header has transfer-encoding twice/,
    "llhttp takes codings before chunked, and empty ones",
  ],
  [/a chunk of the body is malformed/, "llhttp takes extensions without a name or a value"],
  [/expect must be 100-continue/, "node:http answers 417 itself"],
  [
    /(the request line|a header field) is malformed|a CR without LF|LF alone/,
    "llhttp takes blank lines, and blanks within lines, in more places",
  ],
];

type Seen = { line: string; fields: string; body: string };
type Outcome = { requests: Seen[]; refused: string | undefined };

const MAX_BODY = 100_000;
const lease = { take: () => undefined, give: () => undefined, release: () => undefined, end: () => undefined };

const seenOf = (method: string, url: string, fields: readonly string[], body: Buffer): Seen => ({
  // an empty query is none
  line: `${method} ${url
    .replace(/^https?:\/\/[^/?]*/i, "")
    .replace(/^(?=\?|$)/, "/")
    .replace(/^([^?]*)\?$/, "$1")}`,
  // the host of a target that is a URL is here that of the request (RFC 9112, 3.2.2); node:http leaves it to the application
  fields: fields
    .map((text, i) => (i % 2 === 0 ? text.toLowerCase() : text))
    .filter((_, i, all) => all[i - (i % 2)] !== "host")
    .join("\n"),
  body: body.toString("latin1"),
});

const ours = (bytes: Buffer): Outcome => {
  const reader = createReader(MAX_BODY, lease);
  const requests: Seen[] = [];
  reader.feed(bytes);
  try {
    for (;;) {
      const head = reader.head();
      if (head === undefined) return { requests, refused: undefined };
      const body = reader.body();
      if (body === undefined) return { requests, refused: undefined };
      const { fields, method, path, query } = head;
      requests.push(seenOf(method, query === "" ? path : `${path}?${query}`, fields, body));
      // node:http reads no further then
      if (!head.keepAlive) return { requests, refused: undefined };
    }
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return { requests, refused: error.message };
  }
};

const theirs = (): { read(bytes: Buffer): Promise<Outcome>; close(): void } => {
  let began: { request: IncomingMessage; pieces: Buffer[] }[] = [];
  let refused: string | undefined;
  let failed = Promise.withResolvers<void>();
  const server = createServer({ maxHeaderSize: 17 * 1024, keepAlive: true }, (request, response) => {
    const pieces: Buffer[] = [];
    began.push({ request, pieces });
    request.on("data", (piece: Buffer) => pieces.push(piece));
    request.on("error", () => undefined);
    request.on("end", () => response.end());
  });
  server.on("clientError", (error: Error & { code?: string }, socket) => {
    refused ??= error.code ?? error.message;
    // those before it have not been told of their end yet
    setImmediate(() => {
      failed.resolve();
      socket.destroy();
    });
  });
  server.on("checkExpectation", (_, response) => {
    refused = "417";
    response.writeHead(417, { connection: "close" }).end();
  });
  return {
    async read(bytes) {
      began = [];
      refused = undefined;
      failed = Promise.withResolvers();
      const [client, inside] = duplexPair();
      server.emit("connection", inside);
      client.on("error", () => undefined).resume();
      const closed = Promise.race([failed.promise, once(inside, "close"), once(client, "end")]);
      client.end(bytes);
      await closed;
      const requests = began
        .filter(({ request }) => request.complete)
        .map(({ pieces, request }) =>
          seenOf(request.method ?? "", request.url ?? "", request.rawHeaders, Buffer.concat(pieces)),
        );
      return { requests, refused };
    },
    close: () => server.close(),
  };
};

test("node:http reads the same requests, or we refuse them for a reason that is listed", async (t) => {
  const other = theirs();
  t.after(other.close);
  const seed = Number(process.env.FUZZ_SEED ?? 1);
  const numRuns = Number(process.env.FUZZ_RUNS ?? 2000);
  const used = new Set<string>();
  await fc.assert(
    fc.asyncProperty(http1Bytes, async (bytes) => {
      const mine = ours(bytes);
      const their = await other.read(bytes);
      const common = Math.min(mine.requests.length, their.requests.length);
      assert.deepEqual(mine.requests.slice(0, common), their.requests.slice(0, common));
      assert.ok(mine.requests.length <= their.requests.length, `node:http refuses it: ${their.refused}`);
      const refused = mine.refused;
      if (refused === undefined) assert.equal(mine.requests.length, their.requests.length);
      else if (their.refused === undefined || mine.requests.length < their.requests.length) {
        const listed = STRICTER.find(([message]) => message.test(refused));
        assert.ok(listed !== undefined, `we alone refuse it: ${refused}`);
        used.add(listed[1]);
      }
    }),
    { numRuns, seed, endOnFailure: true },
  );
  // only a longer run meets all of them
  if (numRuns >= 50_000)
    assert.deepEqual(
      STRICTER.filter(([, reason]) => !used.has(reason)),
      [],
      "reasons that nothing needs",
    );
});
