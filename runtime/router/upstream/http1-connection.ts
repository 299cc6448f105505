/** One connection to a pod over HTTP/1.1, for one request after the other. */
import { connect } from "node:net";
import { createChunks } from "../../server/http/chunks.ts";
import { findEnd } from "../../server/http/head.ts";
import { writeAnswer } from "../../server/http/response.ts";
import { trailersToClient } from "../hop-by-hop.ts";
import type { Events, Fields, Message, Sent } from "../message.ts";
import { ANSWER_LIMITS, type Framing, parseResponseHead } from "./response-head.ts";

export type Address = { host: string; port: number };

export type Connection = {
  send(message: Message, events: Events): Sent;
  /** Since when it has had nothing to do. */
  idleSince(): number;
  destroy(): void;
};

export type Host = {
  now(): number;
  /** The answer has come whole, and the next request may be sent. */
  idle(connection: Connection): void;
  /** It can take no request any more. */
  closed(connection: Connection): void;
};

/** A node that is gone answers nothing at all; within a cluster, a connection takes a millisecond. */
const CONNECT_MS = 2000;
/**
 * A server that closes an idle connection in the moment in which a request is sent on it has not seen the request, or it would
 * have answered it: that shows at once. Later it has died of something, perhaps of the request.
 */
const STALE_MS = 100;

const EMPTY = Buffer.alloc(0);

export const openConnection = ({ host, port }: Address, { closed, idle, now }: Host): Connection => {
  const socket = connect({ host, port, noDelay: true });
  let connected = false;
  let over = false;
  let reused = false;
  let events: Events | undefined;
  let method = "";
  let sentAt = now();
  /** The whole request has gone. */
  let allSent = true;
  let outcome = 0;
  let framing: Framing | undefined;
  let trailers: Fields = [];
  let keepAlive = false;
  let left = 0;
  /** What has come and is not dealt with. */
  let input: Buffer = EMPTY;
  let at = 0;
  let resumeSource: (() => void) | undefined;

  const connecting = setTimeout(() => fail(`no connection within ${CONNECT_MS} ms`), CONNECT_MS);

  const fail = (reason: string): void => {
    if (over) return;
    over = true;
    clearTimeout(connecting);
    socket.destroy();
    closed(connection);
    const told = events;
    events = undefined;
    const isStale = reused && framing === undefined && now() - sentAt < STALE_MS;
    told?.failed(!connected || isStale ? "unreachable" : "broken", reason);
  };

  const chunks = createChunks({
    size: () => undefined,
    data: (bytes, from, to) => events?.data(bytes.subarray(from, to)),
    trailers: (fields) => {
      trailers = trailersToClient(fields);
    },
  });

  /** Returns whether a head was there. */
  const readHead = (): boolean => {
    const end = findEnd(input, { at, line: at }, Math.min(input.length, at + ANSWER_LIMITS.bytes));
    if (end < 0) {
      if (input.length - at >= ANSWER_LIMITS.bytes)
        throw new Error(`the header of its answer is larger than ${ANSWER_LIMITS.bytes} bytes`);
      return false;
    }
    const head = parseResponseHead(input.toString("latin1", at, end), method);
    at = end;
    // an interim answer: the client has its own from the router
    if (head.status < 200) return true;
    ({ framing, keepAlive, outcome } = head);
    if (framing.kind === "length") left = framing.bytes;
    else if (framing.kind === "chunked") chunks.begin();
    events?.head(head);
    return true;
  };

  /** Returns whether the body is whole. */
  const readBody = (): boolean => {
    switch (framing?.kind) {
      case "length": {
        const count = Math.min(left, input.length - at);
        if (count > 0) events?.data(input.subarray(at, at + count));
        at += count;
        left -= count;
        return left === 0;
      }
      case "chunked":
        at = chunks.read(input, at);
        return chunks.isWhole();
      case "close":
        if (at < input.length) events?.data(input.subarray(at));
        at = input.length;
        return false;
      default:
        return true;
    }
  };

  const finish = (): void => {
    const told = events;
    const after = trailers;
    events = undefined;
    trailers = [];
    const reusable = keepAlive && allSent && at === input.length;
    input = EMPTY;
    at = 0;
    framing = undefined;
    if (reusable) {
      if (socket.isPaused()) socket.resume();
      sentAt = now();
      idle(connection);
    } else {
      over = true;
      socket.destroy();
      closed(connection);
    }
    told?.end(after, outcome);
  };

  const advance = (): void => {
    while (events !== undefined && !over) {
      if (framing === undefined) {
        if (at === input.length || !readHead()) return;
      } else if (readBody()) finish();
      else return;
    }
  };

  socket.on("connect", () => {
    connected = true;
    clearTimeout(connecting);
  });
  socket.on("data", (chunk: Buffer) => {
    if (over) return;
    if (events === undefined) {
      fail("it said something that nobody had asked for");
      return;
    }
    const told = events;
    input = at === input.length ? chunk : Buffer.concat([input.subarray(at), chunk]);
    at = 0;
    try {
      advance();
    } catch (error) {
      fail(error instanceof Error ? error.message : String(error));
      return;
    }
    told.flush();
  });
  socket.on("drain", () => resumeSource?.());
  socket.on("end", () => {
    if (over) return;
    if (framing?.kind === "close") {
      keepAlive = false;
      finish();
    } else fail("it closed the connection");
  });
  socket.on("error", (error) => fail(error.message));
  socket.once("close", () => fail("the connection was closed"));

  const sendBody = ({ body }: Message, head: string): void => {
    if (body.kind === "whole") {
      writeAnswer(socket, head, body.pieces, body.bytes);
      return;
    }
    allSent = false;
    const { length, source } = body;
    const mine = events;
    socket.write(head, "latin1");
    resumeSource = () => source.resume();
    source.read(
      (piece) => {
        if (over || events !== mine) return;
        if (length === undefined) socket.write(`${piece.length.toString(16)}\r\n`, "latin1");
        const flushed = socket.write(piece);
        if (length === undefined) socket.write("\r\n", "latin1");
        if (!flushed) source.pause();
      },
      () => {
        if (over || events !== mine) return;
        allSent = true;
        resumeSource = undefined;
        if (length === undefined) socket.write("0\r\n\r\n", "latin1");
      },
    );
  };

  const connection: Connection = {
    send(message, told) {
      reused = connected;
      events = told;
      method = message.method;
      sentAt = now();
      sendBody(message, headOf(message));
      return {
        pause: () => {
          if (events === told) socket.pause();
        },
        resume: () => {
          if (events === told) socket.resume();
        },
        abort: () => {
          if (events !== told) return;
          events = undefined;
          fail("nobody waits for it");
        },
      };
    },
    idleSince: () => sentAt,
    destroy: () => fail("the pod is not used any more"),
  };
  return connection;
};

const headOf = ({ method, target, fields, body }: Message): string => {
  let head = `${method} ${target} HTTP/1.1\r\n`;
  for (let i = 0; i < fields.length; i += 2) head += `${fields[i]}: ${fields[i + 1]}\r\n`;
  if (body.kind === "stream" && body.length === undefined) return `${head}transfer-encoding: chunked\r\n\r\n`;
  const bytes = body.kind === "whole" ? body.bytes : (body.length ?? 0);
  return bytes > 0 || method === "POST" || method === "PUT" ? `${head}content-length: ${bytes}\r\n\r\n` : `${head}\r\n`;
};
