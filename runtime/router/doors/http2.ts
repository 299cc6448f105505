/** A client's connection over HTTP/2: gRPC, and whatever else speaks it. */
import type { Socket } from "node:net";
import { CLIENT_LIMITS } from "../../server/http/request-rules.ts";
import {
  type Header,
  type RequestHead,
  type Stream,
  type StreamHandler,
  serveHttp2,
} from "../../server/http2/index.ts";
import { fieldsToPod, type Sender, senderOf } from "../forwarded.ts";
import type { Body, Exchange, Fields, Message, Reply } from "../message.ts";
import type { Client } from "../stream-slots.ts";
import type { ClientConnection, Door } from "./door.ts";
import { createIncomingBody } from "./incoming-body.ts";

const OPTIONS = {
  headLimits: CLIENT_LIMITS,
  maxConcurrentStreams: 256,
  keepaliveMs: 60_000,
  keepaliveTimeoutMs: 20_000,
};
/** What may wait for a client that is slow, of one answer, in bytes. */
const MOST_QUEUED = 256 * 1024;
/**
 * A call that has sent a whole message and, for so long, neither its end nor more of it, is a stream: it may wait for an answer
 * before it goes on. Clients send the end of a unary call with its message.
 */
const QUIET_MS = 20;
const INTERNAL_ERROR = 2;

export const serveClientHttp2 = (socket: Socket, door: Door): ClientConnection => {
  const sender = senderOf(socket, door.isTrusted, "2");
  const connection = { sender, client: { address: sender.address, streams: 0 } };
  return serveHttp2(socket, { ...OPTIONS, now: door.now }, (head, stream) =>
    serveStream(head, stream, connection, door),
  );
};

const serveStream = (
  head: RequestHead,
  stream: Stream,
  { client, sender }: { client: Client; sender: Sender },
  door: Door,
): StreamHandler => {
  const { contentLength: length, headers, method, path } = head;
  const protocol = isGrpc(headers) ? "grpc" : "http";
  let exchange: Exchange | undefined;
  let over = false;
  let quiet: NodeJS.Timeout | undefined;

  const finish = (): void => {
    over = true;
    clearTimeout(quiet);
    body.release();
    exchange = undefined;
  };
  const serve = (content: Body): void => {
    clearTimeout(quiet);
    const message: Message = { protocol, method, target: path, fields: fieldsOf(head, sender), body: content };
    const served = door.serve(
      message,
      replyOf(stream, () => finish()),
      client,
    );
    if (!over) exchange = served;
  };
  const body = createIncomingBody({
    ...{ kept: door.kept, length, serve },
    pause: stream.pause,
    resume: stream.resume,
  });
  const listen = (): void => {
    if (protocol !== "grpc" || over) return;
    clearTimeout(quiet);
    quiet = setTimeout(() => body.stream(true), QUIET_MS);
  };

  listen();
  return {
    data: (bytes) => {
      if (over) return;
      body.push(bytes);
      if (exchange === undefined) listen();
    },
    end: () => {
      clearTimeout(quiet);
      if (!over) body.end();
    },
    closed: () => {
      const left = exchange;
      finish();
      left?.gone();
    },
    drained: () => exchange?.drained(),
    // the windows bound what comes, and the connection's keep-alive how long
    sweep: () => undefined,
  };
};

const replyOf = (stream: Stream, ended: () => void): Reply => {
  /** Of an answer without a body: they end the stream, so they go with its end. */
  let alone: Header[] | undefined;
  return {
    head: ({ status, fields, length, hasBody }) => {
      const headers: Header[] = [[":status", String(status)], ...pairs(fields)];
      if (length !== undefined && hasBody) headers.push(["content-length", String(length)]);
      if (hasBody) stream.headers(headers, false);
      else alone = headers;
    },
    data: (piece) => {
      stream.write(piece);
      return stream.queued() < MOST_QUEUED;
    },
    flush: () => undefined,
    end: (trailers) => {
      // the stream may be gone with its last frame: the exchange must have been let go by then
      ended();
      if (alone === undefined) stream.end(pairs(trailers));
      else stream.headers(alone, true);
    },
    abort: () => {
      ended();
      stream.reset(INTERNAL_ERROR);
    },
  };
};

const pairs = (fields: Fields): Header[] => {
  const headers: Header[] = [];
  for (let i = 0; i < fields.length; i += 2) headers.push([fields[i] ?? "", fields[i + 1] ?? ""]);
  return headers;
};

const isGrpc = (headers: readonly Header[]): boolean =>
  headers.some(([name, value]) => name === "content-type" && value.startsWith("application/grpc"));

/** As HTTP/1.1 has them: with a host, and cookies in one field (RFC 9113, 8.2.3). */
const fieldsOf = ({ authority, headers }: RequestHead, sender: Sender): Fields => {
  const fields: string[] = [];
  const cookies: string[] = [];
  for (const [name, value] of headers) {
    if (name === "cookie") cookies.push(value);
    else if (name !== "host" || authority === undefined) fields.push(name, value);
  }
  if (cookies.length > 0) fields.push("cookie", cookies.join("; "));
  return fieldsToPod(authority === undefined ? fields : ["host", authority, ...fields], sender);
};
