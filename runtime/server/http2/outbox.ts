import { frameOf, HEAD_BYTES, writeHead } from "./frames.ts";
import {
  CONTINUATION,
  DATA,
  DEFAULT_WINDOW,
  END_HEADERS,
  END_STREAM,
  FRAME_BYTES,
  HEADERS,
  MOST_WINDOW,
} from "./protocol.ts";
import type { FrameWriter } from "./writer.ts";

/** What one stream has to send. */
export type Outgoing = {
  id: number;
  /** What the client takes of it now, in bytes; below 0 where it has made its window smaller. */
  window: number;
  queue: Buffer[];
  /** Bytes of `queue`. */
  queued: number;
  /** What of the first of `queue` has gone. */
  sent: number;
  /** Encodes the headers that end the stream, once all else has gone; without a byte, an empty piece of data ends it. */
  trailers: (() => Buffer) | undefined;
  /** The last frame has gone. */
  ended(): void;
  /** The queue is empty. */
  drained(): void;
};

/** The sending half of a connection: flow control (RFC 9113, 5.2) over all of its streams. */
export type Outbox = {
  /** A whole header block, in as many frames as it needs. */
  headers(id: number, block: Buffer, flags: number): void;
  data(stream: Outgoing, pieces: readonly Buffer[]): void;
  /** What can be sent of the stream now, in bytes. */
  room(stream: Outgoing): number;
  trailers(stream: Outgoing, encode: () => Buffer): void;
  /** False where a window would be too large. */
  widen(stream: Outgoing | undefined, bytes: number): boolean;
  setFrameBytes(bytes: number): void;
  /** Sends what can be sent now of what waits. */
  resume(): void;
  forget(stream: Outgoing): void;
};

export const createOutbox = (writer: FrameWriter): Outbox => {
  const waiting = new Set<Outgoing>();
  let window = DEFAULT_WINDOW;
  let frameBytes = FRAME_BYTES;

  const headers = (id: number, block: Buffer, flags: number): void => {
    if (block.length <= FRAME_BYTES) {
      writer.push(frameOf(HEADERS, flags | END_HEADERS, id, block));
      return;
    }
    writer.push(frameOf(HEADERS, flags, id, block.subarray(0, FRAME_BYTES)));
    for (let at = FRAME_BYTES; at < block.length; at += FRAME_BYTES) {
      const last = at + FRAME_BYTES >= block.length;
      writer.push(frameOf(CONTINUATION, last ? END_HEADERS : 0, id, block.subarray(at, at + FRAME_BYTES)));
    }
  };

  /** Sends what may be sent; `waited`: it could not be when it was written. */
  const pump = (stream: Outgoing, waited: boolean): void => {
    while (stream.queued > 0) {
      const [first] = stream.queue;
      const size = Math.min(window, stream.window, frameBytes, (first?.length ?? 0) - stream.sent);
      if (first === undefined || size <= 0 || writer.room() <= 0) {
        // one whose own window is closed is pumped when that opens
        if (stream.window > 0) waiting.add(stream);
        else waiting.delete(stream);
        return;
      }
      const head = Buffer.allocUnsafe(HEAD_BYTES);
      writeHead(head, 0, size, DATA, 0, stream.id);
      writer.push(head);
      writer.push(first.subarray(stream.sent, stream.sent + size));
      window -= size;
      stream.window -= size;
      stream.queued -= size;
      stream.sent += size;
      if (stream.sent < first.length) continue;
      stream.queue.shift();
      stream.sent = 0;
    }
    if (waiting.size > 0) waiting.delete(stream);
    if (stream.trailers !== undefined) {
      const block = stream.trailers();
      if (block.length > 0) headers(stream.id, block, END_STREAM);
      else writer.push(frameOf(DATA, END_STREAM, stream.id, block));
      stream.trailers = undefined;
      stream.ended();
    } else if (waited) stream.drained();
  };

  return {
    headers,
    data: (stream, pieces) => {
      const waited = stream.queued > 0;
      for (const piece of pieces) {
        if (piece.length === 0) continue;
        stream.queue.push(piece);
        stream.queued += piece.length;
      }
      if (!waited && stream.queued > 0) pump(stream, false);
    },
    room: (stream) => (stream.queued > 0 ? 0 : Math.max(0, Math.min(window, stream.window, writer.room()))),
    trailers: (stream, encode) => {
      stream.trailers = encode;
      if (stream.queued === 0) pump(stream, false);
    },
    widen: (stream, bytes) => {
      if (stream === undefined) {
        window += bytes;
        return window <= MOST_WINDOW;
      }
      stream.window += bytes;
      if (stream.queued > 0) pump(stream, true);
      return stream.window <= MOST_WINDOW;
    },
    setFrameBytes: (bytes) => {
      // longer frames only keep the others waiting
      frameBytes = Math.min(bytes, 4 * FRAME_BYTES);
    },
    resume: () => {
      for (const stream of [...waiting]) {
        if (window <= 0 || writer.room() <= 0) return;
        // to the end, so that all have their turn; one that was forgotten meanwhile has none
        if (waiting.delete(stream)) pump(stream, true);
      }
    },
    forget: (stream) => {
      waiting.delete(stream);
      stream.queue = [];
      stream.queued = 0;
      stream.trailers = undefined;
    },
  };
};
