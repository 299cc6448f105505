import type { Socket } from "node:net";
import { createControl } from "./control.ts";
import { dependsOnItself, faultOf, unpadded } from "./frame-rules.ts";
import { createFrameReader, type FrameHead } from "./frames.ts";
import { createHeaderBlock } from "./header-block.ts";
import { createHeaderEncoder } from "./header-encoder.ts";
import type { Header } from "./header-table.ts";
import { createHpackDecoder } from "./hpack.ts";
import { createOutbox, type Outgoing } from "./outbox.ts";
import { createPreface } from "./preface.ts";
import * as http2 from "./protocol.ts";
import { createRate } from "./rate.ts";
import { areTrailers, type RequestHead, readRequestHead } from "./request-head.ts";
import { defaultClientSettings, readSettings, writeSettings } from "./settings.ts";
import type { Connection, OnRequest, Stream, StreamHandler } from "./types.ts";
import { createFrameWriter } from "./writer.ts";

export type ConnectionOptions = {
  /** Streams that may be open at a time; one more is refused, and the client may try it again. */
  maxConcurrentStreams: number;
  /** A connection that is silent for so long is asked for a sign of life ... */
  keepaliveMs: number;
  /** ... and closed where none comes within this. */
  keepaliveTimeoutMs: number;
  /** Milliseconds, never going back. */
  now(): number;
};

/** What a client may send before it must wait for what takes it, in bytes: of a stream, and of all. */
const STREAM_WINDOW = 1024 ** 2;
const CONNECTION_WINDOW = 16 * STREAM_WINDOW;
const HEADER_LIST_BYTES = 16_384;
/** The preface and the header blocks must come within this. */
const HEAD_MS = 10_000;
/** A client that is told of an error, or that is done, may take this long to close. */
const LINGER_MS = 1000;
/** Clients acknowledge a ping before they have told their calls of the GOAWAY that came with it. */
const SETTLE_MS = 100;
/** Reading stops where answers to frames that the client sends pile up. */
const MOST_UNSENT_BYTES = 2 * 1024 ** 2;
/** A client may take calls back that were not answered, but not always: to open and reset streams is cheaper for it than for us. */
const RESETS = { burst: 1000, perSecond: 500 };
/** Frames that move nothing: pings, settings, priorities, empty data, frames of streams that are closed. */
const IDLE_FRAMES = { burst: 10_000, perSecond: 1000 };
/** So many streams that we have reset are remembered: of those the client may not know it yet. */
const RESET_BY_US = 1024;
/** The ping that asks whether the client has heard of GOAWAY, and the one that asks for a sign of life. */
const LEAVE_PING = Buffer.from("leaving.");
const ALIVE_PING = Buffer.from("alive...");

type Open = {
  handler: StreamHandler | undefined;
  out: Outgoing;
  /** What the client may still send, and what of it we have taken since we last gave it back. */
  window: number;
  taken: number;
  paused: boolean;
  remoteEnded: boolean;
  expected: number | undefined;
  received: number;
};

/** Serves HTTP/2 (RFC 9113) without TLS on a socket. It must be swept about once a second. */
export const serveHttp2 = (socket: Socket, options: ConnectionOptions, onRequest: OnRequest): Connection => {
  const { now } = options;
  const writer = createFrameWriter(socket);
  const control = createControl(writer);
  const outbox = createOutbox(writer);
  const decoder = createHpackDecoder({ tableBytes: 4096, listBytes: HEADER_LIST_BYTES });
  const encoder = createHeaderEncoder();
  const client = defaultClientSettings();
  const streams = new Map<number, Open>();
  const mayReset = createRate(RESETS);
  const mayIdle = createRate(IDLE_FRAMES);
  const preface = createPreface();
  const headerBlock = createHeaderBlock();
  /** The streams that we have reset of late, and what their clients may still have on the way, in bytes. */
  const resetByUs = new Map<number, number>();
  let settled = false;
  let lastId = 0;
  /** The last stream that is served, once clients were told. */
  let lastServed = http2.MOST_WINDOW;
  let window = CONNECTION_WINDOW;
  let taken = 0;
  /** Part of a request or an answer, since the last ping. */
  let moved = false;
  let over = false;
  let leaving = false;
  let heard = now();
  let asked = 0;
  /** What the kernel had of our bytes when it last took some, and when that was. */
  let lastTaken = 0;
  let takenAt = heard;
  /** When a header block or the preface must be there. */
  let headDue = now() + HEAD_MS;
  /** When the last calls end that a client has which was told to go away, and when we stop to wait for its GOAWAY. */
  let graceDue = Number.POSITIVE_INFINITY;
  let leaveDue = Number.POSITIVE_INFINITY;
  let lingerDue = Number.POSITIVE_INFINITY;

  /** `hasTime`: until its grace ends, to take what it was sent. */
  const close = (hasTime = false): void => {
    if (over) return;
    over = true;
    for (const stream of [...streams.values()]) abandon(stream);
    writer.close();
    socket.end();
    if (socket.isPaused()) socket.resume();
    if (!hasTime) lingerDue = now() + LINGER_MS;
    else if (socket.writableFinished) linger();
    else socket.once("finish", linger);
  };
  const linger = (): void => {
    lingerDue = now() + LINGER_MS;
  };
  /** The connection cannot go on. Always false, as what it ends says that nothing more is read. */
  const fail = (code: number, reason: string): false => {
    if (!over) control.goAway(lastId, code, reason);
    close();
    return false;
  };
  const idle = (): boolean => mayIdle(now()) || fail(http2.ENHANCE_YOUR_CALM, "too many frames that move nothing");
  const resets = (): boolean => mayReset(now()) || fail(http2.ENHANCE_YOUR_CALM, "too many streams that were reset");

  const forget = (stream: Open): void => {
    outbox.forget(stream.out);
    streams.delete(stream.out.id);
    if (leaving && streams.size === 0 && lastServed < http2.MOST_WINDOW) close(true);
  };
  const abandon = (stream: Open): void => {
    forget(stream);
    const { handler } = stream;
    stream.handler = undefined;
    handler?.closed();
  };
  const resetStream = (id: number, code: number): void => {
    control.reset(id, code);
    for (const oldest of resetByUs.keys()) {
      if (resetByUs.size < RESET_BY_US) break;
      resetByUs.delete(oldest);
    }
    const stream = streams.get(id);
    resetByUs.set(id, stream?.window ?? STREAM_WINDOW);
    if (stream !== undefined) abandon(stream);
  };
  /** For what a client does wrong with a call: it must not be a cheaper way to end many than to reset them. */
  const refuseStream = (id: number, code: number): boolean => {
    resetStream(id, code);
    return resets();
  };

  /** Gives back what was taken, in pieces that are worth a frame. */
  const giveBack = (stream: Open | undefined): void => {
    if (taken >= CONNECTION_WINDOW / 4) {
      control.windowUpdate(0, taken);
      window += taken;
      taken = 0;
    }
    if (stream === undefined || stream.paused || stream.remoteEnded || stream.taken < STREAM_WINDOW / 4) return;
    control.windowUpdate(stream.out.id, stream.taken);
    stream.window += stream.taken;
    stream.taken = 0;
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
      room: () => outbox.room(out),
      end: (trailers) => {
        if (isOpen()) outbox.trailers(out, () => encoder.encode(trailers));
      },
      reset: (code) => {
        if (isOpen()) resetStream(out.id, code);
      },
      pause: () => {
        stream.paused = true;
      },
      resume: () => {
        stream.paused = false;
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

  const open = (id: number, list: readonly Header[], ended: boolean): boolean => {
    lastId = id;
    if (id > lastServed || streams.size >= options.maxConcurrentStreams) {
      resetStream(id, http2.REFUSED_STREAM);
      return idle();
    }
    const head: RequestHead | string = readRequestHead(list);
    if (typeof head === "string") {
      resetStream(id, http2.PROTOCOL_ERROR);
      return idle();
    }
    const stream: Open = {
      handler: undefined,
      out: {
        id,
        window: client.initialWindow,
        queue: [],
        queued: 0,
        sent: 0,
        trailers: undefined,
        ended: () => undefined,
        drained: () => stream.handler?.drained(),
      },
      window: STREAM_WINDOW,
      taken: 0,
      paused: false,
      remoteEnded: ended,
      expected: head.contentLength,
      received: 0,
    };
    streams.set(id, stream);
    const handler = onRequest(head, answerSide(stream));
    // it may have been answered at once
    if (streams.get(id) !== stream) return true;
    stream.handler = handler;
    return !ended || endRemote(stream);
  };

  const onHeaders = (id: number, block: Buffer, ended: boolean): boolean => {
    const decoded = decoder.decode(block);
    if (decoded === undefined) return fail(http2.COMPRESSION_ERROR, "a header block is damaged");
    const stream = streams.get(id);
    if (stream === undefined && id <= lastId) {
      return resetByUs.delete(id) ? true : fail(http2.STREAM_CLOSED, "HEADERS of a stream that is closed");
    }
    if (decoded.tooLarge) {
      lastId = Math.max(lastId, id);
      resetStream(id, http2.ENHANCE_YOUR_CALM);
      return idle();
    }
    if (stream === undefined) return open(id, decoded.headers, ended);
    if (stream.remoteEnded) return fail(http2.STREAM_CLOSED, "HEADERS of a stream that the client has ended");
    return ended && areTrailers(decoded.headers) ? endRemote(stream) : refuseStream(id, http2.PROTOCOL_ERROR);
  };

  // The frame that is being read.
  let frame: FrameHead = { length: 0, type: 0, flags: 0, stream: 0 };
  let parts: Buffer[] = [];
  // The stream whose header block is being read, and whether it ends with it.
  let blockOf = 0;
  let blockEnds = false;

  const takeBlock = (bytes: Buffer): boolean => {
    const last = (frame.flags & http2.END_HEADERS) !== 0;
    const block = headerBlock.take(bytes, last);
    if (block === "too large") return fail(http2.ENHANCE_YOUR_CALM, "a header block that is too large");
    if (block === undefined) {
      blockOf = frame.stream;
      return true;
    }
    blockOf = 0;
    return onHeaders(frame.stream, block, blockEnds);
  };

  const onData = (bytes: Buffer, last: boolean): boolean => {
    const stream = streams.get(frame.stream);
    if (stream !== undefined) {
      stream.received += bytes.length;
      if (bytes.length > 0) {
        moved = true;
        stream.handler?.data(bytes);
      }
    }
    if (!last) return true;
    // what was taken with the frame is given back at its end
    const ended = (frame.flags & http2.END_STREAM) !== 0;
    const isOpen = stream !== undefined && streams.get(frame.stream) === stream;
    giveBack(isOpen && !ended ? stream : undefined);
    return isOpen && ended ? endRemote(stream) : true;
  };

  const onWindowUpdate = (payload: Buffer): boolean => {
    const increment = payload.readUInt32BE() % 2 ** 31;
    const { stream: id } = frame;
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
  };

  const onSettings = (payload: Buffer): boolean => {
    settled = true;
    if ((frame.flags & http2.ACK) !== 0) return idle();
    const before = client.initialWindow;
    const fault = readSettings(payload, client);
    if (fault !== undefined) return fail(fault.code, fault.reason);
    control.settings(http2.ACK);
    encoder.resize(client.headerTableBytes);
    outbox.setFrameBytes(client.frameBytes);
    for (const { out } of [...streams.values()]) {
      if (!outbox.widen(out, client.initialWindow - before))
        return fail(http2.FLOW_CONTROL_ERROR, "a window above 2^31-1");
    }
    return idle();
  };

  const onPing = (payload: Buffer): boolean => {
    if ((frame.flags & http2.ACK) === 0) control.ping(http2.ACK, payload);
    else if (leaving && LEAVE_PING.equals(payload)) setTimeout(leaveNow, SETTLE_MS).unref();
    // clients measure how fast data flow by a ping after each piece of them
    const free = moved;
    moved = false;
    return free || idle();
  };

  const onReset = (): boolean => {
    const stream = streams.get(frame.stream);
    if (stream === undefined) return resetByUs.delete(frame.stream) || idle();
    abandon(stream);
    return resets();
  };

  /** What was on its way to a stream when we reset it is no fault of the client. */
  const beginLateData = (): boolean => {
    const left = resetByUs.get(frame.stream);
    if (left === undefined) {
      resetStream(frame.stream, http2.STREAM_CLOSED);
      return idle();
    }
    if ((frame.flags & http2.END_STREAM) !== 0) resetByUs.delete(frame.stream);
    else resetByUs.set(frame.stream, left - frame.length);
    return (left >= frame.length && frame.length > 0) || idle();
  };

  /** DATA counts when it begins, whatever its stream does with it: our side of the windows must be the client's. */
  const beginData = (): boolean => {
    window -= frame.length;
    taken += frame.length;
    const stream = streams.get(frame.stream);
    if (stream === undefined) return beginLateData();
    if (stream.remoteEnded) return refuseStream(frame.stream, http2.STREAM_CLOSED);
    if (frame.length > stream.window) return refuseStream(frame.stream, http2.FLOW_CONTROL_ERROR);
    stream.window -= frame.length;
    stream.taken += frame.length;
    return frame.length > 0 || (frame.flags & http2.END_STREAM) !== 0 || idle();
  };

  const onFrame = (payload: Buffer): boolean => {
    switch (frame.type) {
      case http2.DATA: {
        const data = unpadded(payload, frame.flags);
        return data === undefined ? fail(http2.PROTOCOL_ERROR, "more padding than payload") : onData(data, true);
      }
      case http2.HEADERS: {
        const fields = unpadded(payload, frame.flags);
        const skip = (frame.flags & http2.WITH_PRIORITY) === 0 ? 0 : 5;
        if (fields === undefined || fields.length < skip) {
          return fail(http2.PROTOCOL_ERROR, "more padding than payload");
        }
        if (skip > 0 && dependsOnItself(fields, frame.stream)) {
          return fail(http2.PROTOCOL_ERROR, "a stream that depends on itself");
        }
        blockEnds = (frame.flags & http2.END_STREAM) !== 0;
        return takeBlock(fields.subarray(skip));
      }
      case http2.CONTINUATION:
        return takeBlock(payload);
      case http2.RST_STREAM:
        return onReset();
      case http2.SETTINGS:
        return onSettings(payload);
      case http2.PING:
        return onPing(payload);
      case http2.WINDOW_UPDATE:
        return onWindowUpdate(payload);
      case http2.PRIORITY:
        if (dependsOnItself(payload, frame.stream)) {
          return fail(http2.PROTOCOL_ERROR, "a stream that depends on itself");
        }
        return idle();
      case http2.GOAWAY:
        // it opens no more streams; those that are open are answered
        return idle();
      default:
        return idle();
    }
  };

  const read = createFrameReader({
    head: (head) => {
      frame = head;
      const fault = faultOf(head, { settled, blockOf, lastId, window });
      if (fault !== undefined) return fail(fault.code, fault.reason);
      return frame.type !== http2.DATA || beginData();
    },
    payload: (bytes, last) => {
      if (frame.type === http2.DATA && (frame.flags & http2.PADDED) === 0) return onData(bytes, last);
      if (!last) {
        parts.push(bytes);
        return true;
      }
      const whole = parts.length === 0 ? bytes : Buffer.concat([...parts, bytes]);
      parts = [];
      const goesOn = onFrame(whole);
      // the next frame has its own time
      if (settled && blockOf === 0) headDue = Number.POSITIVE_INFINITY;
      return goesOn;
    },
  });

  const leaveNow = (): void => {
    if (over || lastServed < http2.MOST_WINDOW) return;
    lastServed = lastId;
    control.goAway(lastServed, http2.NO_ERROR, "");
    if (streams.size === 0) close(true);
  };

  socket.on("data", (chunk: Buffer) => {
    if (over) return;
    heard = now();
    asked = 0;
    const frames = preface.whole() ? chunk : preface.take(chunk);
    if (frames === undefined) fail(http2.PROTOCOL_ERROR, "this port speaks HTTP/2");
    else if (frames.length > 0) read(frames);
    if (!settled || blockOf !== 0 || parts.length > 0) headDue = Math.min(headDue, heard + HEAD_MS);
    else headDue = Number.POSITIVE_INFINITY;
    if (!over && writer.unsent() > MOST_UNSENT_BYTES) socket.pause();
  });
  socket.on("drain", () => {
    if (socket.isPaused()) socket.resume();
    outbox.resume();
  });
  socket.on("error", () => socket.destroy());
  socket.once("end", () => close());
  socket.once("close", () => {
    over = true;
    for (const stream of [...streams.values()]) abandon(stream);
  });

  writer.push(
    writeSettings({
      concurrentStreams: options.maxConcurrentStreams,
      window: STREAM_WINDOW,
      headerListBytes: HEADER_LIST_BYTES,
    }),
  );
  control.windowUpdate(0, CONNECTION_WINDOW - http2.DEFAULT_WINDOW);

  return {
    leave: (graceMs) => {
      if (leaving || over) return;
      leaving = true;
      // RFC 9113, 6.8: streams that are on their way are served; when the ping is back there can be none.
      control.goAway(http2.MOST_WINDOW, http2.NO_ERROR, "");
      control.ping(0, LEAVE_PING);
      leaveDue = now() + LINGER_MS;
      graceDue = now() + graceMs;
    },
    sweep: (time) => {
      for (const { handler } of [...streams.values()]) handler?.sweep(time);
      if (time > Math.min(headDue, lingerDue, graceDue)) {
        socket.destroy();
        return;
      }
      if (time > leaveDue) leaveNow();
      const kernelHas = socket.bytesWritten - socket.writableLength;
      if (writer.unsent() === 0 || kernelHas !== lastTaken) {
        lastTaken = kernelHas;
        takenAt = time;
      } else if (time - takenAt > options.keepaliveMs + options.keepaliveTimeoutMs) {
        socket.destroy();
        return;
      }
      if (over || time - heard < options.keepaliveMs) return;
      if (asked === 0) {
        asked = time;
        control.ping(0, ALIVE_PING);
      } else if (time - asked > options.keepaliveTimeoutMs) socket.destroy();
    },
    destroy: () => socket.destroy(),
  };
};
