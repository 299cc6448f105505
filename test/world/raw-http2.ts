/** A client of HTTP/2 that says what it is told to, frame by frame: what no library would send. */
import { connect, type Socket } from "node:net";
import { until } from "./patience.ts";

export type Frame = { type: number; flags: number; stream: number; payload: Buffer };

export type RawHttp2 = {
  socket: Socket;
  /** All that has come. */
  frames: Frame[];
  send(frame: { type: number; flags?: number; stream?: number; payload?: Uint8Array }): void;
  /** Opens a stream with these fields, as literals; returns its number. */
  open(fields: readonly (readonly [string, string])[], end: boolean): number;
  /** What came on that stream as text, headers with their names and values among it, as far as they are plain. */
  textOf(stream: number): string;
  isOver(stream: number): boolean;
};

export const FRAME = { data: 0, headers: 1, reset: 3, settings: 4, ping: 6, goaway: 7, windowUpdate: 8 } as const;
const END_STREAM = 1;
const END_HEADERS = 4;
const ACK = 1;
const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

export const rawHttp2 = async (port: number, settings: Uint8Array = new Uint8Array(0)): Promise<RawHttp2> => {
  // small frames would wait for the acknowledgement of those before
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  const frames: Frame[] = [];
  let input: Buffer = Buffer.alloc(0);
  let last = -1;
  const send: RawHttp2["send"] = ({ flags = 0, payload = new Uint8Array(0), stream = 0, type }) => {
    const head = Buffer.alloc(9);
    head.writeUIntBE(payload.length, 0, 3);
    head[3] = type;
    head[4] = flags;
    head.writeUInt32BE(stream, 5);
    socket.write(Buffer.concat([head, payload]));
  };
  socket.on("error", () => undefined);
  socket.on("data", (bytes) => {
    input = Buffer.concat([input, bytes]);
    while (input.length >= 9 && input.length >= 9 + input.readUIntBE(0, 3)) {
      const length = input.readUIntBE(0, 3);
      const [type = 0, flags = 0] = [input[3], input[4]];
      const frame = { type, flags, stream: input.readUInt32BE(5), payload: input.subarray(9, 9 + length) };
      frames.push(frame);
      input = input.subarray(9 + length);
      if ((type === FRAME.settings || type === FRAME.ping) && (flags & ACK) === 0)
        send({ type, flags: ACK, payload: type === FRAME.ping ? frame.payload : new Uint8Array(0) });
    }
  });
  socket.write(PREFACE);
  send({ type: FRAME.settings, payload: settings });
  await until("the router's settings", () => frames.some(({ type }) => type === FRAME.settings));
  const of = (stream: number): Frame[] => frames.filter((frame) => frame.stream === stream);
  return {
    socket,
    frames,
    send,
    open(fields, end) {
      last += 2;
      const flags = END_HEADERS + (end ? END_STREAM : 0);
      send({ type: FRAME.headers, flags, stream: last, payload: Buffer.concat(fields.flatMap(literal)) });
      return last;
    },
    textOf: (stream) =>
      of(stream)
        .filter(({ type }) => type === FRAME.headers || type === FRAME.data)
        .map(({ payload }) => payload.toString("latin1"))
        .join(""),
    isOver: (stream) =>
      of(stream).some(
        ({ flags, type }) =>
          type === FRAME.reset || ((type === FRAME.headers || type === FRAME.data) && (flags & END_STREAM) !== 0),
      ),
  };
};

/** A literal field without indexing, name and value as they are (RFC 7541, 6.2.2). */
export const literal = ([name, value]: readonly [string, string]): Buffer[] => [Buffer.of(0), text(name), text(value)];

const text = (value: string): Buffer => {
  const bytes = Buffer.from(value, "latin1");
  const length: number[] = [];
  if (bytes.length < 127) length.push(bytes.length);
  else {
    length.push(127);
    let rest = bytes.length - 127;
    for (; rest >= 128; rest >>= 7) length.push((rest & 127) | 128);
    length.push(rest);
  }
  return Buffer.concat([Buffer.from(length), bytes]);
};

/** The fields of a gRPC call; more of them, or others, as told. */
export const callFields = (path: string, ...more: readonly (readonly [string, string])[]) => [
  ...([
    [":method", "POST"],
    [":scheme", "http"],
    [":path", path],
    [":authority", "x"],
  ] as const),
  ...([
    ["content-type", "application/grpc"],
    ["te", "trailers"],
  ] as const),
  ...more,
];
