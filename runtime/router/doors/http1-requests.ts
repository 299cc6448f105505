/** The requests of one connection over HTTP/1.1, one after the other: each is read, served, and its answer ended. */
import { evicted } from "../../memory/shares.ts";
import { type Chunks, createChunks } from "../../transport/http/chunks.ts";
import { awaitHead, type ConnectionState, linger, readOn, type Steps } from "../../transport/http/connection-state.ts";
import type { Head } from "../../transport/http/head.ts";
import type { Input } from "../../transport/http/input.ts";
import { Refusal } from "../../transport/http/refusal.ts";
import { checkTrailers } from "../../transport/http/request-rules.ts";
import { CONTINUE, errorResponse, jsonError } from "../../transport/http/response.ts";
import { MIN_BYTES_PER_MS } from "../../transport/http/times.ts";
import { fieldsToPod, type Sender } from "../forwarded.ts";
import type { Body, Exchange } from "../message.ts";
import type { Client } from "../stream-slots.ts";
import type { Door } from "./door.ts";
import { createReply, type Http1Reply } from "./http1-reply.ts";
import { createIncomingBody, type IncomingBody, UNCOUNTED_BYTES } from "./incoming-body.ts";
import type { Amount, Reservation } from "./reservation.ts";

/** A client's connection, and the request that is under way on it. */
export type Served = {
  readonly state: ConnectionState;
  readonly door: Door;
  readonly input: Input;
  readonly sender: Sender;
  readonly client: Client;
  readonly reservation: Reservation;
  /** What has come and is not dealt with, and what was written and is not taken; both above UNCOUNTED_BYTES. */
  readonly unread: Amount;
  readonly untaken: Amount;
  /** After this, an answer closes it. */
  readonly expires: number;
  /** What replies tell: something was given to the socket, and the answer is whole. */
  readonly written: () => void;
  readonly finished: (close: boolean) => void;
  isLeaving: boolean;
  /** Since when the client has not taken what was written; Infinity while it takes it. */
  stuckSince: number;
  body: IncomingBody | undefined;
  /** Of a body whose length is known, bytes that are to come. */
  left: number;
  /** Of a body whose length is not. */
  chunks: Chunks | undefined;
  exchange: Exchange | undefined;
  reply: Http1Reply | undefined;
};

export const counted = (bytes: number): number => (bytes > UNCOUNTED_BYTES ? bytes : 0);

/** Reads and answers as far as what has come goes. */
export const advance = (served: Served): void => readOn(served, STEPS);

/** Returns whether a head was there. */
const readHead = (served: Served): boolean => {
  const { input, state } = served;
  const head = input.head();
  if (head === undefined) awaitHead(state);
  else begin(served, head);
  return head !== undefined;
};

/** Returns whether the body is whole. */
const readBody = (served: Served): boolean => {
  const { input, state } = served;
  const isWhole = takeBody(served);
  // its last piece may have had it served as a stream, and answered
  if (state.phase === "linger") return false;
  if (isWhole) {
    input.next();
    // an answer that comes from here on need not close the connection
    state.phase = "busy";
    state.deadline = Number.POSITIVE_INFINITY;
    served.body?.end();
  } else {
    if (state.hasEnded) throw new Refusal(400, "the request ended before its body was complete");
    state.deadline = state.started + state.times.transferMs + (served.body?.received() ?? 0) / MIN_BYTES_PER_MS;
  }
  return isWhole;
};

/** Returns whether the body is whole. */
const takeBody = (served: Served): boolean => {
  const { body, chunks, input } = served;
  if (chunks !== undefined) {
    input.at = chunks.read(input.bytes, input.at);
    return chunks.isWhole();
  }
  const { at } = input;
  const count = Math.min(served.left, input.pending());
  if (count > 0) body?.push(input.bytes.subarray(at, at + count));
  input.at = at + count;
  served.left -= count;
  return served.left === 0;
};

const begin = (served: Served, head: Head): void => {
  const { finished, reservation, state, written } = served;
  const { gate, socket } = state;
  state.head = head;
  state.started = state.active;
  state.phase = "body";
  served.left = head.length ?? 0;
  served.chunks = head.length === undefined ? chunksOf(served) : undefined;
  served.reply = createReply(socket, {
    http10: head.http10,
    isHead: head.method === "HEAD",
    written,
    close: () => closesAfter(served, head),
    ended: finished,
  });
  if (head.expectContinue) socket.write(CONTINUE);
  served.body = createIncomingBody({
    reservation,
    length: head.length,
    overloaded: throwEvicted,
    serve: (whole) => serve(served, head, whole),
    pause: gate.pause,
    resume: gate.resume,
  });
  served.body.begin();
};

const closesAfter = ({ door, expires, isLeaving, state }: Served, { keepAlive }: Head): boolean =>
  !keepAlive || state.phase === "body" || isLeaving || door.closing() || state.now() >= expires;

const throwEvicted = (): never => {
  throw evicted();
};

const chunksOf = (served: Served): Chunks => {
  const created = createChunks({
    size: () => undefined,
    data: (bytes, from, to) => served.body?.push(bytes.subarray(from, to)),
    trailers: checkTrailers,
  });
  created.begin();
  return created;
};

const serve = (served: Served, { method, path, query, fields }: Head, body: Body): void => {
  const { client, door, reply, sender, state } = served;
  if (reply === undefined) return;
  if (body.kind === "whole") state.phase = "busy";
  const target = query === "" ? path : `${path}?${query}`;
  const message = { protocol: "http" as const, method, target, fields: fieldsToPod(fields, sender), body };
  const exchange = door.serve(message, reply, client);
  // it may have been answered at once
  if (served.reply === reply) served.exchange = exchange;
};

/** What is no request, or takes too long to be one. */
export const refuse = (served: Served, error: unknown): void => {
  const { exchange, finished, reply, state, written } = served;
  const { socket } = state;
  const { status, headers, parts } = errorResponse(error) ?? jsonError(500, "the router failed");
  exchange?.gone();
  served.exchange = undefined;
  if (reply?.begun() === true) {
    socket.destroy();
    return;
  }
  const answer = createReply(socket, { http10: false, isHead: false, written, close: always, ended: finished });
  const content = Buffer.from(parts.join(""));
  const fields = Object.entries(headers).flat();
  answer.head({ status, fields, length: content.length, hasBody: true, outcome: status });
  answer.data(content);
  answer.end([]);
};

const always = (): true => true;

/** The answer is whole. */
export const finish = (served: Served, close: boolean): void => {
  const { body, input, state, unread } = served;
  body?.release();
  state.head = undefined;
  served.body = served.exchange = served.reply = undefined;
  state.active = state.now();
  unread.set(counted(input.pending()));
  if (close) {
    linger(state);
    return;
  }
  state.phase = "idle";
  state.deadline = state.active + state.times.idleMs;
  state.gate.resume();
  if (!state.isAdvancing && (input.pending() > 0 || state.hasEnded)) advance(served);
};

const STEPS: Steps<Served> = { head: readHead, body: readBody, failed: refuse };
