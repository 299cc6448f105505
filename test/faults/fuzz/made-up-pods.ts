/** Pods that are half dead: they answer made-up bytes over HTTP/1.1 and HTTP/2, stop in the middle, or say nothing. */
import { createServer, type Server, type Socket } from "node:net";
import fc from "fast-check";
import { frame } from "../../world/made-up-http2.ts";
import { FRAME, literal } from "../../world/raw-http2.ts";

type After = "keeps" | "ends" | "resets" | "goes";
/** To one request. */
export type Answer = {
  http: Buffer;
  /** Frames; `place`: the request's own stream, or so many further. */
  grpc: readonly { type: number; flags: number; place: number | "connection"; payload: Buffer }[];
  after: After;
};

const oneOf = <T>(good: readonly T[], bad: readonly T[]): fc.Arbitrary<T> =>
  fc.oneof({ weight: 8, arbitrary: fc.constantFrom(...good) }, { weight: 1, arbitrary: fc.constantFrom(...bad) });

const LARGE = "z".repeat(2 ** 20);
const statusLine = oneOf(
  ["HTTP/1.1 200 OK", "HTTP/1.1 200 OK", "HTTP/1.1 503 Busy", "HTTP/1.1 500 No"],
  [
    ...["HTTP/1.0 200 OK", "HTTP/1.1 99 x", "HTTP/1.1 1000 x", "HTTP/1.1 200", "HTTP/2.0 200 OK", "", "SSH-2.0-x"],
    ...[
      "HTTP/1.1 101 Switching",
      "HTTP/1.1 204 None",
      "HTTP/1.1 304 Same",
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK",
    ],
  ],
);
const header = oneOf(
  ["x: y", "content-type: application/json", "x-berth-revision: other"],
  [
    ...[
      "",
      " folded",
      "x",
      ": y",
      "x : y",
      "x: a\0b",
      "x: \u00e9",
      "connection: close",
      "connection: upgrade",
      "trailer: x",
    ],
    ...["content-encoding: gzip", "upgrade: h2c", `x: ${"y".repeat(20_000)}`],
  ],
);
const body = oneOf(
  [
    ["content-length: 2", "ok"],
    ["transfer-encoding: chunked", "2\r\nok\r\n0\r\n\r\n"],
    [`content-length: ${LARGE.length}`, LARGE],
  ],
  [
    ["content-length: 5", "ok"],
    ["content-length: 2\r\ncontent-length: 3", "ok"],
    ["content-length: -1", "ok"],
    ["content-length: 99999999999999999999", "ok"],
    ["content-length: 2\r\ntransfer-encoding: chunked", "2\r\nok\r\n0\r\n\r\n"],
    ["transfer-encoding: gzip", "ok"],
    ["transfer-encoding: chunked", "zz\r\n"],
    ["transfer-encoding: chunked", "2\r\nok\r\n0\r\nx: y\r\ncontent-length: 1\r\n\r\n"],
    ["transfer-encoding: chunked", "2\r\nok"],
    ["transfer-encoding: chunked", `2${" ".repeat(50)};a="b\r\nok\r\n0\r\n\r\n`],
    ["content-length: 2", "okHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nno"],
    ["", "until the end"],
  ],
);
/** A byte that is replaced, and where. */
const flip = fc.option(fc.tuple(fc.nat(), fc.nat(255)), { freq: 3 });
const http = fc
  .tuple(statusLine, fc.array(header, { maxLength: 2 }), body, flip)
  .map(([line, headers, parts, change]) => {
    const [framing = "", content = ""] = parts;
    const bytes = Buffer.from([line, ...headers, framing, "", content].join("\r\n"), "latin1");
    if (change !== null) bytes[change[0] % Math.min(bytes.length, 200)] = change[1];
    return bytes;
  });

const END_STREAM = 1;
const END_HEADERS = 4;
const fields = fc
  .tuple(
    oneOf(
      [[":status", "200"]],
      [
        [":status", "502"],
        [":status", "x"],
        [":status", "101"],
        [":path", "/"],
        ["x", "y"],
      ],
    ),
    fc.array(
      oneOf(
        [
          ["content-type", "application/grpc"],
          ["grpc-status", "0"],
          ["grpc-status", "13"],
        ],
        [
          ["X", "y"],
          ["connection", "close"],
          ["content-length", "3"],
          ["", "y"],
          ["x", "a\nb"],
          [":status", "200"],
          ["x", LARGE.slice(0, 9000)],
        ],
      ),
      { maxLength: 3 },
    ),
  )
  .map(([status, more]) =>
    Buffer.concat([status, ...more].flatMap(([name = "", value = ""]) => literal([name, value]))),
  );
const trailers = Buffer.concat(literal(["grpc-status", "0"]));
const place = oneOf<number | "connection">([0], ["connection", 2, -2, 1, 1000]);
const flags = (usual: number): fc.Arbitrary<number> => oneOf([usual], [0, END_STREAM, END_HEADERS, 8, 255]);
const frames = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      type: fc.constant<number>(FRAME.headers),
      flags: flags(END_HEADERS),
      place,
      payload: fields,
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      ...{ type: fc.constant<number>(FRAME.data), flags: flags(0), place },
      payload: fc
        .constantFrom("", "\0\0\0\0\u0002ok", "\0\0\0", "\u0001\0\0\0\u0005", LARGE.slice(0, 16_384))
        .map((text) => Buffer.from(text, "latin1")),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      type: fc.constant<number>(FRAME.headers),
      flags: flags(END_HEADERS + END_STREAM),
      place,
      payload: fc.constant(trailers),
    }),
  },
  fc.record({
    ...{ type: fc.constantFrom<number>(FRAME.reset, FRAME.windowUpdate), flags: fc.constant(0), place },
    payload: fc.constantFrom(0, 1, 7, 8, 2 ** 31 - 1).map((code) => Buffer.from(Uint32Array.of(code).buffer).reverse()),
  }),
  fc.record({
    ...{ type: fc.constantFrom<number>(FRAME.settings, FRAME.ping, FRAME.goaway, 9, 5, 2, 99), flags: flags(0) },
    place: fc.constant("connection" as const),
    payload: fc.uint8Array({ maxLength: 18 }).map((bytes) => Buffer.from(bytes)),
  }),
);
/** As gRPC answers, in order. */
const good = fc.constant([
  {
    type: FRAME.headers,
    flags: END_HEADERS,
    place: 0,
    payload: Buffer.concat(
      [
        [":status", "200"],
        ["content-type", "application/grpc"],
      ].flatMap(([name = "", value = ""]) => literal([name, value])),
    ),
  },
  { type: FRAME.data, flags: 0, place: 0, payload: Buffer.from("\0\0\0\0\u0002ok", "latin1") },
  { type: FRAME.headers, flags: END_HEADERS + END_STREAM, place: 0, payload: trailers },
]);

export const answer: fc.Arbitrary<Answer> = fc.record({
  http,
  grpc: fc.oneof(good, fc.array(frames, { maxLength: 6 })),
  after: fc.constantFrom<After>("keeps", "keeps", "keeps", "ends", "resets", "goes"),
});

export type MadeUpPod = { http: number; grpc: number; stop(): void };

/** @param next what it does with the next request */
export const startMadeUpPod = async (next: () => Answer): Promise<MadeUpPod> => {
  const open = new Set<Socket>();
  const leave = (socket: Socket, after: After): void => {
    if (after === "ends") socket.end();
    else if (after === "resets") socket.resetAndDestroy();
    else if (after === "goes") socket.destroy();
  };
  const listen = async (onSocket: (socket: Socket) => void): Promise<Server> => {
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      open.add(socket);
      socket.once("close", () => open.delete(socket));
      socket.on("error", () => undefined).on("end", () => socket.end());
      onSocket(socket);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return server;
  };
  const servers = [
    await listen((socket) => {
      socket.on("data", (bytes) => {
        // a request's first bytes: it is answered without the rest
        if (!/^(?:POST|GET|PUT|HEAD|OPTIONS|DELETE|PATCH) /.test(bytes.toString("latin1", 0, 10))) return;
        const { after, http } = next();
        socket.write(http);
        leave(socket, after);
      });
    }),
    await listen((socket) => {
      socket.write(frame(FRAME.settings, 0, 0));
      onRequests(socket, (stream) => {
        const { after, grpc } = next();
        for (const { flags, payload, place, type } of grpc)
          socket.write(frame(type, flags, place === "connection" ? 0 : Math.max(0, stream + place), payload));
        leave(socket, after);
      });
    }),
  ];
  const [http, grpc] = servers.map((server) => {
    const address = server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  });
  return {
    ...{ http: http ?? 0, grpc: grpc ?? 0 },
    stop() {
      for (const server of servers) server.close();
      for (const socket of open) socket.destroy();
    },
  };
};

const PREFACE_BYTES = 24;

/** Reads a client's frames: acknowledges its settings and pings, and tells of each stream that it opens. */
const onRequests = (socket: Socket, opened: (stream: number) => void): void => {
  let input: Buffer = Buffer.alloc(0);
  let isBegun = false;
  socket.on("data", (bytes) => {
    input = Buffer.concat([input, bytes]);
    if (!isBegun && input.length < PREFACE_BYTES) return;
    if (!isBegun) input = input.subarray(PREFACE_BYTES);
    isBegun = true;
    while (input.length >= 9 && input.length >= 9 + input.readUIntBE(0, 3)) {
      const length = input.readUIntBE(0, 3);
      const [type, flags = 0] = [input[3], input[4]];
      const stream = input.readUInt32BE(5);
      const payload = input.subarray(9, 9 + length);
      input = input.subarray(9 + length);
      if (type === FRAME.headers) opened(stream);
      else if ((type === FRAME.settings || type === FRAME.ping) && (flags & 1) === 0)
        socket.write(frame(type, 1, 0, type === FRAME.ping ? Buffer.from(payload) : Buffer.alloc(0)));
    }
  });
};
