/** What made-up clients send: nearly requests of HTTP/1.1 and HTTP/2, requests with damaged bodies, and floods. */
import fc from "fast-check";
import { http1Bytes } from "../../world/made-up-http1.ts";
import { frame, http2Bytes } from "../../world/made-up-http2.ts";
import { callFields, FRAME, literal } from "../../world/raw-http2.ts";
import { framed } from "../server/http2.ts";
import { damaged } from "../server/mutations.ts";
import {
  BINARY_HEADER_LENGTH,
  CLASSIFY_GRPC,
  EXAMPLES_JSON,
  INFER_BINARY,
  INFER_GRPC,
  INFER_JSON,
  PREDICT_GRPC,
  PREDICT_JSON,
} from "../server/seeds.ts";

const END_STREAM = 1;
const END_HEADERS = 4;
/** RFC 9113 (6.5.2): the largest frame that needs no setting. */
const FRAME_BYTES = 16_384;
const PREFACE = Buffer.concat([Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), frame(FRAME.settings, 0, 0)]);

const BINARY = `Inference-Header-Content-Length: ${BINARY_HEADER_LENGTH}\r\n`;
const posted = fc.oneof(
  damaged(INFER_JSON).map((body) => ({ path: "/v2/models/m/infer", more: "", body })),
  damaged([INFER_BINARY]).map((body) => ({ path: "/v2/models/m/infer", more: BINARY, body })),
  damaged(PREDICT_JSON).map((body) => ({ path: "/v1/models/m:predict", more: "", body })),
  damaged(EXAMPLES_JSON).map((body) => ({ path: "/v1/models/m:classify", more: "", body })),
);
const CODINGS = [
  "",
  "Content-Encoding: gzip\r\n",
  "Content-Encoding: deflate\r\n",
  "Expect: 100-continue\r\n",
] as const;

/** Whole requests of HTTP/1.1, whose bodies are damaged. */
const posts = fc
  .array(fc.tuple(posted, fc.boolean(), fc.constantFrom(...CODINGS, "", "")), { minLength: 1, maxLength: 8 })
  .map((requests) =>
    Buffer.concat(
      requests.flatMap(([{ body, more, path }, isChunked, coding]) => {
        const framing = isChunked ? "Transfer-Encoding: chunked" : `Content-Length: ${body.length}`;
        const head = Buffer.from(`POST ${path} HTTP/1.1\r\nHost: h\r\n${more}${coding}${framing}\r\n\r\n`);
        if (!isChunked) return [head, body];
        const chunk =
          body.length === 0 ? [] : [Buffer.from(`${body.length.toString(16)}\r\n`), body, Buffer.from("\r\n")];
        return [head, ...chunk, Buffer.from("0\r\n\r\n")];
      }),
    ),
  );

/** A request whose answer is as large as it is, some times over: for clients that do not take it. */
const large = fc.tuple(fc.constantFrom(1000, 16_384, 131_072), fc.integer({ min: 1, max: 4 })).map(([rows, times]) => {
  const tensor = (name: string, datatype: string, shape: number[], bytes: number): object => ({
    ...{ name, datatype, shape, parameters: { binary_data_size: bytes } },
  });
  const inputs = [
    tensor("x", "FP32", [rows, 4], 16 * rows),
    tensor("n", "INT64", [rows], 8 * rows),
    tensor("s", "BYTES", [rows], 4 * rows),
  ];
  const json = JSON.stringify({ inputs, parameters: { binary_data_output: true } });
  const length = json.length + 28 * rows;
  const head = `POST /v2/models/m/infer HTTP/1.1\r\nHost: h\r\nInference-Header-Content-Length: ${json.length}\r\nContent-Length: ${length}\r\n\r\n`;
  const one = Buffer.concat([Buffer.from(head + json), Buffer.alloc(28 * rows)]);
  return Buffer.concat(Array<Buffer>(times).fill(one));
});

const METHODS = {
  infer: "/inference.GRPCInferenceService/ModelInfer",
  stream: "/inference.GRPCInferenceService/ModelStreamInfer",
  predict: "/tensorflow.serving.PredictionService/Predict",
  classify: "/tensorflow.serving.PredictionService/Classify",
} as const;
const message = fc.oneof(
  fc.tuple(fc.constantFrom(METHODS.infer, METHODS.infer, METHODS.stream), damaged(INFER_GRPC)),
  fc.tuple(fc.constant(METHODS.predict), damaged(PREDICT_GRPC)),
  fc.tuple(fc.constant(METHODS.classify), damaged(CLASSIFY_GRPC)),
);
/** What the frame of a message says of it. */
const framing = fc.oneof(
  { weight: 8, arbitrary: fc.constant({ by: 0, flag: 0 }) },
  { weight: 2, arbitrary: fc.record({ by: fc.constantFrom(-1, 1, 5, 2 ** 31), flag: fc.constantFrom(0, 1, 2, 255) }) },
);
const field = fc.constantFrom<readonly [string, string]>(
  ["grpc-timeout", "1m"],
  ["grpc-timeout", "99999999H"],
  ["grpc-timeout", "x"],
  ["grpc-encoding", "gzip"],
  ["content-length", "3"],
  ["x", "y".repeat(3000)],
);
const call = fc.record({
  message,
  framing,
  fields: fc.array(field, { maxLength: 2 }),
  ends: fc.constantFrom("ends", "ends", "ends", "stays", "resets"),
});
/** Calls of gRPC, one after the other on a connection, with damaged messages and frames of messages that lie. */
const calls = fc.array(call, { minLength: 1, maxLength: 8 }).map((all) =>
  Buffer.concat([
    PREFACE,
    ...all.flatMap(({ ends, fields, framing: { by, flag }, message: [path, content] }, i) => {
      const stream = 2 * i + 1;
      const bytes = framed(content, Math.max(0, Math.min(2 ** 32 - 1, content.length + by)), flag);
      const pieces = Array.from({ length: Math.max(1, Math.ceil(bytes.length / FRAME_BYTES)) }, (_, at) =>
        bytes.subarray(at * FRAME_BYTES, (at + 1) * FRAME_BYTES),
      );
      return [
        frame(FRAME.headers, END_HEADERS, stream, Buffer.concat(callFields(path, ...fields).flatMap(literal))),
        ...pieces.map((piece, at) =>
          frame(FRAME.data, ends === "ends" && at === pieces.length - 1 ? END_STREAM : 0, stream, piece),
        ),
        ...(ends === "resets" ? [frame(FRAME.reset, 0, stream, Buffer.of(0, 0, 0, 8))] : []),
      ];
    }),
  ]),
);

const flood = fc
  .tuple(
    fc.constantFrom("pings", "settings", "resets", "windows", "empty", "pipelined"),
    fc.integer({ min: 1, max: 1500 }),
  )
  .map(([what, count]) => {
    if (what === "pipelined")
      return Buffer.from("GET /v2/health/live HTTP/1.1\r\nHost: h\r\n\r\n".repeat(Math.min(count, 500)));
    const head = Buffer.concat(callFields(METHODS.stream).flatMap(literal));
    const open = frame(FRAME.headers, END_HEADERS, 1, head);
    const one = (i: number): Buffer => {
      if (what === "pings") return frame(FRAME.ping, 0, 0, Buffer.alloc(8));
      if (what === "settings") return frame(FRAME.settings, 0, 0);
      if (what === "windows") return frame(FRAME.windowUpdate, 0, 0, Buffer.of(0, 0, 0, 1));
      if (what === "empty") return frame(FRAME.data, 0, 1);
      const stream = 2 * i + 3;
      return Buffer.concat([
        frame(FRAME.headers, END_HEADERS, stream, head),
        frame(FRAME.reset, 0, stream, Buffer.of(0, 0, 0, 8)),
      ]);
    };
    return Buffer.concat([PREFACE, open, ...Array.from({ length: count }, (_, i) => one(i))]);
  });

export type Door = "http" | "grpc";
/** Now and then at the door of the other protocol. */
const at = (door: Door, other: Door, bytes: fc.Arbitrary<Buffer>): fc.Arbitrary<{ door: Door; bytes: Buffer }> =>
  fc.record({ door: fc.constantFrom(...Array<Door>(15).fill(door), other), bytes });

export const clientBytes: fc.Arbitrary<{ door: Door; bytes: Buffer }> = fc.oneof(
  { weight: 6, arbitrary: at("http", "grpc", http1Bytes) },
  { weight: 5, arbitrary: at("http", "grpc", posts) },
  { weight: 6, arbitrary: at("grpc", "http", http2Bytes) },
  { weight: 5, arbitrary: at("grpc", "http", calls) },
  { weight: 1, arbitrary: at("http", "grpc", large) },
  { weight: 1, arbitrary: at("grpc", "http", flood) },
);
