import type { Lease } from "../../memory/shares.ts";
import type { Header, Stream } from "../http2/index.ts";
import { PREFIX_BYTES } from "./message-reader.ts";
import { CallError, type CallStatus, STATUS } from "./status.ts";

const HEADERS: readonly Header[] = [
  [":status", "200"],
  ["content-type", "application/grpc"],
];
const OK: readonly Header[] = [["grpc-status", "0"]];
/** Less is copied, so that the message and its prefix go as one. */
const JOINED_BYTES = 16 * 1024;
/** What a status may tell, in bytes: clients take 8 kB of headers at least. */
const MOST_DETAILS = 4096;

export const answerTooLarge = (bytes: number, mostBytes: number): CallError =>
  new CallError(STATUS.RESOURCE_EXHAUSTED, `the answer has ${bytes} bytes, and at most ${mostBytes} are allowed`);

/** The answering side of one call. */
export type Answer = {
  /** Sends a message. Throws a CallError or RequestError, and sends nothing of it, where it is too large, or where too much waits already. */
  message(bytes: Buffer): void;
  /** Ends the call well. */
  end(): void;
  fail(status: CallStatus): void;
};

export const createAnswer = (stream: Stream, maxBytes: number, lease: Lease): Answer => {
  let begun = false;
  const begin = (): void => {
    if (!begun) stream.headers(HEADERS, false);
    begun = true;
  };
  return {
    message: (bytes) => {
      const length = PREFIX_BYTES + bytes.length;
      if (bytes.length > maxBytes) throw answerTooLarge(bytes.length, maxBytes);
      if (stream.room() < length) lease.take(length);
      begin();
      const joined = bytes.length <= JOINED_BYTES;
      const prefix = Buffer.allocUnsafe(joined ? length : PREFIX_BYTES);
      prefix[0] = 0;
      prefix.writeUInt32BE(bytes.length, 1);
      if (joined) prefix.set(bytes, PREFIX_BYTES);
      if (joined) stream.write(prefix);
      else stream.write(prefix, bytes);
    },
    end: () => {
      begin();
      stream.end(OK);
    },
    fail: (status) => {
      if (begun) stream.end(trailersOf(status));
      else failCall(stream, status);
      begun = true;
    },
  };
};

/** Answers with nothing but a status. */
export const failCall = (stream: Stream, status: CallStatus): void =>
  stream.headers([...HEADERS, ...trailersOf(status)], true);

const trailersOf = ({ code, details, trailers = [] }: CallStatus): readonly Header[] => [
  ["grpc-status", String(code)],
  ["grpc-message", percentEncoded(details)],
  ...trailers,
];

/** gRPC over HTTP/2, Responses: all but the visible characters of ASCII and the space. */
export const percentEncoded = (text: string): string => {
  let encoded = "";
  for (const byte of Buffer.from(text.slice(0, MOST_DETAILS))) {
    const plain = byte >= 32 && byte < 127 && byte !== 37;
    encoded += plain ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
    if (encoded.length >= MOST_DETAILS) break;
  }
  return encoded;
};
