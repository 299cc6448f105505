import type { Socket } from "node:net";
import { type HeadLimits, SERVER_LIMITS } from "../http/request-rules.ts";
import { createPace, type Gate } from "../pace.ts";
import { createControl } from "./control.ts";
import { dependsOnItself, faultOf, unpadded } from "./frame-rules.ts";
import { createFrameReader, type FrameHead } from "./frames.ts";
import { createHeaderBlock } from "./header-block.ts";
import { createHeaderEncoder } from "./header-encoder.ts";
import { createHpackDecoder } from "./hpack.ts";
import { createOutbox } from "./outbox.ts";
import { createPreface } from "./preface.ts";
import * as http2 from "./protocol.ts";
import { createRate } from "./rate.ts";
import { defaultClientSettings, readSettings, writeSettings } from "./settings.ts";
import { CONNECTION_WINDOW, createStreams, STREAM_WINDOW } from "./streams.ts";
import type { Connection, OnRequest } from "./types.ts";
import { createFrameWriter } from "./writer.ts";

export type ConnectionOptions = {
  /** Streams that may be open at a time; one more is refused, and the client may try it again. */
  maxConcurrentStreams: number;
  /** Of a request's headers. Default: a server's behind a router. */
  headLimits?: HeadLimits;
  /** What a client may send of a stream before any of it was taken, in bytes, from 65535 on. Default: the most, 1 MiB. */
  firstWindow?: number;
  /** A connection that is silent for so long is asked for a sign of life ... */
  keepaliveMs: number;
  /** ... and closed where none comes within this. */
  keepaliveTimeoutMs: number;
  /** How the connection is read. Default: as it comes. */
  gate?: Gate;
  /** Milliseconds, never going back. */
  now(): number;
};

/** The preface and the header blocks must come within this. */
const HEAD_MS = 10_000;
/** A client that is told of an error, or that is done, may take this long to close. */
const LINGER_MS = 1000;
/** A client that does nothing wrong, but is slow, has this long to hear that it is to leave, and once more to close; gRPC in Go waits as long. */
const LEAVE_MS = 5000;
/** Clients acknowledge a ping before they have told their calls of the GOAWAY that came with it. */
const SETTLE_MS = 100;
/** Reading stops where answers to frames that the client sends pile up. */
const MOST_UNSENT_BYTES = 2 * 1024 ** 2;
/** A client may take calls back that were not answered, but not always: to open and reset streams is cheaper for it than for us. */
const RESETS = { burst: 1000, perSecond: 500 };
/** Frames that move nothing: pings, settings, priorities, empty data, frames of streams that are closed. */
const IDLE_FRAMES = { burst: 10_000, perSecond: 1000 };
/** The ping that asks whether the client has heard of GOAWAY, and the one that asks for a sign of life. */
const LEAVE_PING = Buffer.from("leaving.");
const ALIVE_PING = Buffer.from("alive...");

/** Serves HTTP/2 (RFC 9113) without TLS on a socket. It must be swept about once a second. */
export const serveHttp2 = (socket: Socket, options: ConnectionOptions, onRequest: OnRequest): Connection => {
  const { firstWindow = STREAM_WINDOW, gate = createPace()(socket), headLimits = SERVER_LIMITS, now } = options;
  const writer = createFrameWriter(socket);
  const control = createControl(writer);
  const outbox = createOutbox(writer);
  const decoder = createHpackDecoder({ tableBytes: 4096, listBytes: headLimits.bytes });
  const encoder = createHeaderEncoder();
  const client = defaultClientSettings();
  const mayReset = createRate(RESETS);
  const mayIdle = createRate(IDLE_FRAMES);
  const preface = createPreface();
  const headerBlock = createHeaderBlock();
  let settled = false;
  let over = false;
  let leaving = false;
  /** Which stream is the last that is served. */
  let toldToLeave = false;
  let heard = now();
  let idleSince = heard;
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
    streams.abandonAll();
    writer.close();
    socket.end();
    gate.resume();
    if (!hasTime) lingerDue = now() + LINGER_MS;
    else if (socket.writableFinished) linger();
    else socket.once("finish", linger);
  };
  const linger = (): void => {
    lingerDue = now() + LEAVE_MS;
  };
  /** The connection cannot go on. Always false, as what it ends says that nothing more is read. */
  const fail = (code: number, reason: string): false => {
    if (!over) control.goAway(streams.lastId(), code, reason);
    close();
    return false;
  };
  const idle = (): boolean => mayIdle(now()) || fail(http2.ENHANCE_YOUR_CALM, "too many frames that carry nothing");
  const resets = (): boolean => mayReset(now()) || fail(http2.ENHANCE_YOUR_CALM, "too many streams that were reset");

  const streams = createStreams({
    ...{ control, outbox, encoder, client, onRequest, fail, idle, resets },
    ...{ firstWindow, headLimits },
    maxConcurrentStreams: options.maxConcurrentStreams,
    gone: () => {
      if (streams.size === 0) idleSince = now();
      if (toldToLeave && streams.size === 0) close(true);
    },
  });

  const onHeaders = (id: number, block: Buffer, ended: boolean): boolean => {
    const decoded = decoder.decode(block);
    if (decoded === undefined) return fail(http2.COMPRESSION_ERROR, "a header block is damaged");
    return streams.onHeaders(id, decoded.tooLarge ? undefined : decoded.headers, ended);
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

  const onSettings = (payload: Buffer): boolean => {
    settled = true;
    if ((frame.flags & http2.ACK) !== 0) return idle();
    const before = client.initialWindow;
    const fault = readSettings(payload, client);
    if (fault !== undefined) return fail(fault.code, fault.reason);
    control.settings(http2.ACK);
    encoder.resize(client.headerTableBytes);
    outbox.setFrameBytes(client.frameBytes);
    if (!streams.widenAll(client.initialWindow - before)) {
      return fail(http2.FLOW_CONTROL_ERROR, "a window above 2^31-1");
    }
    return idle();
  };

  const onPing = (payload: Buffer): boolean => {
    if ((frame.flags & http2.ACK) === 0) control.ping(http2.ACK, payload);
    else if (leaving && LEAVE_PING.equals(payload)) setTimeout(leaveNow, SETTLE_MS).unref();
    // clients measure how fast data flow by a ping after each piece of them
    return streams.hasMoved() || idle();
  };

  const onFrame = (payload: Buffer): boolean => {
    switch (frame.type) {
      case http2.DATA: {
        const data = unpadded(payload, frame.flags);
        return data === undefined
          ? fail(http2.PROTOCOL_ERROR, "more padding than payload")
          : streams.onData(frame, data, true);
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
        return streams.onReset(frame.stream);
      case http2.SETTINGS:
        return onSettings(payload);
      case http2.PING:
        return onPing(payload);
      case http2.WINDOW_UPDATE:
        return streams.onWindowUpdate(frame.stream, payload.readUInt32BE() % 2 ** 31);
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
      const fault = faultOf(head, { settled, blockOf, lastId: streams.lastId(), window: streams.window() });
      if (fault !== undefined) return fail(fault.code, fault.reason);
      return frame.type !== http2.DATA || streams.beginData(frame);
    },
    payload: (bytes, last) => {
      if (frame.type === http2.DATA && (frame.flags & http2.PADDED) === 0) return streams.onData(frame, bytes, last);
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
    if (over || toldToLeave) return;
    toldToLeave = true;
    streams.refuseAbove(streams.lastId());
    control.goAway(streams.lastId(), http2.NO_ERROR, "");
    if (streams.size === 0) close(true);
  };

  socket.on("data", (chunk: Buffer) => {
    gate.read(chunk.length);
    if (over) return;
    heard = now();
    asked = 0;
    const frames = preface.whole() ? chunk : preface.take(chunk);
    if (frames === undefined) fail(http2.PROTOCOL_ERROR, "this port speaks HTTP/2");
    else if (frames.length > 0) read(frames);
    if (!settled || blockOf !== 0 || parts.length > 0) headDue = Math.min(headDue, heard + HEAD_MS);
    else headDue = Number.POSITIVE_INFINITY;
    if (!over && writer.unsent() > MOST_UNSENT_BYTES) gate.pause();
  });
  socket.on("drain", () => {
    gate.resume();
    outbox.resume();
  });
  socket.on("error", () => socket.destroy());
  socket.once("end", () => close());
  socket.once("close", () => {
    over = true;
    gate.close();
    streams.abandonAll();
  });

  writer.push(
    writeSettings({
      concurrentStreams: options.maxConcurrentStreams,
      window: firstWindow,
      headerListBytes: headLimits.bytes,
    }),
  );
  control.windowUpdate(0, CONNECTION_WINDOW - http2.DEFAULT_WINDOW);
  gate.resume();

  return {
    leave: (graceMs) => {
      if (leaving || over) return;
      leaving = true;
      // RFC 9113, 6.8: streams that are on their way are served; when the ping is back there can be none.
      control.goAway(http2.MOST_WINDOW, http2.NO_ERROR, "");
      control.ping(0, LEAVE_PING);
      leaveDue = now() + LEAVE_MS;
      graceDue = now() + graceMs;
    },
    sweep: (time) => {
      streams.sweep(time);
      // what waits for its turn is not late
      if (gate.waits()) headDue = Math.max(headDue, time + HEAD_MS);
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
    waiting: () => writer.unsent() + outbox.queued(),
    idleSince: () => (streams.size === 0 && blockOf === 0 && !gate.waits() ? idleSince : undefined),
    destroy: () => socket.destroy(),
  };
};
