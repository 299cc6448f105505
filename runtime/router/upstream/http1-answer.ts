/** The answer of a pod over HTTP/1.1, as it comes. */
import { findEnd } from "../../transport/http/head.ts";
import { type ConnectionState, fail, finish, isOver } from "./http1-state.ts";
import { ANSWER_LIMITS, parseResponseHead } from "./response-head.ts";

const REQUEST_TIMEOUT = 408;

/** What the pod has said on a connection that it was about to close. */
class NotSeen extends Error {}

export const onRead = (state: ConnectionState, chunk: Buffer): void => {
  const { at, events: told, input, rooms } = state;
  if (isOver(state)) return;
  if (told === undefined) {
    fail(state, "it sent data without a request");
    return;
  }
  state.heard = true;
  state.input = at === input.length ? chunk : Buffer.concat([input.subarray(at), chunk]);
  state.at = 0;
  try {
    advance(state);
  } catch (error) {
    fail(state, error instanceof Error ? error.message : String(error), error instanceof NotSeen);
    return;
  }
  const flushed = told.flush();
  // the beginning of a header, or of a chunk, until the rest comes
  if (state.at < state.input.length && flushed === "taken") {
    state.input = Buffer.from(state.input.subarray(state.at));
    state.at = 0;
  }
  rooms.flushed(flushed);
  if (state.events !== told) rooms.idle();
};

/** The pod has closed its side: that may be how the body ends. */
export const onEnd = (state: ConnectionState): void => {
  if (isOver(state)) return;
  if (state.framing?.kind === "close") {
    state.keepAlive = false;
    finish(state);
  } else fail(state, "it closed the connection");
};

const advance = (state: ConnectionState): void => {
  while (state.events !== undefined && !isOver(state)) {
    if (state.framing === undefined) {
      if (state.at === state.input.length || !readHead(state)) return;
    } else if (readBody(state)) finish(state);
    else return;
  }
};

/** Returns whether a head was there. */
const readHead = (state: ConnectionState): boolean => {
  const { at, input } = state;
  const end = findEnd(input, { at, line: at }, Math.min(input.length, at + ANSWER_LIMITS.bytes));
  if (end < 0) {
    if (input.length - at >= ANSWER_LIMITS.bytes)
      throw new Error(`the header of its answer is larger than ${ANSWER_LIMITS.bytes} bytes`);
    return false;
  }
  const head = parseResponseHead(input.toString("latin1", at, end), state.method);
  const { framing, keepAlive, outcome, status } = head;
  state.at = end;
  // an interim answer: the client has its own from the router
  if (status < 200) return true;
  // it was tired of waiting for a request, and has not seen that there is one (RFC 9110, 15.5.9)
  if (state.reused && state.atOnce && status === REQUEST_TIMEOUT && !keepAlive) throw new NotSeen();
  state.framing = framing;
  state.keepAlive = keepAlive;
  state.outcome = outcome;
  if (framing.kind === "length") state.left = framing.bytes;
  else if (framing.kind === "chunked") state.chunks.begin();
  state.events?.head(head);
  return true;
};

/** Returns whether the body is whole. */
const readBody = (state: ConnectionState): boolean => {
  const { at, chunks, input } = state;
  switch (state.framing?.kind) {
    case "length": {
      const count = Math.min(state.left, input.length - at);
      if (count > 0) state.events?.data(input.subarray(at, at + count));
      state.at += count;
      state.left -= count;
      return state.left === 0;
    }
    case "chunked":
      state.at = chunks.read(input, at);
      return chunks.isWhole();
    case "close":
      if (at < input.length) state.events?.data(input.subarray(at));
      state.at = input.length;
      return false;
    default:
      return true;
  }
};
