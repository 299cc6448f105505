/** Where a connection over HTTP/1.1 is, and until when: the same record for the server's and for the router's. */
import type { Socket } from "node:net";
import type { Gate } from "../pace.ts";
import type { Head } from "./head.ts";
import { Refusal } from "./refusal.ts";
import { CONTINUE } from "./response.ts";
import { MIN_BYTES_PER_MS, type Times } from "./times.ts";

export type Phase =
  /** Between two requests. */
  | "idle"
  /** A part of a header has come. */
  | "head"
  /** The body comes in; the router may answer meanwhile. */
  | "body"
  /** The request is whole, and the answer is not. */
  | "busy"
  /** The client has not taken its answer yet, and is not read meanwhile. */
  | "writing"
  /**
   * Closed for writing. What still comes is read and dropped, because closing with bytes unread resets the connection, and the
   * client might never see its answer.
   */
  | "linger";

export type ConnectionState = {
  readonly socket: Socket;
  readonly gate: Gate;
  readonly times: Times;
  readonly now: () => number;
  /** What has come and is not dealt with. */
  readonly input: { pending(): number; drop(): void };
  /** What was written is on its way as a whole: after its end a socket tells of no drain. */
  readonly sent: () => void;
  phase: Phase;
  /** When the client was heard of last, or was answered; times are in ms on the clock `now`. */
  active: number;
  /** When the phase ends, whatever the client does. */
  deadline: number;
  /** When a connection that lingers is closed, however much its client sends. */
  lingersUntil: number;
  /** When the request began that is under way. */
  started: number;
  /** Of the request that is under way. */
  head: Head | undefined;
  /** The client has closed its side; it may still wait for answers. */
  hasEnded: boolean;
  isGone: boolean;
  /** What has come is being dealt with: who is called from there need not begin again. */
  isAdvancing: boolean;
};

/** However much a client goes on sending after its answer. */
const MAX_LINGER_MS = 30_000;
/** A connection that is gone is reset by the first probe, and the reset is seen when the second is written. */
export const PROBE_AGAIN_MS = 20;

/** @param withinMs the first byte is to come */
export const createConnectionState = (
  {
    gate,
    input,
    now,
    sent,
    socket,
    times,
  }: Pick<ConnectionState, "gate" | "input" | "now" | "sent" | "socket" | "times">,
  withinMs: number,
): ConnectionState => {
  const active = now();
  return {
    socket,
    gate,
    times,
    now,
    input,
    sent,
    phase: "idle",
    active,
    deadline: active + withinMs,
    lingersUntil: Number.POSITIVE_INFINITY,
    started: active,
    head: undefined,
    hasEnded: false,
    isGone: false,
    isAdvancing: false,
  };
};

/** What comes is dealt with as it comes. */
export const isReading = ({ phase }: ConnectionState): boolean =>
  phase === "idle" || phase === "head" || phase === "body";

/** How one side reads a request; `head` and `body` say whether it was there whole. */
export type Steps<T> = { head(of: T): boolean; body(of: T): boolean; failed(of: T, error: unknown): void };

/** Reads and answers as far as what has come goes. */
export const readOn = <T extends { readonly state: ConnectionState }>(of: T, steps: Steps<T>): void => {
  const { state } = of;
  if (state.isAdvancing || state.isGone) return;
  state.isAdvancing = true;
  try {
    while (isReading(state) && (state.phase === "body" ? steps.body(of) : steps.head(of)));
  } catch (error) {
    steps.failed(of, error);
  }
  state.isAdvancing = false;
};

/** Since when it has nothing to do; undefined while it has. */
export const idleSince = ({ active, gate, phase }: ConnectionState): number | undefined =>
  phase === "idle" && !gate.waits() ? active : undefined;

/** No header is there, or a part of one. Throws a Refusal where no more of it will come. */
export const awaitHead = (state: ConnectionState): void => {
  const { active, input, times } = state;
  const isPartial = input.pending() > 0;
  if (state.hasEnded) {
    if (isPartial) throw new Refusal(400, "the request ended before its header was complete");
    linger(state);
  } else if (!isPartial) {
    state.phase = "idle";
    state.deadline = active + times.idleMs;
  } else if (state.phase === "idle") {
    state.phase = "head";
    state.deadline = active + times.headerMs;
  }
};

/** Closes the connection for writing. */
export const linger = (state: ConnectionState): void => {
  const { gate, input, socket, times } = state;
  const began = state.now();
  const queued = socket.writableLength;
  state.phase = "linger";
  state.deadline = began + (queued === 0 ? times.lingerMs : times.transferMs + queued / MIN_BYTES_PER_MS);
  state.lingersUntil = began + MAX_LINGER_MS;
  input.drop();
  socket.once("finish", () => {
    state.sent();
    state.deadline = Math.min(state.deadline, state.now() + times.lingerMs);
  });
  socket.end();
  gate.resume();
};

/** Something has come to a connection that lingers. */
export const lingerOn = (state: ConnectionState): void => {
  const { active, lingersUntil, times } = state;
  state.deadline = Math.max(state.deadline, Math.min(lingersUntil, active + times.lingerMs));
};

/**
 * Has the client, which closed its side, closed all of it? An interim answer tells, since a connection that is gone is reset by it,
 * and a client of HTTP/1.1 must understand it (RFC 9110, 15.2).
 */
export const probe = ({ head, phase, socket }: ConnectionState): void => {
  if (phase === "busy" && head?.http10 === false) socket.write(CONTINUE);
};

/** Closes what has outlived its phase; returns the refusal where its client is to be told. */
export const expire = ({ deadline, gate, phase, socket }: ConnectionState, now: number): Refusal | undefined => {
  // what waits for its turn is not late
  if (now < deadline || gate.waits()) return undefined;
  if (phase === "head" || phase === "body")
    return new Refusal(408, `the ${phase === "head" ? "header" : "body"} took too long to arrive`);
  socket.destroy();
  return undefined;
};
