/** One client's connection over HTTP/1.1, a request at a time. */
import type { Socket } from "node:net";
import { evicted, isBrisk, YOUNG_MS } from "../../memory/shares.ts";
import { type Chunks, createChunks } from "../../transport/http/chunks.ts";
import { beginLinger, type Linger } from "../../transport/http/connection-state.ts";
import type { Head } from "../../transport/http/head.ts";
import { createInput } from "../../transport/http/input.ts";
import { Refusal } from "../../transport/http/refusal.ts";
import { CLIENT_LIMITS, checkTrailers } from "../../transport/http/request-rules.ts";
import { CONTINUE, errorResponse, jsonError } from "../../transport/http/response.ts";
import { MIN_BYTES_PER_MS } from "../../transport/http/times.ts";
import type { Gate } from "../../transport/pace.ts";
import { fieldsToPod, senderOf } from "../forwarded.ts";
import type { Body, Exchange } from "../message.ts";
import type { ClientConnection, Door } from "./door.ts";
import { createReply, type Http1Reply } from "./http1-reply.ts";
import { createIncomingBody, type IncomingBody, UNCOUNTED_BYTES } from "./incoming-body.ts";
import { createAmount, createReservation } from "./reservation.ts";

/** An idle connection may be just about to carry a request; one that has been idle for so long is closed when it must go. */
const LEAVING_IDLE_MS = 1000;

/**
 * head: between requests, or within a header; body: it comes in, and may be answered meanwhile; busy: it is whole, and the
 * answer is not; linger: closed for writing, and what still comes is dropped, since closing with bytes unread resets it.
 */
type State = "head" | "body" | "busy" | "linger";

/** `expires`: after this, an answer closes it. */
export const serveHttp1 = (socket: Socket, gate: Gate, door: Door, expires: number): ClientConnection => {
  const { now, times } = door;
  const sender = senderOf(socket, door.isTrusted, "1.1");
  const reservation = createReservation(door.kept.nextShare(), () => evict());
  /** What has come and is not dealt with, and what was written and is not taken; both above UNCOUNTED_BYTES. */
  const unread = createAmount(reservation);
  const untaken = createAmount(reservation);
  let state: State = "head";
  const input = createInput(CLIENT_LIMITS);
  const client = { address: sender.address, streams: 0 };
  let active = now();
  let deadline = active + times.idleMs;
  let inHead = false;
  let lingering: Linger | undefined;
  let leaving = false;
  let gone = false;
  /** The client has closed its side; it may still wait for answers. */
  let ended = false;
  let advancing = false;
  /** Since when the client has not taken what was written; Infinity while it takes it. */
  let stuckSince = Number.POSITIVE_INFINITY;

  let head: Head | undefined;
  let body: IncomingBody | undefined;
  let left = 0;
  let started = 0;
  let chunks: Chunks | undefined;
  let exchange: Exchange | undefined;
  let reply: Http1Reply | undefined;

  const begin = (found: Head): void => {
    head = found;
    inHead = false;
    started = active;
    state = "body";
    left = found.length ?? 0;
    chunks = found.length === undefined ? chunksOf() : undefined;
    reply = createReply(socket, {
      http10: found.http10,
      isHead: found.method === "HEAD",
      written,
      close: () => !found.keepAlive || state === "body" || leaving || door.closing() || now() >= expires,
      ended: finish,
    });
    if (found.expectContinue) socket.write(CONTINUE);
    body = createIncomingBody({
      reservation,
      length: found.length,
      overloaded: () => {
        throw evicted();
      },
      serve: (whole) => serve(found, whole),
      pause: gate.pause,
      resume: gate.resume,
    });
  };

  const chunksOf = (): Chunks => {
    const created = createChunks({
      size: () => undefined,
      data: (bytes, from, to) => body?.push(bytes.subarray(from, to)),
      trailers: checkTrailers,
    });
    created.begin();
    return created;
  };

  const serve = ({ method, path, query, fields }: Head, content: Body): void => {
    if (reply === undefined) return;
    if (content.kind === "whole") state = "busy";
    const target = query === "" ? path : `${path}?${query}`;
    const message = { protocol: "http" as const, method, target, fields: fieldsToPod(fields, sender), body: content };
    const mine = reply;
    const served = door.serve(message, mine, client);
    // it may have been answered at once
    if (reply === mine) exchange = served;
  };

  /** Returns whether the body is whole. */
  const readBody = (): boolean => {
    if (chunks !== undefined) {
      input.at = chunks.read(input.bytes, input.at);
      return chunks.isWhole();
    }
    const { at } = input;
    const count = Math.min(left, input.pending());
    if (count > 0) body?.push(input.bytes.subarray(at, at + count));
    input.at = at + count;
    left -= count;
    return left === 0;
  };

  /** Reads and answers as far as what has come goes. */
  const advance = (): void => {
    if (advancing || gone) return;
    advancing = true;
    try {
      while (state === "head" || state === "body") {
        if (state === "head") {
          const found = input.head();
          if (found === undefined) {
            awaitHead();
            break;
          }
          begin(found);
        } else if (readBody()) {
          input.next();
          // an answer that comes from here on need not close the connection
          state = "busy";
          deadline = Number.POSITIVE_INFINITY;
          body?.end();
        } else {
          if (ended) throw new Refusal(400, "the request ended in its body");
          deadline = started + times.transferMs + (body?.received() ?? 0) / MIN_BYTES_PER_MS;
          break;
        }
      }
    } catch (error) {
      refuse(error);
    }
    advancing = false;
  };

  const awaitHead = (): void => {
    const partial = input.pending() > 0;
    if (ended) {
      if (partial) throw new Refusal(400, "the request ended in its header");
      linger();
    } else if (!partial) {
      inHead = false;
      deadline = active + times.idleMs;
    } else if (!inHead) {
      inHead = true;
      deadline = active + times.headerMs;
    }
  };

  /** What is no request, or takes too long to be one. */
  const refuse = (error: unknown): void => {
    const { status, headers, parts } = errorResponse(error) ?? jsonError(500, "the router failed");
    exchange?.gone();
    exchange = undefined;
    if (reply?.begun() === true) {
      socket.destroy();
      return;
    }
    state = "body";
    const answer = createReply(socket, { http10: false, isHead: false, written, close: () => true, ended: finish });
    const content = Buffer.from(parts.join(""));
    const fields = Object.entries(headers).flat();
    answer.head({ status, fields, length: content.length, hasBody: true, outcome: status });
    answer.data(content);
    answer.end([]);
  };

  const counted = (bytes: number): number => (bytes > UNCOUNTED_BYTES ? bytes : 0);

  /** Where there is no memory for what the client has not taken, it is disconnected. */
  const written = (): void => {
    if (!untaken.set(counted(socket.writableLength))) socket.destroy();
  };

  /** Ends what is slow, where others need its memory. */
  const evict = (): boolean => {
    const time = now();
    if (time - stuckSince >= YOUNG_MS) {
      socket.destroy();
      return true;
    }
    const ms = time - started;
    const isSlow = state === "body" && ms >= YOUNG_MS && !isBrisk(body?.received() ?? 0, ms);
    const isHeld = state === "busy" && exchange?.isHeld() === true;
    if (reply?.begun() !== false || !(isSlow || isHeld)) return false;
    refuse(evicted());
    return true;
  };

  const finish = (close: boolean): void => {
    body?.release();
    head = undefined;
    body = exchange = reply = undefined;
    active = now();
    unread.set(counted(input.pending()));
    if (close) {
      linger();
      return;
    }
    state = "head";
    deadline = active + times.idleMs;
    gate.resume();
    if (!advancing && (input.pending() > 0 || ended)) advance();
  };

  const linger = (): void => {
    state = "linger";
    input.drop();
    unread.set(0);
    lingering = beginLinger(socket, times, now, () => untaken.set(0));
    gate.resume();
  };

  /**
   * Has the client, which closed its side, closed all of it? An interim answer tells, since a connection that is gone is reset
   * by it, and a client of HTTP/1.1 must understand it (RFC 9110, 15.2).
   */
  const probe = (): void => {
    if (state === "busy" && head?.http10 === false && reply?.begun() === false) socket.write(CONTINUE);
  };

  socket.on("data", (chunk: Buffer) => {
    active = now();
    gate.read(chunk.length);
    if (lingering !== undefined) {
      lingering.heard(active);
      return;
    }
    input.feed(chunk);
    // the next request can wait in the kernel
    if (state === "busy") gate.pause();
    else advance();
    if (unread.set(counted(input.pending()))) return;
    // it is not answered, and the client sees by the end of the connection that it may send it again
    if (state === "busy") leaving = true;
    else refuse(evicted());
    input.drop();
  });
  socket.on("drain", () => {
    stuckSince = Number.POSITIVE_INFINITY;
    untaken.set(0);
    exchange?.drained();
  });
  socket.on("end", () => {
    active = now();
    ended = true;
    if (state === "busy") {
      probe();
      setTimeout(probe, 20).unref();
    } else if (state !== "linger") advance();
  });
  socket.on("error", () => undefined);
  socket.once("close", () => {
    gone = true;
    reservation.end();
    body?.release();
    body = undefined;
    const left = exchange;
    exchange = reply = undefined;
    left?.gone();
  });

  return {
    sweep(time) {
      if (ended) probe();
      if (!socket.writableNeedDrain) stuckSince = Number.POSITIVE_INFINITY;
      else if (stuckSince === Number.POSITIVE_INFINITY) stuckSince = time;
      else if (time - stuckSince > times.transferMs) socket.destroy();
      const idle = state === "head" && !inHead;
      if (idle && (leaving || door.closing() || time > expires) && time - active > LEAVING_IDLE_MS) socket.destroy();
      // what waits for its turn is not late
      if (time < (lingering?.deadline() ?? deadline) || gate.waits()) return;
      if (idle || state === "linger") socket.destroy();
      else if (state === "head" || state === "body")
        refuse(new Refusal(408, `the ${state === "head" ? "header" : "body"} took too long to arrive`));
    },
    idleSince: () => (state === "head" && !inHead && !gate.waits() ? active : undefined),
    leave: () => {
      leaving = true;
    },
    destroy: () => socket.destroy(),
  };
};
