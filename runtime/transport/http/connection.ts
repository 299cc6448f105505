import type { Socket } from "node:net";
import { evicted, isBrisk, type Lease } from "../../memory/shares.ts";
import {
  awaitHead,
  type ConnectionState,
  createConnectionState,
  expire,
  idleSince,
  isReading,
  linger,
  lingerOn,
  PROBE_AGAIN_MS,
  probe,
} from "./connection-state.ts";
import { countDuration, countStatus } from "./counters.ts";
import { createHandling, type Handling } from "./handling.ts";
import type { Head } from "./head.ts";
import { linesOf, pack } from "./packing.ts";
import { createReader, type Reader } from "./reader.ts";
import { Refusal } from "./refusal.ts";
import { byteLength, CONTINUE, encodeHead, errorResponse, jsonError, writeAnswer } from "./response.ts";
import type { Shared } from "./shared.ts";
import { MIN_BYTES_PER_MS } from "./times.ts";
import type { HttpResponse } from "./types.ts";
import { createUnsent, type Unsent } from "./unsent.ts";

/** One past its age that has been idle for less may be just about to carry a request, and the next answer will end it. */
const AGED_IDLE_MS = 5000;

const serverFailed = () => jsonError(500, "the server failed; its log says why");

export type Connection = {
  /** Ends what has outlived its time. */
  sweep(now: number): void;
  /** Closes it if nothing has been heard of it since `time` and it owes no answer. */
  closeIdleSince(time: number): void;
  /** Since when it has nothing to do; undefined while it has. */
  idleSince(): number | undefined;
  destroy(): void;
};

/** A connection, and what it has for one request after the other. */
type Served = {
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

/** Serves one connection, a request at a time. @param socket paused @param expires when it is too old */
export const serveConnection = (socket: Socket, shared: Shared, expires: number): Connection => {
  const served = createServed(socket, shared, expires);
  const { state } = served;
  socket.on("data", (chunk: Buffer) => onData(served, chunk));
  socket.on("end", () => onEnd(served));
  socket.on("drain", () => onDrain(served));
  socket.on("error", () => undefined);
  socket.once("close", () => onClose(served));
  state.gate.resume();
  return {
    sweep: (now) => sweep(served, now),
    idleSince: () => idleSince(state),
    closeIdleSince: (time) => closeIdleSince(state, time),
    destroy: () => socket.destroy(),
  };
};

const createServed = (socket: Socket, shared: Shared, expires: number): Served => {
  const { maxBodyBytes, now, times } = shared;
  const gate = shared.pace(socket);
  const lease = shared.nextIncoming().lease((heldMs) => evict(served, heldMs));
  const unsent = createUnsent(socket, shared);
  const reader = createReader(maxBodyBytes, lease);
  // one that never says anything has less time than one between two requests
  const withinMs = times.headerMs;
  const state = createConnectionState({ socket, gate, times, now, input: reader, sent: unsent.release }, withinMs);
  const handling = createHandling(shared, lease, {
    answered: (response) => onAnswered(served, response),
    failed: (error) => onFailed(served, error, false),
  });
  const served: Served = { state, shared, reader, lease, handling, unsent, expires, now: state.active };
  return served;
};

const onData = (served: Served, chunk: Buffer): void => {
  const { reader, state } = served;
  const { gate } = state;
  hear(served);
  gate.read(chunk.length);
  if (state.phase === "linger") {
    lingerOn(state);
    return;
  }
  reader.feed(chunk);
  if (isReading(state)) advance(served);
  // the next request can wait in the kernel
  else gate.pause();
};

const onEnd = (served: Served): void => {
  const { state } = served;
  hear(served);
  state.hasEnded = true;
  if (state.phase === "busy") {
    probe(state);
    setTimeout(probe, PROBE_AGAIN_MS, state).unref();
  } else advance(served);
};

const onDrain = (served: Served): void => {
  const { state, unsent } = served;
  unsent.release();
  if (state.phase !== "writing") return;
  hear(served);
  state.phase = "idle";
  state.deadline = state.active + state.times.idleMs;
  advance(served);
  state.gate.resume();
};

const onClose = ({ handling, lease, shared, state, unsent }: Served): void => {
  const { counters } = shared;
  state.isGone = true;
  state.gate.close();
  if (state.head !== undefined) {
    counters.inFlight--;
    countStatus(counters, 499);
  }
  lease.end();
  unsent.end();
  state.head = undefined;
  handling.leave();
};

const hear = (served: Served): void => {
  served.now = served.state.active = served.shared.now();
};

const sweep = (served: Served, now: number): void => {
  const { expires, state } = served;
  served.now = now;
  if (state.hasEnded) probe(state);
  if (state.phase === "idle" && now > expires && now - state.active > AGED_IDLE_MS) state.socket.destroy();
  const late = expire(state, now);
  if (late !== undefined) answerError(served, late, true);
};

const closeIdleSince = ({ active, gate, phase, socket }: ConnectionState, time: number): void => {
  if (gate.waits() || active >= time || socket.writableLength > 0) return;
  if (phase === "idle" || phase === "head" || phase === "linger") socket.destroy();
};

/** Ends a body that is slow to come, where others need its memory. */
const evict = (served: Served, heldMs: number): boolean => {
  const { reader, state } = served;
  if (state.phase !== "body" || isBrisk(reader.received(), heldMs)) return false;
  onFailed(served, evicted(), true);
  return true;
};

/** Reads and answers as far as what has come goes. */
const advance = (served: Served): void => {
  const { state } = served;
  if (state.isAdvancing || state.isGone) return;
  state.isAdvancing = true;
  try {
    while (isReading(state) && (state.phase === "body" ? readBody(served) : readHead(served)));
  } catch (error) {
    answerError(served, error, true);
  }
  state.isAdvancing = false;
};

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
  if (state.hasEnded) throw new Refusal(400, "the request ended in its body");
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

const onAnswered = (served: Served, response: HttpResponse): void => {
  if (served.state.isGone) return;
  served.now = served.shared.now();
  answer(served, response, false);
};

const onFailed = (served: Served, error: unknown, close: boolean): void => {
  if (served.state.isGone) return;
  served.now = served.shared.now();
  answerError(served, error, close);
};

const answerError = (served: Served, error: unknown, close: boolean): void => {
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
