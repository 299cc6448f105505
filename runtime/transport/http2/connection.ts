import type { Socket } from "node:net";
import { type HeadLimits, SERVER_LIMITS } from "../http/request-rules.ts";
import { createPace, type Gate } from "../pace.ts";
import { IDLE_FRAMES, LINGER_MS, MOST_UNSENT_BYTES } from "./bounds.ts";
import { createControl } from "./control.ts";
import { createHeaderEncoder } from "./header-encoder.ts";
import { createIncoming } from "./incoming.ts";
import { CONNECTION_WINDOW, createIntake, STREAM_WINDOW } from "./intake.ts";
import { createOutbox } from "./outbox.ts";
import { createPreface } from "./preface.ts";
import * as http2 from "./protocol.ts";
import { createRate } from "./rate.ts";
import { defaultPeerSettings, followSettings, writeSettings } from "./settings.ts";
import { createStreams } from "./streams.ts";
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
/** A client that does nothing wrong, but is slow, has this long to hear that it is to leave, and once more to close; gRPC in Go waits as long. */
const LEAVE_MS = 5000;
/** Clients acknowledge a ping before they have told their calls of the GOAWAY that came with it. */
const SETTLE_MS = 100;
/** A client may take calls back that were not answered, but not always: to open and reset streams is cheaper for it than for us. */
const RESETS = { burst: 1000, perSecond: 500 };
/** The ping that asks whether the client has heard of GOAWAY, and the one that asks for a sign of life. */
const LEAVE_PING = Buffer.from("leaving.");
const ALIVE_PING = Buffer.from("alive...");

/** Serves HTTP/2 (RFC 9113) without TLS on a socket. It must be swept about once a second. */
export const serveHttp2 = (socket: Socket, options: ConnectionOptions, onRequest: OnRequest): Connection => {
  const { firstWindow = STREAM_WINDOW, gate = createPace()(socket), headLimits = SERVER_LIMITS, now } = options;
  const writer = createFrameWriter(socket);
  const control = createControl(writer);
  const outbox = createOutbox(writer);
  const intake = createIntake(control);
  const encoder = createHeaderEncoder();
  const client = defaultPeerSettings();
  const mayReset = createRate(RESETS);
  const mayIdle = createRate(IDLE_FRAMES);
  const preface = createPreface();
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
    ...{ control, outbox, intake, encoder, client, onRequest, fail, idle, resets },
    ...{ firstWindow, headLimits },
    maxConcurrentStreams: options.maxConcurrentStreams,
    flush: () => {
      writer.flush();
      return writer.unsent() === 0;
    },
    gone: () => {
      if (streams.size === 0) idleSince = now();
      if (toldToLeave && streams.size === 0) close(true);
    },
  });

  const onSettings = (payload: Buffer): boolean => {
    const { widenAll } = streams;
    const fault = followSettings(payload, { settings: client, control, encoder, outbox, widenAll });
    return fault === undefined ? idle() : fail(fault.code, fault.reason);
  };

  const onPing = (isAnswer: boolean, payload: Buffer): boolean => {
    if (!isAnswer) control.ping(http2.ACK, payload);
    else if (leaving && LEAVE_PING.equals(payload)) setTimeout(leaveNow, SETTLE_MS).unref();
    // clients measure how fast data flow by a ping after each piece of them
    return streams.hasMoved() || idle();
  };

  const incoming = createIncoming({
    ...{ client: "they", listBytes: headLimits.bytes, lastId: streams.lastId, window: intake.window, fail, idle },
    ...{ beginData: streams.beginData, onData: streams.onData, onHeaders: streams.onHeaders },
    ...{ onReset: streams.onReset, onWindowUpdate: streams.onWindowUpdate, onSettings, onPing },
    // it opens no more streams; those that are open are answered
    onGoAway: idle,
    frameEnded: () => {
      // the next frame has its own time
      if (incoming.isSettled() && !incoming.isInBlock()) headDue = Number.POSITIVE_INFINITY;
    },
  });
  const isWithinHead = (): boolean => !incoming.isSettled() || incoming.isInBlock() || incoming.isInFrame();

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
    else if (frames.length > 0) incoming.read(frames);
    headDue = isWithinHead() ? Math.min(headDue, heard + HEAD_MS) : Number.POSITIVE_INFINITY;
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
    idleSince: () => (streams.size === 0 && !incoming.isInBlock() && !gate.waits() ? idleSince : undefined),
    destroy: () => socket.destroy(),
  };
};
