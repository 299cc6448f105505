/** The requests of one connection, one after the other: read, handled, answered. */
import type { Lease } from "../../memory/shares.ts";
import { awaitHead, type ConnectionState, linger, readOn, type Steps } from "./connection-state.ts";
import { countDuration, countStatus } from "./counters.ts";
import type { Handling } from "./handling.ts";
import type { Head } from "./head.ts";
import { linesOf, pack } from "./packing.ts";
import type { Reader } from "./reader.ts";
import { Refusal } from "./refusal.ts";
import { byteLength, CONTINUE, encodeHead, errorResponse, jsonError, writeAnswer } from "./response.ts";
import type { Shared } from "./shared.ts";
import { MIN_BYTES_PER_MS } from "./times.ts";
import type { HttpResponse } from "./types.ts";
import type { Unsent } from "./unsent.ts";

/** A connection, and what it has for one request after the other. */
export type Served = {
  readonly state: ConnectionState;
  readonly shared: Shared;
  readonly reader: Reader;
  /** Of the memory for bodies that are not whole. */
  readonly lease: Lease;
  readonly handling: Handling;
  readonly unsent: Unsent;
  /** After this, an answer closes it. */
  readonly expires: number;
  /** When what is being dealt with has come. */
  now: number;
};

const serverFailed = () => jsonError(500, "the server failed; its log says why");

/** Reads and answers as far as what has come goes. */
export const advance = (served: Served): void => readOn(served, STEPS);

/** Returns whether a head was there. */
const readHead = (served: Served): boolean => {
  const { reader, state } = served;
  const head = reader.head();
  if (head === undefined) awaitHead(state);
  else begin(served, head);
  return head !== undefined;
};

/** Returns whether the body was whole. */
const readBody = (served: Served): boolean => {
  const body = served.reader.body();
  if (body === undefined) awaitBody(served);
  else dispatch(served, body);
  return body !== undefined;
};

const awaitBody = ({ reader, state }: Served): void => {
  const { head, socket, started, times } = state;
  if (state.hasEnded) throw new Refusal(400, "the request ended before its body was complete");
  if (head?.expectContinue === true && reader.received() === 0) {
    socket.write(CONTINUE);
    head.expectContinue = false;
  }
  state.deadline = started + times.transferMs + reader.received() / MIN_BYTES_PER_MS;
};

/** The head is there: what need not wait for the body is answered at once. */
const begin = (served: Served, head: Head): void => {
  const { handling, shared, state } = served;
  state.head = head;
  state.started = served.now;
  state.phase = "body";
  shared.counters.inFlight++;
  const early = handling.begin(head);
  if (early !== undefined) answer(served, early, false);
};

const dispatch = ({ handling, state }: Served, body: Buffer): void => {
  const { head } = state;
  if (head === undefined) return;
  awaitAnswer(state);
  handling.run(head, body);
};

/** As long as it takes. */
const awaitAnswer = (state: ConnectionState): void => {
  state.phase = "busy";
  state.deadline = Number.POSITIVE_INFINITY;
};

export const onAnswered = (served: Served, response: HttpResponse): void => {
  if (served.state.isGone) return;
  served.now = served.shared.now();
  answer(served, response, false);
};

export const onFailed = (served: Served, error: unknown, close: boolean): void => {
  if (served.state.isGone) return;
  served.now = served.shared.now();
  answerError(served, error, close);
};

export const answerError = (served: Served, error: unknown, close: boolean): void => {
  if (served.state.isGone) return;
  const known = errorResponse(error);
  if (known === undefined) served.shared.logError(error);
  answer(served, known ?? serverFailed(), close);
};

const answer = (served: Served, response: HttpResponse, mustClose: boolean): void => {
  const { reader, shared, state } = served;
  if (state.phase === "linger" || state.phase === "writing") return;
  // A body that was not read to its end would be taken for the next request.
  const close = mustClose || (state.phase === "body" && !reader.skipBody());
  awaitAnswer(state);
  const length = byteLength(response.parts);
  const packing = pack(response, length, state.head);
  if (packing === undefined) {
    release(served, response, length, close);
    return;
  }
  packing.then(
    (packed) => {
      served.now = shared.now();
      release(served, packed.response, packed.length, close);
    },
    () => release(served, response, length, close),
  );
};

const release = (served: Served, response: HttpResponse, length: number, close: boolean): void => {
  const { held } = served.shared;
  if (held === undefined) send(served, response, length, close);
  else held.push(() => send(served, response, length, close));
};

const send = (served: Served, response: HttpResponse, length: number, mustClose: boolean): void => {
  const { expires, now, shared, state, unsent } = served;
  const { head, socket } = state;
  if (state.isGone) return;
  const close = mustClose || head === undefined || !head.keepAlive || shared.closing || now >= expires;
  const parts = head?.method === "HEAD" ? [] : response.parts;
  let text: string;
  try {
    text = encodeHead(response, length, linesOf(response, head, shared, close, now));
  } catch (error) {
    shared.logError(error);
    const failed = serverFailed();
    send(served, failed, byteLength(failed.parts), true);
    return;
  }
  const bodyLength = parts.length === 0 ? 0 : length;
  try {
    unsent.before(bodyLength);
  } catch (error) {
    const refused = errorResponse(error) ?? serverFailed();
    send(served, refused, byteLength(refused.parts), mustClose);
    return;
  }
  const flushed = writeAnswer(socket, text, parts, bodyLength);
  unsent.after(bodyLength, flushed);
  finish(served, response.status);
  if (close) linger(state);
  else if (flushed) goOn(served);
  else awaitClient(state, length);
};

/** The request is answered. */
const finish = ({ handling, lease, now, shared, state }: Served, status: number): void => {
  const { counters } = shared;
  const { head, started } = state;
  countStatus(counters, status);
  if (head !== undefined) {
    counters.inFlight--;
    if (head.method === "POST") countDuration(counters, (now - started) / 1000);
  }
  shared.lastActivity = state.active = now;
  lease.release();
  state.head = undefined;
  handling.done();
};

const goOn = (served: Served): void => {
  const { reader, state } = served;
  state.phase = "idle";
  if (reader.pending() === 0 && !state.hasEnded) state.deadline = state.active + state.times.idleMs;
  else if (!state.isAdvancing) advance(served);
  state.gate.resume();
};

/** The client has not taken its answer yet. */
const awaitClient = (state: ConnectionState, length: number): void => {
  state.phase = "writing";
  state.deadline = state.active + state.times.transferMs + length / MIN_BYTES_PER_MS;
  state.gate.pause();
};

const STEPS: Steps<Served> = {
  head: readHead,
  body: readBody,
  failed: (served, error) => answerError(served, error, true),
};
