/**
 * The connection against nghttp2, which node:http2 is made of, over made-up frames: the same requests reach the application, or the
 * difference is listed here with its reason. FUZZ_RUNS and FUZZ_SEED as for the other fuzzed readers.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer as createHttp2Server } from "node:http2";
import { connect, createServer } from "node:net";
import { test } from "node:test";
import fc from "fast-check";
import { frame, http2Bytes } from "../../../test/world/made-up-http2.ts";
import { serveHttp2 } from "./connection.ts";
import { HEAD_BYTES } from "./frames.ts";
import * as http2 from "./protocol.ts";
import type { OnRequest } from "./types.ts";

type Difference = readonly [said: RegExp, why: string];

/** What ends a connection here, by the reason in our GOAWAY, and not there. */
const ENDS_HERE: readonly Difference[] = [
  [
    /HEADERS on a stream that is closed/,
    "RFC 9113 (5.1.1) wants that; nghttp2 passes over streams that it has refused itself",
  ],
  [
    /more padding than payload/,
    "RFC 9113 (6.1) wants that; nghttp2 passes over DATA of streams that are gone before it looks",
  ],
  [/PRIORITY on stream 0/, "RFC 9113 (6.3) wants that; nghttp2 no longer looks at priorities"],
];
/** What ends a connection there, by the code and the reason of GOAWAY, and not here. */
const ENDS_THERE: readonly Difference[] = [
  [/^0 /, "node:http2 leaves when a client says that it does; ours answers what is open"],
  [
    /^2 /,
    "node:http2 ends a connection for an acknowledgement of a PING that it did not send; RFC 9113 does not ask for it",
  ],
  [
    /^1 SETTINGS: unexpected ACK/,
    "of an acknowledgement too many; RFC 9113 (6.5.3) does not ask for it, and it changes nothing",
  ],
  [/^5 DATA: stream in half-closed/, "RFC 9113 (5.1) asks for an end of the stream alone"],
  [/^5 HEADERS: stream closed/, "of a stream that we have reset, whose client may not know it yet"],
  [/^3 WINDOW_UPDATE: window size overflow/, "of a stream, RFC 9113 (6.9.1) leaves the choice"],
  [/^1 WINDOW_UPDATE: window_size_increment/, "of a stream, RFC 9113 (6.9) asks for an end of the stream alone"],
];
/** What is no request here, by our answer, and is one there. */
const REFUSED_HERE: readonly Difference[] = [
  [
    /a header that HTTP\/2 does not allow/,
    "nghttp2 leaves such a header out; RFC 9113 (8.2.1) wants its request refused",
  ],
  [/the method is unknown; use one of HTTP/, "nghttp2 takes every token; the HTTP/1.1 reader refuses it, too"],
  [
    /:path is no path|the request target has a character|one :authority or host|twice/,
    "the HTTP/1.1 reader refuses it, too",
  ],
];

type Talk = { goAway: { code: number; reason: string } | undefined; answers: string };
type Outcome = Talk & { requests: readonly string[] };

const readFrames = (bytes: Buffer): { type: number; flags: number; stream: number; payload: Buffer }[] => {
  const frames = [];
  for (let at = 0; at + HEAD_BYTES <= bytes.length; ) {
    const length = bytes.readUIntBE(at, 3);
    const payload = bytes.subarray(at + HEAD_BYTES, at + HEAD_BYTES + length);
    if (payload.length < length) break;
    frames.push({ type: bytes[at + 3] ?? 0, flags: bytes[at + 4] ?? 0, stream: bytes.readUInt32BE(at + 5), payload });
    at += HEAD_BYTES + length;
  }
  return frames;
};

const ping = (text: string): Buffer => frame(http2.PING, 0, 0, Buffer.from(text));

/** Sends the frames, and waits until they are dealt with: two pings are back, or the connection is closed. */
const talk = async (port: number, bytes: Buffer): Promise<Talk> => {
  const socket = connect(port, "127.0.0.1").on("error", () => undefined);
  let got = Buffer.alloc(0);
  let pings = 0;
  const done = new Promise<void>((resolve) => {
    socket.on("data", (piece: Buffer) => {
      got = Buffer.concat([got, piece]);
      const frames = readFrames(got);
      if (frames.some(({ type }) => type === http2.GOAWAY)) resolve();
      const back = frames.filter(
        ({ payload, type }) => type === http2.PING && payload.toString().startsWith("probe"),
      ).length;
      if (back === 1 && pings === 0) socket.write(ping(`probe..${++pings}`));
      if (back === 2) resolve();
    });
    socket.on("close", () => resolve());
  });
  socket.write(Buffer.concat([bytes, ping("probe..0")]));
  await done;
  socket.destroy();
  const frames = readFrames(got);
  const answers = frames
    .filter(({ type }) => type === http2.DATA)
    .map(({ payload }) => payload.toString("latin1"))
    .join("\n");
  const last = frames.find(({ type }) => type === http2.GOAWAY)?.payload;
  return { answers, goAway: last && { code: last.readUInt32BE(4), reason: last.toString("latin1", 8) } };
};

type Pair = readonly [name: string, value: string];

/** A request on a line; a header that came twice is joined, as node:http2 does. */
const lineOf = (method: unknown, path: unknown, authority: unknown, headers: readonly Pair[], body: Buffer): string => {
  const joined = new Map<string, string>();
  for (const [name, value] of headers) {
    const before = joined.get(name);
    joined.set(name, before === undefined ? value : `${before}, ${value}`);
  }
  return [method, path, authority ?? "nowhere", JSON.stringify([...joined].toSorted()), body.toString("latin1")].join(
    " ",
  );
};

const startOurs = async () => {
  let requests: string[] = [];
  const onRequest: OnRequest = (head, stream) => {
    const pieces: Buffer[] = [];
    const mine = requests;
    return {
      data: (bytes) => void pieces.push(Buffer.from(bytes)),
      end: () => {
        mine.push(lineOf(head.method, head.path, head.authority, head.headers, Buffer.concat(pieces)));
        stream.headers([[":status", "204"]], true);
      },
      closed: () => undefined,
      drained: () => undefined,
      sweep: () => undefined,
    };
  };
  const options = { maxConcurrentStreams: 100, keepaliveMs: 60_000, keepaliveTimeoutMs: 1000, now: () => 0 };
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    serveHttp2(socket, options, onRequest);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const read = async (bytes: Buffer): Promise<Outcome> => {
    requests = [];
    return { ...(await talk(portOf(server.address()), bytes)), requests };
  };
  return { read, close: () => server.close() };
};

const startTheirs = async () => {
  let requests: string[] = [];
  const server = createHttp2Server({ settings: { maxConcurrentStreams: 100, initialWindowSize: 1024 ** 2 } });
  server.on("sessionError", () => undefined);
  server.on("stream", (stream, headers) => {
    const pieces: Buffer[] = [];
    const mine = requests;
    stream.on("error", () => undefined);
    stream.on("data", (piece: Buffer) => pieces.push(piece));
    stream.on("end", () => {
      // so it is told of a stream that its client has reset, too
      if (stream.aborted) return;
      const regular = Object.entries(headers).flatMap(([name, value]) =>
        name.startsWith(":") ? [] : [value ?? []].flat().map((one): [string, string] => [name, one]),
      );
      mine.push(lineOf(headers[":method"], headers[":path"], headers[":authority"], regular, Buffer.concat(pieces)));
      // its end may be told after the session's
      if (!stream.destroyed && !stream.closed && !stream.headersSent)
        stream.respond({ ":status": 204 }, { endStream: true });
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const read = async (bytes: Buffer): Promise<Outcome> => {
    requests = [];
    return { ...(await talk(portOf(server.address()), bytes)), requests };
  };
  return { read, close: () => server.close() };
};

const portOf = (address: unknown): number =>
  typeof address === "object" && address !== null && "port" in address ? Number(address.port) : 0;

test("the same requests arrive as by nghttp2, or the difference is listed", async (t) => {
  const [ours, theirs] = [await startOurs(), await startTheirs()];
  t.after(ours.close);
  t.after(theirs.close);
  const seed = Number(process.env.FUZZ_SEED ?? 1);
  const numRuns = Number(process.env.FUZZ_RUNS ?? 200);
  const isListed = (list: readonly Difference[], said: string): void =>
    assert.ok(
      list.some(([known]) => known.test(said)),
      said,
    );
  await fc.assert(
    fc.asyncProperty(http2Bytes, async (bytes) => {
      const mine = await ours.read(bytes);
      const their = await theirs.read(bytes);
      if (mine.goAway === undefined && their.goAway === undefined) {
        const here = mine.requests.filter((one) => !their.requests.includes(one));
        const there = their.requests.filter((one) => !mine.requests.includes(one));
        assert.deepEqual(here, [], "it is a request here alone");
        if (there.length > 0) isListed(REFUSED_HERE, `${mine.answers} ${there.join()}`);
      } else if (their.goAway === undefined) isListed(ENDS_HERE, mine.goAway?.reason ?? "");
      else if (mine.goAway === undefined) isListed(ENDS_THERE, `${their.goAway.code} ${their.goAway.reason}`);
    }),
    { numRuns, seed, endOnFailure: true },
  );
});
