/** A client's connection over HTTP/2: gRPC, and whatever else speaks it. */
import type { Socket } from "node:net";
import type { After } from "../../event-loop/after.ts";
import { isBrisk, YOUNG_MS } from "../../memory/shares.ts";
import { CLIENT_LIMITS } from "../../transport/http/request-rules.ts";
import {
  CANCEL,
  listBytes,
  type RequestHead,
  type Stream,
  type StreamHandler,
  serveHttp2,
} from "../../transport/http2/index.ts";
import type { Gate } from "../../transport/pace.ts";
import { fieldsToPod, senderOf } from "../forwarded.ts";
import type { Body, Exchange, Message } from "../message.ts";
import { refuseWith } from "../refuse.ts";
import type { Client } from "../stream-slots.ts";
import type { ClientConnection, Door } from "./door.ts";
import { createReply, type Http2Reply } from "./http2-reply.ts";
import { fieldsOf, isGrpc } from "./http2-request.ts";
import { createIncomingBody } from "./incoming-body.ts";
import { createAmount, createReservation, type Reservation } from "./reservation.ts";

const OPTIONS = {
  headLimits: CLIENT_LIMITS,
  maxConcurrentStreams: 256,
  // what a call may send that nobody takes yet
  firstWindow: 65_535,
  keepaliveMs: 60_000,
  keepaliveTimeoutMs: 20_000,
};
/**
 * A call that has sent a whole message and, for so long, neither its end nor more of it, is a stream: it may wait for an answer
 * before it goes on. Clients send the end of a unary call with its message.
 */
export const QUIET_MS = 20;
/** What a call takes besides its header and its body: its objects (measured: 3 KiB), and a body that is not counted. */
const CALL_BYTES = 8 * 1024;
/** What was written and not taken is not counted up to here: it is on its way, as a rule. */
const UNCOUNTED_BYTES = 16 * 1024;
const OVERLOADED = { status: 503, error: "the router's memory for waiting requests is full; try again", retryAfter: 1 };

/** What the calls of one connection have in common. */
type Connection = {
  client: Client;
  door: Door;
  reservation: Reservation;
  /** A call that can be ended where others need its memory; those that came first are the first. */
  calls: Set<{ evict(time: number): boolean }>;
  message(head: RequestHead, body: Body): Message;
  /** Counts what waits for the client. False where there is no memory for it. */
  settle(): boolean;
};

export const serveClientHttp2 = (socket: Socket, gate: Gate, door: Door): ClientConnection => {
  const { kept, now } = door;
  const sender = senderOf(socket, door.isTrusted, "2");
  const calls: Connection["calls"] = new Set();
  /** Since when the kernel has taken nothing; Infinity while it does. */
  let stuckSince = Number.POSITIVE_INFINITY;
  const evict = (): boolean => {
    const time = now();
    if (time - stuckSince >= YOUNG_MS) {
      socket.destroy();
      return true;
    }
    for (const call of calls) if (call.evict(time)) return true;
    return false;
  };
  const reservation = createReservation(kept.nextShare(), evict);
  const untaken = createAmount(reservation);
  const settle = (): boolean => {
    const waiting = connection.waiting();
    return untaken.set(waiting > UNCOUNTED_BYTES ? waiting : 0);
  };
  const common: Connection = {
    ...{ door, reservation, calls, settle },
    client: { address: sender.address, streams: 0 },
    message: (head, body) => {
      const { headers, method, path } = head;
      const fields = fieldsToPod(fieldsOf(head), sender);
      return { protocol: isGrpc(headers) ? "grpc" : "http", method, target: path, fields, body };
    },
  };
  const connection = serveHttp2(socket, { ...OPTIONS, gate, now }, (head, stream) => serveStream(head, stream, common));
  socket.once("close", reservation.end);
  return {
    ...connection,
    sweep: (time) => {
      connection.sweep(time);
      if (!settle()) socket.destroy();
      if (!socket.writableNeedDrain) stuckSince = Number.POSITIVE_INFINITY;
      else if (stuckSince === Number.POSITIVE_INFINITY) stuckSince = time;
    },
  };
};

const serveStream = (head: RequestHead, stream: Stream, common: Connection): StreamHandler => {
  const { calls, door, reservation } = common;
  const { contentLength: length, headers } = head;
  const callBytes = CALL_BYTES + listBytes(headers);
  const came = door.now();
  let exchange: Exchange | undefined;
  let reply: Http2Reply | undefined;
  let over = false;
  let quiet: ReturnType<After> | undefined;
  /** Pieces that have come. */
  let pieces = 0;

  /** It is answered, or never will be; the client may not have taken it all. */
  const finish = (): void => {
    over = true;
    quiet?.close();
    body.release();
    exchange = undefined;
  };
  const replyOnce = (): Http2Reply => {
    reply ??= createReply(stream, { now: door.now, reservation, settle: common.settle, ended: finish });
    return reply;
  };
  const serve = (content: Body): void => {
    quiet?.close();
    const served = door.serve(common.message(head, content), replyOnce(), common.client);
    if (!over) exchange = served;
  };
  const refuse = (): void => {
    exchange?.gone();
    exchange = undefined;
    refuseWith(replyOnce(), common.message(head, NOTHING), OVERLOADED);
  };
  const body = createIncomingBody({
    ...{ reservation, length, serve },
    pause: stream.pause,
    resume: stream.resume,
    overloaded: refuse,
  });
  const listen = (): void => {
    if (over || !isGrpc(headers)) return;
    quiet?.close();
    const before = ++pieces;
    const stream = (): void => {
      if (pieces === before && !over) body.stream(true);
    };
    // timers come before the sockets: after a pause of the event loop, what has come meanwhile is to be read first
    quiet = door.after(QUIET_MS, () => setImmediate(stream));
  };
  const call = {
    evict: (time: number): boolean => {
      if (reply?.evict(time) === true) return true;
      const ms = time - came;
      if (over || ms < YOUNG_MS || reply?.begun() === true) return false;
      const isSlow = !body.isServed() && !isBrisk(body.received(), ms);
      if (!isSlow && exchange?.isHeld() !== true) return false;
      refuse();
      return true;
    },
  };

  const fits = reservation.take(callBytes);
  if (fits) {
    calls.add(call);
    body.begin();
    listen();
  } else refuse();
  return {
    data: (bytes) => {
      if (over) return;
      body.push(bytes);
      if (exchange === undefined) listen();
    },
    end: () => {
      quiet?.close();
      if (!over) body.end();
    },
    closed: () => {
      const left = exchange;
      finish();
      reply?.closed();
      calls.delete(call);
      if (fits) reservation.give(callBytes);
      left?.gone();
    },
    drained: () => {
      reply?.drained();
      exchange?.drained();
    },
    // the windows bound what comes, and the connection's keep-alive how long
    sweep: (time) => {
      if (reply?.isLate(time) === true) stream.reset(CANCEL);
    },
  };
};

const NOTHING: Body = { kind: "whole", pieces: [], bytes: 0 };
