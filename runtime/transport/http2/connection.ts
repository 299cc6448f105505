import type { Socket } from "node:net";
import { type HeadLimits, SERVER_LIMITS } from "../http/request-rules.ts";
import { createPace, type Gate } from "../pace.ts";
import { IDLE_FRAMES, MOST_UNSENT_BYTES } from "./bounds.ts";
import {
  type ConnectionState,
  close,
  createConnectionState,
  fail,
  HEAD_MS,
  leave,
  leaveNow,
  onGone,
  onPong,
} from "./connection-state.ts";
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

/** A client may take calls back that were not answered, but not always: to open and reset streams is cheaper for it than for us. */
const RESETS = { burst: 1000, perSecond: 500 };
/** The ping that asks for a sign of life. */
const ALIVE_PING = Buffer.from("alive...");

/** Serves HTTP/2 (RFC 9113) without TLS on a socket. It must be swept about once a second. */
export const serveHttp2 = (socket: Socket, options: ConnectionOptions, onRequest: OnRequest): Connection => {
  const { firstWindow: window = STREAM_WINDOW, headLimits = SERVER_LIMITS, maxConcurrentStreams } = options;
  const state = createState(socket, options, onRequest);
  const { control, gate, outbox, writer } = state;
  socket.on("data", (chunk: Buffer) => onData(state, chunk));
  socket.on("drain", () => {
    gate.resume();
    outbox.resume();
  });
  socket.on("error", () => socket.destroy());
  socket.once("end", () => close(state, false));
  socket.once("close", () => onClose(state));
  writer.push(writeSettings({ concurrentStreams: maxConcurrentStreams, window, headerListBytes: headLimits.bytes }));
  control.windowUpdate(0, CONNECTION_WINDOW - http2.DEFAULT_WINDOW);
  gate.resume();
  return {
    leave: (graceMs) => leave(state, graceMs),
    sweep: (time) => sweep(state, options, time),
    waiting: () => writer.unsent() + outbox.queued(),
    idleSince: () => idleSince(state),
    destroy: () => socket.destroy(),
  };
};

const createState = (socket: Socket, options: ConnectionOptions, onRequest: OnRequest): ConnectionState => {
  const { firstWindow = STREAM_WINDOW, gate = createPace()(socket), headLimits = SERVER_LIMITS, now } = options;
  const writer = createFrameWriter(socket);
  const control = createControl(writer);
  const outbox = createOutbox(writer);
  const intake = createIntake(control);
  const encoder = createHeaderEncoder();
  const client = defaultPeerSettings();
  const onFault = (code: number, reason: string): false => fail(state, code, reason);
  const onIdle = (): boolean => idle(state);
  const streams = createStreams({
    ...{ control, outbox, intake, encoder, client, onRequest, firstWindow, headLimits },
    ...{ fail: onFault, idle: onIdle, resets: () => resets(state), gone: () => onGone(state) },
    maxConcurrentStreams: options.maxConcurrentStreams,
    flush: () => {
      writer.flush();
      return writer.unsent() === 0;
    },
  });
  const incoming = createIncoming({
    ...{ client: "they", listBytes: headLimits.bytes, lastId: streams.lastId, window: intake.window },
    ...{ beginData: streams.beginData, onData: streams.onData, onHeaders: streams.onHeaders },
    ...{ onReset: streams.onReset, onWindowUpdate: streams.onWindowUpdate, fail: onFault, idle: onIdle },
    onSettings: (payload) => onSettings(state, payload),
    onPing: (isAnswer, payload) => onPing(state, isAnswer, payload),
    // it opens no more streams; those that are open are answered
    onGoAway: onIdle,
    frameEnded: () => onFrameEnded(state),
  });
  const state: ConnectionState = createConnectionState({
    ...{ socket, gate, now, writer, control, outbox, encoder, client, streams, incoming },
    ...{ preface: createPreface(), mayIdle: createRate(IDLE_FRAMES), mayReset: createRate(RESETS) },
  });
  return state;
};

const idle = (state: ConnectionState): boolean =>
  state.mayIdle(state.now()) || fail(state, http2.ENHANCE_YOUR_CALM, "too many frames that carry nothing");

const resets = (state: ConnectionState): boolean =>
  state.mayReset(state.now()) || fail(state, http2.ENHANCE_YOUR_CALM, "too many streams that were reset");

const onSettings = (state: ConnectionState, payload: Buffer): boolean => {
  const { client, control, encoder, outbox, streams } = state;
  const { widenAll } = streams;
  const fault = followSettings(payload, { settings: client, control, encoder, outbox, widenAll });
  return fault === undefined ? idle(state) : fail(state, fault.code, fault.reason);
};

const onPing = (state: ConnectionState, isAnswer: boolean, payload: Buffer): boolean => {
  if (isAnswer) onPong(state, payload);
  else state.control.ping(http2.ACK, payload);
  // clients measure how fast data flow by a ping after each piece of them
  return state.streams.hasMoved() || idle(state);
};

/** The next frame has its own time. */
const onFrameEnded = (state: ConnectionState): void => {
  if (state.incoming.isSettled() && !state.incoming.isInBlock()) state.headDue = Number.POSITIVE_INFINITY;
};

const onData = (state: ConnectionState, chunk: Buffer): void => {
  const { gate, incoming, preface, writer } = state;
  gate.read(chunk.length);
  if (isOver(state)) return;
  state.heard = state.now();
  state.asked = 0;
  const frames = preface.whole() ? chunk : preface.take(chunk);
  if (frames === undefined) fail(state, http2.PROTOCOL_ERROR, "this port speaks HTTP/2");
  else if (frames.length > 0) incoming.read(frames);
  state.headDue = isWithinHead(state) ? Math.min(state.headDue, state.heard + HEAD_MS) : Number.POSITIVE_INFINITY;
  if (!isOver(state) && writer.unsent() > MOST_UNSENT_BYTES) gate.pause();
};

const isOver = ({ phase }: ConnectionState): boolean => phase === "over";

const isWithinHead = ({ incoming }: ConnectionState): boolean =>
  !incoming.isSettled() || incoming.isInBlock() || incoming.isInFrame();

const onClose = (state: ConnectionState): void => {
  state.phase = "over";
  state.gate.close();
  state.streams.abandonAll();
};

const sweep = (state: ConnectionState, options: ConnectionOptions, time: number): void => {
  const { gate, socket, streams } = state;
  streams.sweep(time);
  // what waits for its turn is not late
  if (gate.waits()) state.headDue = Math.max(state.headDue, time + HEAD_MS);
  if (time > Math.min(state.headDue, state.lingerDue, state.graceDue)) {
    socket.destroy();
    return;
  }
  if (time > state.leaveDue) leaveNow(state);
  if (takesNothing(state, options, time)) socket.destroy();
  else if (!isOver(state)) keepAlive(state, options, time);
};

/** Whether its client has taken nothing of its answers for too long. */
const takesNothing = (
  state: ConnectionState,
  { keepaliveMs, keepaliveTimeoutMs }: ConnectionOptions,
  time: number,
): boolean => {
  const { lastTaken, socket, takenAt, writer } = state;
  const kernelHas = socket.bytesWritten - socket.writableLength;
  if (writer.unsent() > 0 && kernelHas === lastTaken) return time - takenAt > keepaliveMs + keepaliveTimeoutMs;
  state.lastTaken = kernelHas;
  state.takenAt = time;
  return false;
};

/** Asks a client that is silent for a sign of life, and ends the connection where none comes. */
const keepAlive = (
  state: ConnectionState,
  { keepaliveMs, keepaliveTimeoutMs }: ConnectionOptions,
  time: number,
): void => {
  const { asked, control, heard, socket } = state;
  if (time - heard < keepaliveMs) return;
  if (asked === 0) {
    state.asked = time;
    control.ping(0, ALIVE_PING);
  } else if (time - asked > keepaliveTimeoutMs) socket.destroy();
};

const idleSince = ({ gate, idleSince: since, incoming, streams }: ConnectionState): number | undefined =>
  streams.size === 0 && !incoming.isInBlock() && !gate.waits() ? since : undefined;
