/** Where a connection over HTTP/2 is, until when, and how it ends. */
import type { Socket } from "node:net";
import type { Gate } from "../pace.ts";
import { LINGER_MS } from "./bounds.ts";
import type { Control } from "./control.ts";
import type { HeaderEncoder } from "./header-encoder.ts";
import type { Incoming } from "./incoming.ts";
import type { Outbox } from "./outbox.ts";
import type { Preface } from "./preface.ts";
import * as http2 from "./protocol.ts";
import type { PeerSettings } from "./settings.ts";
import type { Streams } from "./streams.ts";
import type { FrameWriter } from "./writer.ts";

export type Phase =
  /** Requests are served. */
  | "open"
  /** The client was told to leave; what it sent before it heard of that is served. */
  | "leaving"
  /** The client was told which stream is the last; those that are open are answered. */
  | "last"
  /** Nothing more is sent, and what comes is dropped. */
  | "over";

export type ConnectionState = {
  readonly socket: Socket;
  readonly gate: Gate;
  /** Milliseconds, never going back: of all times here. */
  readonly now: () => number;
  readonly writer: FrameWriter;
  readonly control: Control;
  readonly outbox: Outbox;
  readonly encoder: HeaderEncoder;
  readonly client: PeerSettings;
  readonly preface: Preface;
  readonly streams: Streams;
  readonly incoming: Incoming;
  /** A frame that carries nothing, or a stream that is reset, may come now; each call counts one. */
  readonly mayIdle: (now: number) => boolean;
  readonly mayReset: (now: number) => boolean;
  phase: Phase;
  /** When the client was heard of last, and when it was asked for a sign of life since; 0: it was not. */
  heard: number;
  asked: number;
  /** Since when there is no stream, if there is none. */
  idleSince: number;
  /** What the kernel had of our bytes when it last took some, and when that was. */
  lastTaken: number;
  takenAt: number;
  /** When a header block or the preface must be there. */
  headDue: number;
  /** When the last calls end that a client has which was told to go away, and when we stop to wait for its GOAWAY. */
  graceDue: number;
  leaveDue: number;
  lingerDue: number;
};

/** The preface and the header blocks must come within this. */
export const HEAD_MS = 10_000;
/** A client that does nothing wrong, but is slow, has this long to hear that it is to leave, and once more to close; gRPC in Go waits as long. */
const LEAVE_MS = 5000;
/** Clients acknowledge a ping before they have told their calls of the GOAWAY that came with it. */
const SETTLE_MS = 100;
/** The ping that asks whether the client has heard of GOAWAY. */
const LEAVE_PING = Buffer.from("leaving.");

export const createConnectionState = (
  parts: Pick<
    ConnectionState,
    | ("socket" | "gate" | "now" | "writer" | "control" | "outbox" | "encoder" | "client" | "preface")
    | ("streams" | "incoming" | "mayIdle" | "mayReset")
  >,
): ConnectionState => {
  const began = parts.now();
  return {
    ...parts,
    phase: "open",
    heard: began,
    asked: 0,
    idleSince: began,
    lastTaken: 0,
    takenAt: began,
    headDue: began + HEAD_MS,
    graceDue: Number.POSITIVE_INFINITY,
    leaveDue: Number.POSITIVE_INFINITY,
    lingerDue: Number.POSITIVE_INFINITY,
  };
};

/** Sends and reads nothing more. `hasTime`: until its grace ends, to take what it was sent. */
export const close = (state: ConnectionState, hasTime: boolean): void => {
  const { gate, now, socket, streams, writer } = state;
  if (state.phase === "over") return;
  state.phase = "over";
  streams.abandonAll();
  writer.close();
  socket.end();
  gate.resume();
  if (!hasTime) state.lingerDue = now() + LINGER_MS;
  else if (socket.writableFinished) linger(state);
  else socket.once("finish", () => linger(state));
};

const linger = (state: ConnectionState): void => {
  state.lingerDue = state.now() + LEAVE_MS;
};

/** The connection cannot go on. Always false, as what it ends says that nothing more is read. */
export const fail = (state: ConnectionState, code: number, reason: string): false => {
  const { control, phase, streams } = state;
  if (phase !== "over") control.goAway(streams.lastId(), code, reason);
  close(state, false);
  return false;
};

/** Asks the client to leave. RFC 9113, 6.8: streams that are on their way are served; when the ping is back there can be none. */
export const leave = (state: ConnectionState, graceMs: number): void => {
  const { control, now } = state;
  if (state.phase !== "open") return;
  state.phase = "leaving";
  control.goAway(http2.MOST_WINDOW, http2.NO_ERROR, "");
  control.ping(0, LEAVE_PING);
  state.leaveDue = now() + LEAVE_MS;
  state.graceDue = now() + graceMs;
};

/** A ping of ours is back. */
export const onPong = (state: ConnectionState, payload: Buffer): void => {
  if (state.phase === "leaving" && LEAVE_PING.equals(payload)) setTimeout(leaveNow, SETTLE_MS, state).unref();
};

/** The client has heard that it is to leave, or had its time: streams from here on are refused. */
export const leaveNow = (state: ConnectionState): void => {
  const { control, streams } = state;
  if (state.phase !== "leaving") return;
  state.phase = "last";
  streams.refuseAbove(streams.lastId());
  control.goAway(streams.lastId(), http2.NO_ERROR, "");
  if (streams.size === 0) close(state, true);
};

/** A stream is gone. */
export const onGone = (state: ConnectionState): void => {
  if (state.streams.size > 0) return;
  state.idleSince = state.now();
  if (state.phase === "last") close(state, true);
};
