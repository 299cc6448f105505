/** Calls to pods whose HTTP/2 is nghttp2's, and to pods whose HTTP/2 is ours: bodies of any size both ways, many at a time. */
import assert from "node:assert/strict";
import { createServer as createHttp2Server, type ServerHttp2Session } from "node:http2";
import { createServer, type Socket } from "node:net";
import { after, describe, it } from "node:test";
import { type OnRequest, serveHttp2 } from "../../transport/http2/index.ts";
import type { Events, Flushed, Message, Sent, Source } from "../message.ts";
import { createGrpcPool, type GrpcPool } from "./grpc-pool.ts";

const ends: (() => void)[] = [];
after(() => {
  for (const end of ends) end();
});

const portOf = async (server: {
  listen(port: number, host: string, then: () => void): unknown;
  address(): unknown;
}) => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  assert.ok(typeof address === "object" && address !== null && "port" in address && typeof address.port === "number");
  return address.port;
};

/** Gives each body back, with its length as a trailer. */
const nghttp2Echo = async (settings: { maxConcurrentStreams?: number; initialWindowSize?: number }) => {
  const server = createHttp2Server({ settings });
  const sessions = new Set<ServerHttp2Session>();
  server.on("session", (session) => {
    sessions.add(session);
    session.on("error", () => undefined);
  });
  server.on("stream", (stream) => {
    const pieces: Buffer[] = [];
    stream.on("error", () => undefined).on("data", (piece: Buffer) => pieces.push(piece));
    stream.on("end", () => {
      const body = Buffer.concat(pieces);
      stream.additionalHeaders({ ":status": 103 });
      stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0", "x-bytes": `${body.length}` }));
      stream.end(body);
    });
  });
  ends.push(() => {
    server.close();
    for (const session of sessions) session.destroy();
  });
  return portOf(server);
};

const ourEcho = async (): Promise<number> => {
  const onRequest: OnRequest = (_head, stream) => {
    const pieces: Buffer[] = [];
    return {
      data: (bytes) => void pieces.push(bytes),
      end: () => {
        const body = Buffer.concat(pieces);
        stream.headers([[":status", "200"]], false);
        stream.write(body);
        stream.end([
          ["grpc-status", "0"],
          ["x-bytes", `${body.length}`],
        ]);
      },
      closed: () => undefined,
      drained: () => undefined,
      sweep: () => undefined,
    };
  };
  const options = { maxConcurrentStreams: 100, keepaliveMs: 60_000, keepaliveTimeoutMs: 10_000, now: () => 0 };
  const server = createServer({ noDelay: true, allowHalfOpen: true }, (socket: Socket) => {
    ends.push(() => socket.destroy());
    serveHttp2(socket, options, onRequest);
  });
  ends.push(() => server.close());
  return portOf(server);
};

const poolTo = (port: number): GrpcPool => {
  const pool = createGrpcPool({ host: "127.0.0.1", port }, () => 0);
  ends.push(pool.retire);
  return pool;
};

const pattern = (bytes: number, seed: number): Buffer => Buffer.alloc(bytes, `${seed}-0123456789abcdefghijklmnop`);
const messageOf = (body: Message["body"]): Message => ({
  ...{ protocol: "grpc", method: "POST", target: "/a/b", fields: ["content-type", "application/grpc"], body },
});
const whole = (bytes: Buffer): Message["body"] => ({ kind: "whole", pieces: [bytes], bytes: bytes.length });
/** In pieces, as fast as it may be. */
const streamed = (bytes: Buffer, piece: number): Message["body"] => {
  let isPaused = false;
  let at = 0;
  let go = (): void => undefined;
  const source: Source = {
    read: (onData, onEnd) => {
      go = () => {
        while (!isPaused && at < bytes.length) {
          onData(bytes.subarray(at, at + piece));
          at += piece;
        }
        if (!isPaused) onEnd();
      };
      go();
    },
    pause: () => {
      isPaused = true;
    },
    resume: () => {
      if (!isPaused) return;
      isPaused = false;
      go();
    },
    isWhole: () => at >= bytes.length,
  };
  return { kind: "stream", length: undefined, source };
};

type Answer = { body: Buffer; trailers: string; places: Set<ArrayBufferLike> };
/** @param flushed what becomes of what has come; what is not taken is looked at when all is there */
const ask = (
  pool: GrpcPool,
  body: Message["body"],
  flushed: () => Flushed = () => "taken",
  each?: (sent: Sent) => void,
) =>
  new Promise<Answer>((resolve, reject) => {
    const pieces: Buffer[] = [];
    const places = new Set<ArrayBufferLike>();
    let ofNow: Buffer[] = [];
    let trailers: string | undefined;
    const events: Events = {
      reached: () => undefined,
      head: ({ outcome }) => assert.equal(outcome, 200),
      data: (piece) => {
        places.add(piece.buffer);
        ofNow.push(piece);
        each?.(sent);
      },
      flush: () => {
        const fate = flushed();
        pieces.push(...(fate === "taken" ? ofNow.map((piece) => Buffer.from(piece)) : ofNow));
        ofNow = [];
        // once a turn has passed, what was not kept has been read over
        if (trailers !== undefined) {
          const told = trailers;
          setImmediate(() => resolve({ body: Buffer.concat(pieces), trailers: told, places }));
        }
        return fate;
      },
      end: (fields) => {
        trailers = fields.join(" ");
      },
      failed: (kind, reason) => reject(new Error(`${kind}: ${reason}`)),
    };
    const sent = pool.send(messageOf(body), events);
  });

const PEERS: readonly (readonly [string, () => Promise<number>])[] = [
  ["nghttp2", () => nghttp2Echo({})],
  [
    "nghttp2 with small windows and few streams",
    () => nghttp2Echo({ maxConcurrentStreams: 3, initialWindowSize: 1000 }),
  ],
  ["our own server", ourEcho],
];

for (const [name, start] of PEERS)
  describe(`calls to pods: ${name}`, () => {
    it("carry bodies of any size both ways, whole or as they come", async () => {
      const pool = poolTo(await start());
      const sizes = [0, 1, 16_384, 16_385, 300_000, 2_000_000];
      const bodies = sizes.map(pattern);
      const answers = await Promise.all([
        ...bodies.map((body) => ask(pool, whole(body))),
        ...bodies.map((body) => ask(pool, streamed(body, 7000))),
      ]);
      for (const [i, { body, trailers }] of answers.entries()) {
        assert.ok(body.equals(bodies[i % bodies.length] ?? assert.fail()), `${sizes[i % sizes.length]}`);
        assert.equal(trailers, `grpc-status 0 x-bytes ${sizes[i % sizes.length]}`);
      }
    });

    it("go on, though those who take the answers are slow, or keep what they were told", async () => {
      const pool = poolTo(await start());
      const bodies = [700_000, 800_000, 900_000].map(pattern);
      let turns = 0;
      const fates: Flushed[] = ["taken", "kept", "held", "full"];
      const answers = await Promise.all(
        bodies.map((body) =>
          ask(
            pool,
            whole(body),
            () => fates[turns++ % fates.length] ?? "taken",
            (sent) => {
              sent.pause();
              setImmediate(sent.resume);
            },
          ),
        ),
      );
      for (const [i, { body }] of answers.entries()) assert.ok(body.equals(bodies[i] ?? assert.fail()));
    });
  });

describe("the place that answers are read to", () => {
  it("is one, as long as they are taken", async () => {
    const pool = poolTo(await nghttp2Echo({}));
    const { body, places } = await ask(pool, whole(pattern(4 * 1024 ** 2, 0)));
    assert.deepEqual([body.length, places.size], [4 * 1024 ** 2, 1]);
  });

  it("is another, as long as somebody keeps them", async () => {
    const pool = poolTo(await nghttp2Echo({}));
    const sent = pattern(4 * 1024 ** 2, 0);
    const { body, places } = await ask(pool, whole(sent), () => "kept");
    assert.ok(body.equals(sent));
    assert.ok(places.size > 1);
  });
});

it("a pod that takes few calls at a time has more connections, and each call its answer", async () => {
  const pool = poolTo(await nghttp2Echo({ maxConcurrentStreams: 2 }));
  await ask(pool, whole(pattern(1, 0)));
  const answers = await Promise.all(Array.from({ length: 6 }, (_, i) => ask(pool, whole(pattern(100, i)))));
  assert.ok(answers.every(({ body }, i) => body.equals(pattern(100, i))));
  assert.equal(pool.size(), 3);
});
