/** The requests of one connection: their bodies within flow control, their answering sides, and what was reset of late. */
import { areTrailers } from "./field-rules.ts";
import type { FrameHead } from "./frames.ts";
import type { Header } from "./header-table.ts";
import * as http2 from "./protocol.ts";
import { openStream } from "./stream-requests.ts";
import {
  abandon,
  createStreamsState,
  endRemote,
  giveBack,
  type Host,
  refuseStream,
  resetStream,
  type StreamsState,
} from "./stream-state.ts";

export type Streams = {
  readonly size: number;
  /** The last one that the client has opened. */
  lastId(): number;
  /** Whether a part of a request or an answer has moved since this was asked last. */
  hasMoved(): boolean;
  /** Streams above `id` are refused. */
  refuseAbove(id: number): void;
  /** A header block has come whole; undefined: it was too large. */
  onHeaders(id: number, headers: readonly Header[] | undefined, ended: boolean): boolean;
  /** DATA counts when it begins, whatever its stream does with it: our side of the windows must be the client's. */
  beginData(frame: FrameHead): boolean;
  /** `last`: no more of this frame comes. */
  onData(frame: FrameHead, bytes: Buffer, last: boolean): boolean;
  onReset(id: number): boolean;
  onWindowUpdate(id: number, increment: number): boolean;
  /** The client has made the windows of all its streams so much larger. False where one would be too large. */
  widenAll(bytes: number): boolean;
  sweep(now: number): void;
  /** The connection is over. */
  abandonAll(): void;
};

export const createStreams = (host: Host): Streams => {
  const state = createStreamsState(host);
  const { open } = state;
  return {
    get size() {
      return open.size;
    },
    lastId: () => state.lastId,
    hasMoved: () => hasMoved(state),
    refuseAbove: (id) => {
      state.lastServed = id;
    },
    onHeaders: (id, headers, ended) => onHeaders(state, id, headers, ended),
    beginData: (frame) => beginData(state, frame),
    onData: (frame, bytes, last) => onData(state, frame, bytes, last),
    onReset: (id) => onReset(state, id),
    onWindowUpdate: (id, increment) => onWindowUpdate(state, id, increment),
    widenAll: (bytes) => [...open.values()].every(({ out }) => host.outbox.widen(out, bytes)),
    sweep: (now) => {
      for (const { handler } of [...open.values()]) handler?.sweep(now);
    },
    abandonAll: () => {
      for (const stream of [...open.values()]) abandon(state, stream);
    },
  };
};

const hasMoved = (state: StreamsState): boolean => {
  const { moved } = state;
  state.moved = false;
  return moved;
};

const onHeaders = (
  state: StreamsState,
  id: number,
  headers: readonly Header[] | undefined,
  ended: boolean,
): boolean => {
  const { host, lastId, open, resetByUs } = state;
  const stream = open.get(id);
  if (stream === undefined && id <= lastId) {
    return resetByUs.forget(id) ? true : host.fail(http2.STREAM_CLOSED, "HEADERS on a stream that is closed");
  }
  if (headers === undefined) {
    state.lastId = Math.max(lastId, id);
    resetStream(state, id, http2.ENHANCE_YOUR_CALM);
    return host.idle();
  }
  if (stream === undefined) return openStream(state, id, headers, ended);
  if (stream.remoteEnded) return host.fail(http2.STREAM_CLOSED, "HEADERS on a stream that the client has ended");
  return ended && areTrailers(headers) ? endRemote(state, stream) : refuseStream(state, id, http2.PROTOCOL_ERROR);
};

const beginData = (state: StreamsState, frame: FrameHead): boolean => {
  const { host, open } = state;
  const { flags, length, stream: id } = frame;
  host.intake.take(length);
  const stream = open.get(id);
  if (stream === undefined) return beginLateData(state, frame);
  if (stream.remoteEnded) return refuseStream(state, id, http2.STREAM_CLOSED);
  if (!host.intake.takeOf(stream.inflow, length)) return refuseStream(state, id, http2.FLOW_CONTROL_ERROR);
  return length > 0 || (flags & http2.END_STREAM) !== 0 || host.idle();
};

/** What was on its way to a stream when we reset it is no fault of the client. */
const beginLateData = (state: StreamsState, frame: FrameHead): boolean => {
  const wasOnItsWay = state.resetByUs.take(frame);
  if (wasOnItsWay === undefined) resetStream(state, frame.stream, http2.STREAM_CLOSED);
  return wasOnItsWay === true || state.host.idle();
};

const onData = (state: StreamsState, { flags, stream: id }: FrameHead, bytes: Buffer, last: boolean): boolean => {
  const stream = state.open.get(id);
  if (stream !== undefined) {
    stream.received += bytes.length;
    if (bytes.length > 0) {
      state.moved = true;
      stream.handler?.data(bytes);
    }
  }
  if (!last) return true;
  // what was taken with the frame is given back at its end
  state.host.intake.giveBack();
  if (stream === undefined || state.open.get(id) !== stream) return true;
  if ((flags & http2.END_STREAM) !== 0) return endRemote(state, stream);
  giveBack(state, stream);
  return true;
};

const onReset = (state: StreamsState, id: number): boolean => {
  const stream = state.open.get(id);
  if (stream === undefined) return state.resetByUs.forget(id) || state.host.idle();
  abandon(state, stream);
  return state.host.resets();
};

const onWindowUpdate = (state: StreamsState, id: number, increment: number): boolean => {
  const { fail, outbox } = state.host;
  const stream = state.open.get(id);
  if (id !== 0 && stream === undefined) return true;
  if (increment === 0) {
    if (id === 0) return fail(http2.PROTOCOL_ERROR, "WINDOW_UPDATE by 0");
    return refuseStream(state, id, http2.PROTOCOL_ERROR);
  }
  if (!outbox.widen(stream?.out, increment)) {
    if (id === 0) return fail(http2.FLOW_CONTROL_ERROR, "a window above 2^31-1");
    return refuseStream(state, id, http2.FLOW_CONTROL_ERROR);
  }
  if (id === 0) outbox.resume();
  return true;
};
