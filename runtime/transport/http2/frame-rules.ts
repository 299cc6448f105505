import type { FrameHead } from "./frames.ts";
import * as http2 from "./protocol.ts";

/** What a connection knows when a frame begins. */
export type Surroundings = {
  /** Who opens the streams, and so is the client. */
  client: "they" | "we";
  /** Their first SETTINGS have come. */
  settled: boolean;
  /** The stream whose header block has begun and not ended; 0 for none. */
  blockOf: number;
  /** The last stream that was opened. */
  lastId: number;
  /** What they may send on the connection, in bytes. */
  window: number;
};

/** What is wrong with a frame, by its head alone: of it the connection ends (RFC 9113, 5.1, 5.4.1 and 6). */
export const faultOf = (
  { length, type, flags, stream }: FrameHead,
  { client, settled, blockOf, lastId, window }: Surroundings,
): http2.Fault | undefined => {
  if (length > http2.FRAME_BYTES) return wrongSize("a frame of more than 16384 bytes");
  if (!settled && (type !== http2.SETTINGS || (flags & http2.ACK) !== 0))
    return wrong("the first frame is not SETTINGS");
  if (blockOf !== 0 && (type !== http2.CONTINUATION || stream !== blockOf)) {
    return wrong("a header block is interrupted");
  }
  // those of even numbers would be a server's to open
  const isIdle = stream > lastId || stream % 2 === 0;
  switch (type) {
    case http2.DATA:
      if (stream === 0 || isIdle) return wrong("DATA on a stream that is not open");
      return length > window ? wrong("more DATA than the flow-control window", http2.FLOW_CONTROL_ERROR) : undefined;
    case http2.HEADERS:
      if (client === "we") return isIdle ? wrong("HEADERS on a stream that is not open") : undefined;
      return stream % 2 === 0 ? wrong("HEADERS on a stream that a client cannot open") : undefined;
    case http2.PRIORITY:
      if (stream === 0) return wrong("PRIORITY on stream 0");
      return length === 5 ? undefined : wrongSize("PRIORITY that is not 5 bytes long");
    case http2.RST_STREAM:
      if (stream === 0 || isIdle) return wrong("RST_STREAM on a stream that is not open");
      return length === 4 ? undefined : wrongSize("RST_STREAM that is not 4 bytes long");
    case http2.SETTINGS:
      if (stream !== 0) return wrong("SETTINGS on a stream other than 0");
      return (flags & http2.ACK) !== 0 && length > 0 ? wrongSize("SETTINGS acknowledgement with a payload") : undefined;
    case http2.PUSH_PROMISE:
      return wrong(client === "we" ? "PUSH_PROMISE, which our settings forbid" : "PUSH_PROMISE from a client");
    case http2.PING:
      if (stream !== 0) return wrong("PING on a stream other than 0");
      return length === 8 ? undefined : wrongSize("PING that is not 8 bytes long");
    case http2.GOAWAY:
      if (stream !== 0) return wrong("GOAWAY on a stream other than 0");
      return length >= 8 ? undefined : wrongSize("GOAWAY that is too short");
    case http2.WINDOW_UPDATE:
      if (length !== 4) return wrongSize("WINDOW_UPDATE that is not 4 bytes long");
      return stream !== 0 && isIdle ? wrong("WINDOW_UPDATE on a stream that is not open") : undefined;
    case http2.CONTINUATION:
      return blockOf === 0 ? wrong("CONTINUATION without HEADERS") : undefined;
    default:
      return undefined;
  }
};

const wrong = (reason: string, code = http2.PROTOCOL_ERROR): http2.Fault => ({ code, reason });
const wrongSize = (reason: string): http2.Fault => wrong(reason, http2.FRAME_SIZE_ERROR);

/** A payload without its padding; undefined where there is more padding than payload. */
export const unpadded = (payload: Buffer, flags: number): Buffer | undefined => {
  if ((flags & http2.PADDED) === 0) return payload;
  const padding = payload[0] ?? 0;
  return padding + 1 > payload.length ? undefined : payload.subarray(1, payload.length - padding);
};

/** Whether the priority that a payload begins with names `stream` itself, which it must not. */
export const dependsOnItself = (payload: Buffer, stream: number): boolean =>
  payload.readUInt32BE() % 2 ** 31 === stream;
