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

/** Pieces that wait. */
export type Queue = {
  queue: Buffer[];
  /** What the last of `queue` is the beginning of, if small pieces are joined there, and how far that goes. */
  joined: Buffer | undefined;
  filled: number;
  /** Bytes of `queue`. */
  queued: number;
};

/** What one stream has to send. */
export type Outgoing = Queue & {
  id: number;
  /** What the other side takes of it now, in bytes; below 0 where it has made its window smaller. */
  window: number;
  /** Encodes the headers that end the stream, once all else has gone; without a byte, an empty piece of data ends it. */
  trailers: (() => Buffer) | undefined;
  /** The last frame has gone. */
  ended(): void;
  /** The queue is empty. */
  drained(): void;
};

/** @param window what the other side takes of a stream at first, in bytes */
export const outgoingOf = (id: number, window: number, drained: () => void): Outgoing => ({
  ...emptyQueue(),
  ...{ id, window, trailers: undefined, drained, ended: () => undefined },
});

const EMPTY = Buffer.alloc(0);

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
  /** Of all streams, in bytes. */
  queued(): number;
};

/** Pieces that wait are joined up to this size: many small ones would take more than their bytes. */
const MOST_JOINED_BYTES = 16 * 1024;
const LEAST_JOINED_BYTES = 256;
const NEVER_COPIED_BYTES = 256 * 1024;

export const emptyQueue = (): Queue => ({ queue: [], joined: undefined, filled: 0, queued: 0 });

/** Adds a piece that has to wait. What came with it is not kept alive for it. `isView`: it must be copied whatever its size. */
export const enqueue = (stream: Queue, piece: Buffer, isView = false): void => {
  const { filled, joined, queue } = stream;
  stream.queued += piece.length;
  const isMost = !isView && (piece.length * 4 >= piece.buffer.byteLength || piece.length >= NEVER_COPIED_BYTES);
  if (piece.length >= MOST_JOINED_BYTES && isMost) {
    queue.push(piece);
    stream.joined = undefined;
  } else if (joined !== undefined && queue.length > 0 && joined.length - filled >= piece.length) {
    const start = queue[queue.length - 1]?.byteOffset ?? 0;
    stream.filled += piece.copy(joined, filled);
    queue[queue.length - 1] = joined.subarray(start - joined.byteOffset, stream.filled);
  } else {
    const room = Math.min(MOST_JOINED_BYTES, Math.max(LEAST_JOINED_BYTES, 2 * (joined?.length ?? piece.length)));
    const copy = Buffer.allocUnsafeSlow(Math.max(piece.length, room));
    stream.joined = copy;
    stream.filled = piece.copy(copy);
    queue.push(copy.subarray(0, stream.filled));
  }
};

type State = {
  readonly writer: FrameWriter;
  /** Streams that have something to send, and whose own window is open. */
  readonly waiting: Set<Outgoing>;
  /** What the other side takes on the connection now, in bytes. */
  window: number;
  /** Bytes that wait, of all streams. */
  total: number;
  frameBytes: number;
};

export const createOutbox = (writer: FrameWriter): Outbox => {
  const state: State = { writer, waiting: new Set(), window: DEFAULT_WINDOW, total: 0, frameBytes: FRAME_BYTES };
  return {
    headers: (id, block, flags) => pushHeaders(writer, id, block, flags),
    data: (stream, pieces) => writeData(state, stream, pieces),
    room: (stream) => (stream.queued > 0 ? 0 : Math.max(0, Math.min(state.window, stream.window, writer.room()))),
    trailers: (stream, encode) => {
      stream.trailers = encode;
      if (stream.queued === 0) pump(state, stream, false);
    },
    widen: (stream, bytes) => widen(state, stream, bytes),
    setFrameBytes: (bytes) => {
      // longer frames only keep the others waiting
      state.frameBytes = Math.min(bytes, 4 * FRAME_BYTES);
    },
    resume: () => resume(state),
    queued: () => state.total,
    forget: (stream) => forget(state, stream),
  };
};

const pushHeaders = (writer: FrameWriter, id: number, block: Buffer, flags: number): void => {
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

const writeData = (state: State, stream: Outgoing, pieces: readonly Buffer[]): void => {
  for (const piece of pieces) {
    if (piece.length === 0) continue;
    state.total += piece.length;
    const left = stream.queued > 0 ? piece : send(state, stream, piece);
    if (left !== undefined) enqueue(stream, left);
  }
  if (stream.queued > 0 && stream.window > 0) state.waiting.add(stream);
};

/** Sends what may be sent of a piece, and returns the rest, if any. */
const send = (state: State, stream: Outgoing, piece: Buffer): Buffer | undefined => {
  const { writer } = state;
  let at = 0;
  while (at < piece.length) {
    const size = Math.min(state.window, stream.window, state.frameBytes, piece.length - at);
    if (size <= 0 || writer.room() <= 0) return at === 0 ? piece : piece.subarray(at);
    const head = Buffer.allocUnsafe(HEAD_BYTES);
    writeHead(head, 0, size, DATA, 0, stream.id);
    writer.push(head);
    writer.push(piece.subarray(at, at + size));
    state.window -= size;
    stream.window -= size;
    state.total -= size;
    at += size;
  }
  return undefined;
};

/** Sends what may be sent of what waits, and what ends the stream after it. `waited`: it could not be when it was written. */
const pump = (state: State, stream: Outgoing, waited: boolean): void => {
  const { waiting } = state;
  while (stream.queued > 0) {
    const first = stream.queue[0] ?? EMPTY;
    const left = send(state, stream, first);
    stream.queued -= first.length - (left?.length ?? 0);
    if (left !== undefined) {
      stream.queue[0] = left;
      // one whose own window is closed is pumped when that opens
      if (stream.window > 0) waiting.add(stream);
      else waiting.delete(stream);
      return;
    }
    stream.queue.shift();
  }
  if (waiting.size > 0) waiting.delete(stream);
  if (stream.trailers !== undefined) pushTrailers(state.writer, stream, stream.trailers());
  else if (waited) stream.drained();
};

const pushTrailers = (writer: FrameWriter, stream: Outgoing, block: Buffer): void => {
  if (block.length > 0) pushHeaders(writer, stream.id, block, END_STREAM);
  else writer.push(frameOf(DATA, END_STREAM, stream.id, block));
  stream.trailers = undefined;
  stream.ended();
};

const widen = (state: State, stream: Outgoing | undefined, bytes: number): boolean => {
  if (stream === undefined) {
    state.window += bytes;
    return state.window <= MOST_WINDOW;
  }
  stream.window += bytes;
  if (stream.queued > 0) pump(state, stream, true);
  return stream.window <= MOST_WINDOW;
};

const resume = (state: State): void => {
  const { waiting, writer } = state;
  for (const stream of [...waiting]) {
    if (state.window <= 0 || writer.room() <= 0) return;
    // to the end, so that all have their turn; one that was forgotten meanwhile has none
    if (waiting.delete(stream)) pump(state, stream, true);
  }
};

const forget = (state: State, stream: Outgoing): void => {
  state.waiting.delete(stream);
  state.total -= stream.queued;
  stream.queue = [];
  stream.joined = undefined;
  stream.queued = 0;
  stream.trailers = undefined;
};
