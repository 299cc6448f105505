/** One connection to a pod over HTTP/1.1, for one request after the other. */
import { connect } from "node:net";
import { createChunks } from "../../transport/http/chunks.ts";
import { findEnd } from "../../transport/http/head.ts";
import { writeAnswer } from "../../transport/http/response.ts";
import { trailersToClient } from "../hop-by-hop.ts";
import type { Events, Failure, Fields, Message, Sent } from "../message.ts";
import { createRooms } from "./read-rooms.ts";
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
/** A request that is smaller goes into an empty socket's buffer at once: where the kernel refuses it, nothing of it has left. */
const AT_ONCE_BYTES = 16 * 1024;
const REQUEST_TIMEOUT = 408;

const EMPTY = Buffer.alloc(0);

export const openConnection = ({ host, port }: Address, { closed, idle, now }: Host): Connection => {
  const rooms = createRooms();
  const callback = (bytes: number): boolean => {
    read(rooms.now().subarray(0, bytes));
    return true;
  };
  const socket = connect({ host, port, noDelay: true, onread: { buffer: rooms.next, callback } });
  let connected = false;
  let over = false;
  let reused = false;
  let events: Events | undefined;
  let method = "";
  let sentAt = now();
  /** It goes in one piece. */
  let atOnce = false;
  /** Something has come since. */
  let heard = false;
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

  /** Writes the request, once there is a connection: until then its body can still go elsewhere. */
  let begin = (): void => undefined;

  const connecting = setTimeout(() => fail(`no connection within ${CONNECT_MS} ms`), CONNECT_MS);

  /** @param isUnsent the kernel has not taken what was written last, or the pod has not seen it */
  const fail = (reason: string, isUnsent = false): void => {
    if (over) return;
    over = true;
    clearTimeout(connecting);
    socket.destroy();
    closed(connection);
    const told = events;
    events = undefined;
    if (told === undefined) return;
    const kind = failureOf(isUnsent);
    // some addresses fail before a connection is even begun, and who tries again must let others have their turn
    if (kind === "unreachable") setImmediate(() => told.failed(kind, reason));
    else told.failed(kind, reason);
  };
  const failureOf = (isUnsent: boolean): Failure => {
    if (!connected) return "unreachable";
    if (!reused || (heard && !isUnsent)) return "broken";
    return isUnsent && atOnce ? "unseen" : "stale";
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
    // it was tired of waiting for a request, and has not seen that there is one (RFC 9110, 15.5.9)
    if (reused && atOnce && head.status === REQUEST_TIMEOUT && !head.keepAlive) throw new NotSeen();
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
    begin();
  });
  const read = (chunk: Buffer): void => {
    if (over) return;
    if (events === undefined) {
      fail("it sent data without a request");
      return;
    }
    heard = true;
    const told = events;
    input = at === input.length ? chunk : Buffer.concat([input.subarray(at), chunk]);
    at = 0;
    try {
      advance();
    } catch (error) {
      fail(error instanceof Error ? error.message : String(error), error instanceof NotSeen);
      return;
    }
    const flushed = told.flush();
    // the beginning of a header, or of a chunk, until the rest comes
    if (at < input.length && flushed === "taken") {
      input = Buffer.from(input.subarray(at));
      at = 0;
    }
    rooms.flushed(flushed);
    if (events !== told) rooms.idle();
  };
  socket.on("drain", () => resumeSource?.());
  socket.on("end", () => {
    if (over) return;
    if (framing?.kind === "close") {
      keepAlive = false;
      finish();
    } else fail("it closed the connection");
  });
  socket.on("error", (error) => fail(error.message, !heard && "syscall" in error && error.syscall === "write"));
  socket.once("close", () => fail("the connection was closed"));

  const sendBody = ({ body }: Message, head: string): void => {
    if (body.kind === "whole") {
      atOnce = head.length + body.bytes <= AT_ONCE_BYTES;
      writeAnswer(socket, head, body.pieces, body.bytes);
      return;
    }
    allSent = false;
    const { length, source } = body;
    const mine = events;
    atOnce = false;
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
      heard = false;
      events = told;
      method = message.method;
      sentAt = now();
      begin = () => {
        begin = () => undefined;
        if (events !== told) return;
        told.reached();
        sendBody(message, headOf(message));
      };
      if (connected) begin();
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
          fail("the client no longer waits for it");
        },
      };
    },
    idleSince: () => sentAt,
    destroy: () => fail("the pod has left the routes"),
  };
  return connection;
};

/** What the pod has said on a connection that it was about to close. */
class NotSeen extends Error {}

const headOf = ({ method, target, fields, body }: Message): string => {
  let head = `${method} ${target} HTTP/1.1\r\n`;
  for (let i = 0; i < fields.length; i += 2) head += `${fields[i]}: ${fields[i + 1]}\r\n`;
  if (body.kind === "stream" && body.length === undefined) return `${head}transfer-encoding: chunked\r\n\r\n`;
  const bytes = body.kind === "whole" ? body.bytes : (body.length ?? 0);
  return bytes > 0 || method === "POST" || method === "PUT" ? `${head}content-length: ${bytes}\r\n\r\n` : `${head}\r\n`;
};
