/** One request over HTTP/2: as a whole where it may be sent again, as a stream where it may wait for an answer before it goes on. */
import type { After } from "../../event-loop/after.ts";
import { isBrisk, YOUNG_MS } from "../../memory/room.ts";
import { CANCEL, listBytes, type RequestHead, type Stream, type StreamHandler } from "../../transport/http2/index.ts";
import type { Body, Exchange, Message } from "../message.ts";
import { refuseWith } from "../refuse.ts";
import type { Client } from "../stream-slots.ts";
import type { Door } from "./door.ts";
import { createReply, type Http2Reply } from "./http2-reply.ts";
import { isGrpc } from "./http2-request.ts";
import { createIncomingBody, type IncomingBody } from "./incoming-body.ts";
import type { Reservation } from "./reservation.ts";

/**
 * A call that has sent a whole message and, for so long, neither its end nor more of it, is a stream: it may wait for an answer
 * before it goes on. Clients send the end of a unary call with its message.
 */
export const QUIET_MS = 20;
/** What a call takes besides its header and its body: its objects (measured: 3 KiB), and a body that is not counted. */
const CALL_BYTES = 8 * 1024;
const OVERLOADED = { status: 503, error: "the router's memory for waiting requests is full; try again", retryAfter: 1 };

const NOTHING: Body = { kind: "whole", pieces: [], bytes: 0 };

/** What the calls of one connection have in common. */
export type Connection = {
  client: Client;
  door: Door;
  reservation: Reservation;
  /** A call that can be ended where others need its memory; those that came first are the first. */
  calls: Set<{ evict(time: number): boolean }>;
  message(head: RequestHead, body: Body): Message;
  /** Counts what waits for the client. False where there is no memory for it. */
  settle(): boolean;
};

type StreamState = {
  readonly head: RequestHead;
  readonly stream: Stream;
  readonly common: Connection;
  readonly body: IncomingBody;
  readonly came: number;
  exchange: Exchange | undefined;
  reply: Http2Reply | undefined;
  /** It is answered, or never will be; the client may not have taken it all. */
  over: boolean;
  /** Rings when nothing has come for some time. */
  quiet: ReturnType<After> | undefined;
  /** That have come. */
  pieces: number;
};

export const serveStream = (head: RequestHead, stream: Stream, common: Connection): StreamHandler => {
  const { calls, reservation } = common;
  const state = createState(head, stream, common);
  const { body } = state;
  const call = { evict: (time: number): boolean => evict(state, time) };
  const callBytes = CALL_BYTES + listBytes(head.headers);
  const fits = reservation.take(callBytes);
  if (fits) {
    calls.add(call);
    body.begin();
    listen(state);
  } else refuse(state);
  return {
    data: (bytes) => {
      if (state.over) return;
      body.push(bytes);
      if (state.exchange === undefined) listen(state);
    },
    end: () => {
      state.quiet?.close();
      if (!state.over) body.end();
    },
    closed: () => {
      const { exchange: left, reply } = state;
      finish(state);
      reply?.closed();
      calls.delete(call);
      if (fits) reservation.give(callBytes);
      left?.gone();
    },
    drained: () => {
      state.reply?.drained();
      state.exchange?.drained();
    },
    // the windows bound what comes, and the connection's keep-alive how long
    sweep: (time) => {
      if (state.reply?.isLate(time) === true) stream.reset(CANCEL);
    },
  };
};

const createState = (head: RequestHead, stream: Stream, common: Connection): StreamState => {
  const body = createIncomingBody({
    reservation: common.reservation,
    length: head.contentLength,
    serve: (content) => serve(state, content),
    pause: stream.pause,
    resume: stream.resume,
    overloaded: () => refuse(state),
  });
  const state: StreamState = {
    head,
    stream,
    common,
    body,
    came: common.door.now(),
    exchange: undefined,
    reply: undefined,
    over: false,
    quiet: undefined,
    pieces: 0,
  };
  return state;
};

const serve = (state: StreamState, content: Body): void => {
  const { client, door, message } = state.common;
  state.quiet?.close();
  const served = door.serve(message(state.head, content), replyOf(state), client);
  if (!state.over) state.exchange = served;
};

/** The one that there is of it. */
const replyOf = (state: StreamState): Http2Reply => {
  const { door, reservation, settle } = state.common;
  state.reply ??= createReply(state.stream, { now: door.now, reservation, settle, ended: () => finish(state) });
  return state.reply;
};

const refuse = (state: StreamState): void => {
  state.exchange?.gone();
  state.exchange = undefined;
  refuseWith(replyOf(state), state.common.message(state.head, NOTHING), OVERLOADED);
};

const finish = (state: StreamState): void => {
  state.over = true;
  state.quiet?.close();
  state.body.release();
  state.exchange = undefined;
};

/** Whether more comes: where nothing does, the call may wait for its answer. */
const listen = (state: StreamState): void => {
  const { body, common, head } = state;
  if (state.over || !isGrpc(head.headers)) return;
  state.quiet?.close();
  const before = ++state.pieces;
  const stream = (): void => {
    if (state.pieces === before && !state.over) body.stream(true);
  };
  // timers come before the sockets: after a pause of the event loop, what has come meanwhile is to be read first
  state.quiet = common.door.after(QUIET_MS, () => setImmediate(stream));
};

/** Ends it where others need its memory; false where it may stay. */
const evict = (state: StreamState, time: number): boolean => {
  if (state.reply?.evict(time) === true) return true;
  const { body, came, exchange, over, reply } = state;
  const ms = time - came;
  if (over || ms < YOUNG_MS || reply?.begun() === true) return false;
  const isSlow = !body.isServed() && !isBrisk(body.received(), ms);
  if (!isSlow && exchange?.isHeld() !== true) return false;
  refuse(state);
  return true;
};
