/** The requests of one connection: their bodies within flow control, their answering sides, and what was reset of late. */
import type { HeadLimits } from "../http/request-rules.ts";
import type { Control } from "./control.ts";
import { areTrailers } from "./field-rules.ts";
import type { FrameHead } from "./frames.ts";
import type { HeaderEncoder } from "./header-encoder.ts";
import type { Header } from "./header-table.ts";
import type { Inflow, Intake } from "./intake.ts";
import { type Outbox, type Outgoing, outgoingOf } from "./outbox.ts";
import * as http2 from "./protocol.ts";
import { headerOf, type RefusedHead, readRequestHead } from "./request-head.ts";
import { createResetByUs } from "./reset-by-us.ts";
import type { PeerSettings } from "./settings.ts";
import type { OnRequest, Stream, StreamHandler } from "./types.ts";

const EMPTY = Buffer.alloc(0);

/** What streams ask of their connection. The functions that give a boolean say whether it goes on. */
export type Host = {
  control: Control;
  outbox: Outbox;
  intake: Intake;
  encoder: HeaderEncoder;
  client: PeerSettings;
  maxConcurrentStreams: number;
  /** What a client may send of a stream at first, in bytes; it grows up to STREAM_WINDOW as that is taken. */
  firstWindow: number;
  headLimits: HeadLimits;
  onRequest: OnRequest;
  /** Ends the connection: always false. */
  fail(code: number, reason: string): false;
  /** Counts a frame that moved nothing. */
  idle(): boolean;
  /** Counts a stream that was reset. */
  resets(): boolean;
  /** Writes what there is now. Whether nothing of the connection waits any more. */
  flush(): boolean;
  /** A stream is gone. */
  gone(): void;
};

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

type Open = {
  handler: StreamHandler | undefined;
  out: Outgoing;
  inflow: Inflow;
  remoteEnded: boolean;
  expected: number | undefined;
  received: number;
};

export const createStreams = (host: Host): Streams => {
  const { control, outbox, intake, encoder, client, fail, idle, resets } = host;
  const streams = new Map<number, Open>();
  const resetByUs = createResetByUs();
  let lastId = 0;
  let lastServed = http2.MOST_WINDOW;
  let moved = false;

  const abandon = (stream: Open): void => {
    outbox.forget(stream.out);
    streams.delete(stream.out.id);
    host.gone();
    const { handler } = stream;
    stream.handler = undefined;
    handler?.closed();
  };
  const resetStream = (id: number, code: number): void => {
    control.reset(id, code);
    const stream = streams.get(id);
    resetByUs.add(id, stream?.inflow.window ?? host.firstWindow);
    if (stream !== undefined) abandon(stream);
  };
  /** For what a client does wrong with a call: it must not be a cheaper way to end many than to reset them. */
  const refuseStream = (id: number, code: number): boolean => {
    resetStream(id, code);
    return resets();
  };

  const giveBack = ({ inflow, out, remoteEnded }: Open): void => {
    if (!remoteEnded) intake.giveBackOf(out.id, inflow);
  };

  const answerSide = (stream: Open): Stream => {
    const { out } = stream;
    const isOpen = (): boolean => streams.get(out.id) === stream;
    const ended = (): void => {
      // an answer that came before the end of the request: the client need not send the rest
      if (stream.remoteEnded) abandon(stream);
      else resetStream(out.id, http2.NO_ERROR);
    };
    out.ended = ended;
    return {
      headers: (headers, last) => {
        if (!isOpen()) return;
        outbox.headers(out.id, encoder.encode(headers), last ? http2.END_STREAM : 0);
        if (last) ended();
      },
      write: (...pieces) => {
        moved = true;
        if (isOpen()) outbox.data(out, pieces);
      },
      queued: () => out.queued,
      flush: () => host.flush() && out.queued === 0,
      room: () => outbox.room(out),
      end: (trailers) => {
        if (isOpen()) outbox.trailers(out, () => encoder.encode(trailers));
      },
      reset: (code) => {
        if (isOpen()) resetStream(out.id, code);
      },
      pause: () => {
        stream.inflow.paused = true;
      },
      resume: () => {
        stream.inflow.paused = false;
        if (isOpen()) giveBack(stream);
      },
    };
  };

  const endRemote = (stream: Open): boolean => {
    if (stream.expected !== undefined && stream.expected !== stream.received) {
      return refuseStream(stream.out.id, http2.PROTOCOL_ERROR);
    }
    stream.remoteEnded = true;
    stream.handler?.end();
    return true;
  };

  /** Answers what is no request, and ends its stream. What does not fit into the client's windows is left out. */
  const refuse = (id: number, list: readonly Header[], refused: RefusedHead, ended: boolean): boolean => {
    const { error, malformed, status } = refused;
    const body = Buffer.from(JSON.stringify({ error }));
    const out = outgoingOf(id, client.initialWindow, () => undefined);
    const fits = outbox.room(out) >= body.length && headerOf(list, ":method") !== "HEAD";
    const headers: Header[] = [[":status", String(status)]];
    if (fits) headers.push(["content-type", "application/json"], ["content-length", String(body.length)]);
    outbox.headers(id, encoder.encode(headers), fits ? 0 : http2.END_STREAM);
    if (fits) {
      outbox.data(out, [body]);
      outbox.trailers(out, () => EMPTY);
    }
    if (malformed || !ended) resetStream(id, malformed ? http2.PROTOCOL_ERROR : http2.NO_ERROR);
    return idle();
  };

  const open = (id: number, list: readonly Header[], ended: boolean): boolean => {
    lastId = id;
    if (id > lastServed || streams.size >= host.maxConcurrentStreams) {
      resetStream(id, http2.REFUSED_STREAM);
      return idle();
    }
    const head = readRequestHead(list, host.headLimits.fields);
    if ("error" in head) return refuse(id, list, head, ended);
    const stream: Open = {
      handler: undefined,
      out: outgoingOf(id, client.initialWindow, () => stream.handler?.drained()),
      inflow: intake.open(host.firstWindow),
      remoteEnded: ended,
      expected: head.contentLength,
      received: 0,
    };
    streams.set(id, stream);
    if (head.expectContinue && !ended) outbox.headers(id, encoder.encode([[":status", "100"]]), 0);
    const handler = host.onRequest(head, answerSide(stream));
    if (streams.get(id) !== stream) {
      // it was answered at once
      handler.closed();
      return true;
    }
    stream.handler = handler;
    return !ended || endRemote(stream);
  };

  /** What was on its way to a stream when we reset it is no fault of the client. */
  const beginLateData = (frame: FrameHead): boolean => {
    const wasOnItsWay = resetByUs.take(frame);
    if (wasOnItsWay === undefined) resetStream(frame.stream, http2.STREAM_CLOSED);
    return wasOnItsWay === true || idle();
  };

  return {
    get size() {
      return streams.size;
    },
    lastId: () => lastId,
    hasMoved() {
      const before = moved;
      moved = false;
      return before;
    },
    refuseAbove(id) {
      lastServed = id;
    },
    onHeaders(id, headers, ended) {
      const stream = streams.get(id);
      if (stream === undefined && id <= lastId) {
        return resetByUs.forget(id) ? true : fail(http2.STREAM_CLOSED, "HEADERS on a stream that is closed");
      }
      if (headers === undefined) {
        lastId = Math.max(lastId, id);
        resetStream(id, http2.ENHANCE_YOUR_CALM);
        return idle();
      }
      if (stream === undefined) return open(id, headers, ended);
      if (stream.remoteEnded) return fail(http2.STREAM_CLOSED, "HEADERS on a stream that the client has ended");
      return ended && areTrailers(headers) ? endRemote(stream) : refuseStream(id, http2.PROTOCOL_ERROR);
    },
    beginData(frame) {
      const { flags, length, stream: id } = frame;
      intake.take(length);
      const stream = streams.get(id);
      if (stream === undefined) return beginLateData(frame);
      if (stream.remoteEnded) return refuseStream(id, http2.STREAM_CLOSED);
      if (!intake.takeOf(stream.inflow, length)) return refuseStream(id, http2.FLOW_CONTROL_ERROR);
      return length > 0 || (flags & http2.END_STREAM) !== 0 || idle();
    },
    onData({ flags, stream: id }, bytes, last) {
      const stream = streams.get(id);
      if (stream !== undefined) {
        stream.received += bytes.length;
        if (bytes.length > 0) {
          moved = true;
          stream.handler?.data(bytes);
        }
      }
      if (!last) return true;
      // what was taken with the frame is given back at its end
      const ended = (flags & http2.END_STREAM) !== 0;
      const isOpen = stream !== undefined && streams.get(id) === stream;
      intake.giveBack();
      if (isOpen && !ended) giveBack(stream);
      return isOpen && ended ? endRemote(stream) : true;
    },
    onReset(id) {
      const stream = streams.get(id);
      if (stream === undefined) return resetByUs.forget(id) || idle();
      abandon(stream);
      return resets();
    },
    onWindowUpdate(id, increment) {
      const stream = streams.get(id);
      if (id !== 0 && stream === undefined) return true;
      if (increment === 0) {
        if (id === 0) return fail(http2.PROTOCOL_ERROR, "WINDOW_UPDATE by 0");
        return refuseStream(id, http2.PROTOCOL_ERROR);
      }
      if (!outbox.widen(stream?.out, increment)) {
        if (id === 0) return fail(http2.FLOW_CONTROL_ERROR, "a window above 2^31-1");
        return refuseStream(id, http2.FLOW_CONTROL_ERROR);
      }
      if (id === 0) outbox.resume();
      return true;
    },
    widenAll: (bytes) => [...streams.values()].every(({ out }) => outbox.widen(out, bytes)),
    sweep(now) {
      for (const { handler } of [...streams.values()]) handler?.sweep(now);
    },
    abandonAll() {
      for (const stream of [...streams.values()]) abandon(stream);
    },
  };
};
