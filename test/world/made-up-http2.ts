/** Bytes that are nearly requests of HTTP/2, frame by frame. */
import fc from "fast-check";
import { HEAD_BYTES, writeHead } from "../../runtime/transport/http2/frames.ts";
import * as http2 from "../../runtime/transport/http2/protocol.ts";

export const frame = (type: number, flags: number, stream: number, payload: Buffer = Buffer.alloc(0)): Buffer => {
  const head = Buffer.alloc(HEAD_BYTES);
  writeHead(head, 0, payload.length, type, flags, stream);
  return Buffer.concat([head, payload]);
};
const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

const literal = (name: string, value: string): Buffer =>
  Buffer.concat([
    Buffer.of(0, name.length),
    Buffer.from(name, "latin1"),
    Buffer.of(value.length),
    Buffer.from(value, "latin1"),
  ]);
const oneOf = <T>(good: readonly T[], bad: readonly T[]): fc.Arbitrary<T> =>
  fc.oneof({ weight: 12, arbitrary: fc.constantFrom(...good) }, { weight: 1, arbitrary: fc.constantFrom(...bad) });
const header = fc
  .tuple(
    oneOf(
      ["x", "accept", "te"],
      ["X", "", "x y", "connection", "transfer-encoding", ":path", ":odd", "\u00e9", "content-length"],
    ),
    oneOf(["trailers"], ["", " a", "a ", "a\0", "a\nb", "a\rb", "7", "\u00e9"]),
  )
  .map(([name, value]) => literal(name, value));
const list = fc
  .tuple(
    oneOf(["GET", "POST"], ["", "G T", "FOO"]),
    oneOf(["/", "/a?b"], ["", "a", "/a b", "*"]),
    oneOf([true], [false]),
    oneOf([true], [false]),
    fc.array(header, { maxLength: 2 }),
  )
  .map(([method, path, hasScheme, hasAuthority, more]) =>
    Buffer.concat([
      literal(":method", method),
      ...(hasScheme ? [literal(":scheme", "http")] : []),
      literal(":path", path),
      ...(hasAuthority ? [literal(":authority", "h")] : []),
      ...more,
    ]),
  );
const id = oneOf([1, 3, 5], [0, 2, 7]);
const flags = oneOf(
  [http2.END_HEADERS, http2.END_HEADERS | http2.END_STREAM],
  [0, http2.END_STREAM, http2.END_HEADERS | http2.PADDED, 255],
);
const number = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};
const any = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.tuple(flags, id, list).map(([flag, stream, block]) => frame(http2.HEADERS, flag, stream, block)),
  },
  {
    weight: 4,
    arbitrary: fc
      .tuple(oneOf([0, http2.END_STREAM], [http2.PADDED, 255]), id, fc.constantFrom("", "a", "\u0001bcd"))
      .map(([flag, stream, text]) => frame(http2.DATA, flag, stream, Buffer.from(text, "latin1"))),
  },
  fc
    .tuple(id, fc.constantFrom(0, 1, 65_536, 2 ** 31 - 1))
    .map(([stream, by]) => frame(http2.WINDOW_UPDATE, 0, stream, number(by))),
  fc.tuple(id, fc.constantFrom(0, 8)).map(([stream, code]) => frame(http2.RST_STREAM, 0, stream, number(code))),
  fc.tuple(id, fc.constantFrom(4, 5)).map(([stream, bytes]) => frame(http2.PRIORITY, 0, stream, Buffer.alloc(bytes))),
  fc
    .tuple(fc.constantFrom(0, 1), fc.constantFrom(0, 5, 6))
    .map(([ack, bytes]) => frame(http2.SETTINGS, ack, 0, Buffer.alloc(bytes))),
  fc
    .tuple(fc.constantFrom(0, 1), fc.constantFrom(7, 8))
    .map(([ack, bytes]) => frame(http2.PING, ack, 0, Buffer.alloc(bytes, "x"))),
  fc
    .tuple(id, fc.constantFrom(0, 4))
    .map(([stream, flag]) => frame(http2.CONTINUATION, flag, stream, literal("y", "z"))),
  fc.constantFrom(
    frame(99, 255, 1, Buffer.alloc(9)),
    frame(http2.PUSH_PROMISE, 4, 1, Buffer.alloc(8)),
    frame(http2.GOAWAY, 0, 0, Buffer.alloc(8)),
  ),
);
/** Preface, settings and frames: as a rule two whole requests, with anything between their frames. */
export const http2Bytes: fc.Arbitrary<Buffer> = fc
  .tuple(fc.array(any, { maxLength: 4 }), list, fc.array(any, { maxLength: 2 }), list)
  .map(([before, first, between, second]) =>
    Buffer.concat([
      ...[PREFACE, frame(http2.SETTINGS, 0, 0), ...before],
      ...[
        frame(http2.HEADERS, http2.END_HEADERS, 11, first),
        ...between,
        frame(http2.DATA, http2.END_STREAM, 11, Buffer.from("hello")),
      ],
      frame(http2.HEADERS, http2.END_HEADERS | http2.END_STREAM, 13, second),
    ]),
  );
