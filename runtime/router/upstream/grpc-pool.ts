/** The connections to one pod over HTTP/2, for gRPC: one as a rule, another where that has as many calls as it may. */
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  type IncomingHttpHeaders,
} from "node:http2";
import { grpcOutcome } from "../grpc-outcome.ts";
import { type Events, type Fields, fieldOf, type Message, type Sent } from "../message.ts";
import type { Address } from "./http1-connection.ts";

export type GrpcPool = {
  send(message: Message, events: Events): Sent;
  /** Closes when what runs is answered. */
  retire(): void;
};

/** What a pod may send before it must wait for the client, in bytes: of a call, and of all on a connection. */
const STREAM_WINDOW = 1024 ** 2;
const CONNECTION_WINDOW = 16 * STREAM_WINDOW;
/** Where the pod has not said how many calls it takes on a connection yet. */
const MOST_STREAMS = 100;
const CONNECT_MS = 2000;

type Session = { http2: ClientHttp2Session; calls: number; leaving: boolean };

export const createGrpcPool = ({ host, port }: Address): GrpcPool => {
  const sessions = new Set<Session>();
  let retired = false;

  const open = (): Session => {
    const settings = { initialWindowSize: STREAM_WINDOW, enablePush: false };
    const http2 = connect(`http://${host.includes(":") ? `[${host}]` : host}:${port}`, { settings });
    const session: Session = { http2, calls: 0, leaving: false };
    const connecting = setTimeout(() => http2.destroy(new Error(`no connection within ${CONNECT_MS} ms`)), CONNECT_MS);
    sessions.add(session);
    http2.once("connect", () => {
      clearTimeout(connecting);
      http2.setLocalWindowSize(CONNECTION_WINDOW);
    });
    // the pod is leaving: what runs goes on, and the next call goes elsewhere
    http2.once("goaway", () => {
      session.leaving = true;
    });
    // each call is told by its own error
    http2.on("error", () => undefined);
    http2.once("close", () => {
      clearTimeout(connecting);
      sessions.delete(session);
    });
    return session;
  };
  const pick = (): Session => {
    for (const session of sessions) {
      const { calls, http2, leaving } = session;
      const most = http2.remoteSettings?.maxConcurrentStreams ?? MOST_STREAMS;
      if (!leaving && !http2.closed && !http2.destroyed && calls < most) return session;
    }
    return open();
  };

  return {
    send(message, events) {
      const session = pick();
      session.calls++;
      const call = startCall(session.http2, message, events);
      call.stream?.once("close", () => {
        session.calls--;
        if (retired && session.calls === 0) session.http2.close();
      });
      return call;
    },
    retire() {
      retired = true;
      for (const { calls, http2 } of sessions) if (calls === 0) http2.close();
    },
  };
};

const startCall = (
  session: ClientHttp2Session,
  message: Message,
  events: Events,
): Sent & { stream?: ClientHttp2Stream } => {
  let stream: ClientHttp2Stream;
  try {
    stream = session.request(headersOf(message));
  } catch (error) {
    process.nextTick(() => events.failed("unreachable", String(error)));
    return { pause: () => undefined, resume: () => undefined, abort: () => undefined };
  }
  let over = false;
  /** The head waits until something says whether the call begins well. */
  let head: Fields | undefined;
  let told = false;
  let trailers: Fields = [];
  const tellHead = (outcome: number, hasBody: boolean): void => {
    if (told || head === undefined) return;
    told = true;
    events.head({ status: 200, fields: head, length: hasBody ? undefined : 0, hasBody, outcome });
  };
  const outcomeOf = (fields: Fields): number =>
    grpcOutcome(fieldOf(fields, "grpc-status"), fieldOf(fields, "grpc-retry-pushback-ms") !== undefined);
  const fail = (kind: "unreachable" | "broken", reason: string): void => {
    if (over) return;
    over = true;
    events.failed(kind, reason);
  };

  stream.once("response", (headers, flags) => {
    if (over) return;
    head = fieldsOf(headers);
    if (headers[":status"] !== 200) {
      stream.close(constants.NGHTTP2_CANCEL);
      fail("broken", `it answered a call with the HTTP status ${headers[":status"]}`);
    } else if ((flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0) {
      const outcome = outcomeOf(head);
      tellHead(outcome, false);
      if (over) return;
      over = true;
      events.end([], outcome);
    }
  });
  stream.on("data", (piece: Buffer) => {
    if (over) return;
    tellHead(200, true);
    if (over) return;
    events.data(piece);
    events.flush();
  });
  stream.once("trailers", (headers) => {
    trailers = fieldsOf(headers);
  });
  stream.once("end", () => {
    if (over || head === undefined) return;
    const outcome = outcomeOf(trailers);
    tellHead(outcome, true);
    // the head may have led to another try
    if (over) return;
    over = true;
    events.end(trailers, outcome);
  });
  stream.on("error", (error) => {
    // the pod has not begun with it (RFC 9113, 8.7), or there was no connection at all
    const unseen = stream.rstCode === constants.NGHTTP2_REFUSED_STREAM || session.connecting || isRefused(error);
    fail(unseen ? "unreachable" : "broken", error.message);
  });
  stream.once("close", () => fail("broken", `the call ended with code ${stream.rstCode}`));

  const { body } = message;
  if (body.kind === "whole") {
    for (const piece of body.pieces) stream.write(piece);
    stream.end();
  } else {
    const { source } = body;
    stream.on("drain", () => source.resume());
    source.read(
      (piece) => {
        if (!over && !stream.destroyed && !stream.write(piece)) source.pause();
      },
      () => {
        if (!stream.destroyed) stream.end();
      },
    );
  }
  return {
    stream,
    pause: () => stream.pause(),
    resume: () => stream.resume(),
    abort: () => {
      if (over) return;
      over = true;
      stream.close(constants.NGHTTP2_CANCEL);
    },
  };
};

const isRefused = (error: Error): boolean => "code" in error && error.code === "ECONNREFUSED";

const headersOf = ({ method, target, fields }: Message): Record<string, string | string[]> => {
  // a map: a client may name a header as it likes, also as something that every object has
  const headers = new Map<string, string | string[]>([
    [":method", method],
    [":path", target],
    ["te", "trailers"],
  ]);
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] === "host" ? ":authority" : (fields[i] ?? "");
    const value = fields[i + 1] ?? "";
    const before = headers.get(name);
    headers.set(name, before === undefined ? value : [...(Array.isArray(before) ? before : [before]), value]);
  }
  return Object.fromEntries(headers);
};

/** Without what HTTP/2 itself says. */
const fieldsOf = (headers: IncomingHttpHeaders): Fields => {
  const fields: string[] = [];
  for (const [name, value] of Object.entries(headers)) {
    if (name.startsWith(":") || value === undefined) continue;
    for (const one of Array.isArray(value) ? value : [value]) fields.push(name, one);
  }
  return fields;
};
