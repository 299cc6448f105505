/** Where a connection to a pod over HTTP/1.1 is, with its request and the answer, and how either ends. */
import type { Socket } from "node:net";
import type { Chunks } from "../../transport/http/chunks.ts";
import type { Events, Failure, Fields, Message } from "../message.ts";
import type { Rooms } from "./read-rooms.ts";
import type { Framing } from "./response-head.ts";

export type Phase =
  /** Its request waits for the pod to take it: until then the body can still go elsewhere. */
  | "connecting"
  | "open"
  /** It can take no request any more. */
  | "over";

export type ConnectionState = {
  readonly socket: Socket;
  readonly rooms: Rooms;
  readonly chunks: Chunks;
  readonly connecting: NodeJS.Timeout;
  readonly now: () => number;
  /** The answer has come whole, and the next request may be sent; or the connection can take none any more. */
  readonly idle: () => void;
  readonly closed: () => void;
  phase: Phase;
  /** Who is told of the answer to the request that is under way, if one is. */
  events: Events | undefined;
  /** What is not written yet, as there is no connection, or it is not known whether there still is. */
  unwritten: Message | undefined;
  method: string;
  sentAt: number;
  /** It is not the first request. */
  reused: boolean;
  /** It goes in one piece. */
  atOnce: boolean;
  /** Something has come since. */
  heard: boolean;
  /** The whole request has gone. */
  allSent: boolean;
  resumeSource: (() => void) | undefined;
  /** Of the answer; `framing` is undefined until its head is there, and `left` is what is missing of a length. */
  framing: Framing | undefined;
  left: number;
  outcome: number;
  keepAlive: boolean;
  trailers: Fields;
  /** What has come; from `at` on it is not dealt with. */
  input: Buffer;
  at: number;
};

export const EMPTY = Buffer.alloc(0);

export const createConnectionState = (
  parts: Pick<ConnectionState, "socket" | "rooms" | "chunks" | "connecting" | "now" | "idle" | "closed">,
): ConnectionState => ({
  ...parts,
  phase: "connecting",
  events: undefined,
  unwritten: undefined,
  method: "",
  sentAt: parts.now(),
  reused: false,
  atOnce: false,
  heard: false,
  allSent: true,
  resumeSource: undefined,
  framing: undefined,
  left: 0,
  outcome: 0,
  keepAlive: false,
  trailers: [],
  input: EMPTY,
  at: 0,
});

export const isOver = ({ phase }: ConnectionState): boolean => phase === "over";

/** @param isUnsent the kernel has not taken what was written last, or the pod has not seen it */
export const fail = (state: ConnectionState, reason: string, isUnsent = false): void => {
  if (isOver(state)) return;
  const kind = failureOf(state, isUnsent);
  close(state);
  const { events: told } = state;
  state.events = undefined;
  if (told === undefined) return;
  // some addresses fail before a connection is even begun, and who tries again must let others have their turn
  if (kind === "unreachable") setImmediate(() => told.failed(kind, reason));
  else told.failed(kind, reason);
};

const failureOf = ({ atOnce, heard, phase, reused, unwritten }: ConnectionState, isUnsent: boolean): Failure => {
  if (phase === "connecting") return "unreachable";
  if (unwritten !== undefined) return "unseen";
  if (!reused || (heard && !isUnsent)) return "broken";
  return isUnsent && atOnce ? "unseen" : "stale";
};

/** The answer is whole. */
export const finish = (state: ConnectionState): void => {
  const { events: told, keepAlive, allSent, outcome, socket, trailers } = state;
  const isReusable = keepAlive && allSent && state.at === state.input.length;
  state.events = undefined;
  state.trailers = [];
  state.input = EMPTY;
  state.at = 0;
  state.framing = undefined;
  if (isReusable) {
    if (socket.isPaused()) socket.resume();
    state.sentAt = state.now();
    state.idle();
  } else close(state);
  told?.end(trailers, outcome);
};

const close = (state: ConnectionState): void => {
  state.phase = "over";
  clearTimeout(state.connecting);
  state.socket.destroy();
  state.closed();
};
