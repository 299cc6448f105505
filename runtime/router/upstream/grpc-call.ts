/** One call on a connection to a pod. */
import { type ClientHttp2Stream, constants, type IncomingHttpHeaders } from "node:http2";
import { STATUS } from "../../transport/grpc/status.ts";
import { firstFieldOf } from "../../transport/http/fields.ts";
import { grpcOutcome } from "../grpc-outcome.ts";
import type { Events, Failure, Fields, Message, Sent } from "../message.ts";
import type { Session } from "./grpc-session.ts";

/** Of a request that could not be sent. */
export const NOTHING_SENT: Sent = { pause: () => undefined, resume: () => undefined, abort: () => undefined };

/** The connection's fault, where a request is not even begun. */
const OF_THE_SESSION: ReadonlySet<string> = new Set([
  "ERR_HTTP2_GOAWAY_SESSION",
  "ERR_HTTP2_INVALID_SESSION",
  "ERR_HTTP2_OUT_OF_STREAMS",
  "ERR_HTTP2_SOCKET_UNBOUND",
]);

/** Which Berth's own servers never answer with. */
const PERMISSION_DENIED = 7;
const UNAUTHENTICATED = 16;
/** What gRPC's clients make of an answer that is none (grpc/doc/http-grpc-status-mapping.md). */
const STATUS_OF_HTTP: ReadonlyMap<number, number> = new Map([
  [400, STATUS.INTERNAL],
  [401, UNAUTHENTICATED],
  [403, PERMISSION_DENIED],
  [404, STATUS.UNIMPLEMENTED],
  [429, STATUS.UNAVAILABLE],
]);

/** Undefined where it is not sent at all: `events` hears of that later. */
export const startCall = (
  session: Session,
  message: Message,
  events: Events,
): (Sent & { stream: ClientHttp2Stream }) | undefined => {
  const { http2 } = session;
  let stream: ClientHttp2Stream;
  try {
    // by itself, it would take a GET for one without a body
    stream = http2.request(headersOf(message), { endStream: false });
  } catch (error) {
    const kind = OF_THE_SESSION.has(codeOf(error)) ? "unseen" : "invalid";
    setImmediate(() => events.failed(kind, error instanceof Error ? error.message : String(error)));
    return undefined;
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
  /** The pod has said all: what its client still sends is for nobody, and would keep the stream open for as long as that stays. */
  const end = (last: Fields, outcome: number): void => {
    over = true;
    if (!stream.writableFinished) stream.close(constants.NGHTTP2_CANCEL);
    events.end(last, outcome);
  };
  const outcomeOf = (fields: Fields): number =>
    grpcOutcome(firstFieldOf(fields, "grpc-status"), firstFieldOf(fields, "grpc-retry-pushback-ms") !== undefined);
  const fail = (kind: Failure, reason: string): void => {
    if (over) return;
    over = true;
    // not in a turn of its own: who tries again must let others have their turn
    if (kind === "broken") events.failed(kind, reason);
    else setImmediate(() => events.failed(kind, reason));
  };
  const failureOf = (error: Error | undefined): Failure => {
    if (http2.connecting || codeOf(error) === "ECONNREFUSED") return "unreachable";
    // the pod has not begun with it (RFC 9113, 6.8 and 8.7)
    const isAbove = stream.id !== undefined && stream.id > session.lastServed();
    return head === undefined && (isAbove || stream.rstCode === constants.NGHTTP2_REFUSED_STREAM) ? "unseen" : "broken";
  };

  /** It did not take it for a call: a 4xx is the client's to mend. */
  const tellHttpStatus = (status: number): void => {
    const reason = `the pod answered a call with the HTTP status ${status}`;
    if (status < 400 || status >= 500) {
      fail("broken", reason);
      return;
    }
    head = [
      "content-type",
      "application/grpc",
      "grpc-status",
      String(STATUS_OF_HTTP.get(status) ?? STATUS.UNKNOWN),
      "grpc-message",
      reason,
    ];
    tellHead(status, false);
    if (over) return;
    over = true;
    events.end([], status);
  };

  stream.once("response", (headers, flags) => {
    session.heard();
    if (over) return;
    head = fieldsOf(headers);
    if (headers[":status"] !== 200) {
      stream.close(constants.NGHTTP2_CANCEL);
      tellHttpStatus(headers[":status"] ?? 0);
    } else if ((flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0) {
      const outcome = outcomeOf(head);
      tellHead(outcome, false);
      if (!over) end([], outcome);
    }
  });
  stream.on("data", (piece: Buffer) => {
    session.heard();
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
    if (!over) end(trailers, outcome);
  });
  // not even begun: its header does not fit into what a connection can carry, or the pod said in that moment that it leaves, of
  // which the stream's own error tells
  stream.once("frameError", (_type, code) => {
    if (code !== constants.NGHTTP2_INTERNAL_ERROR) fail("invalid", `its header cannot be sent (code ${code})`);
  });
  stream.on("error", (error) => fail(failureOf(error), error.message));
  stream.once("close", () => fail(failureOf(undefined), `the call ended with code ${stream.rstCode}`));

  const begin = (): void => {
    if (over || stream.destroyed) return;
    events.reached();
    sendBody(message, stream, () => over);
  };
  // a body that can be had only once stays where it is until there is a connection
  if (stream.pending) stream.once("ready", begin);
  else begin();
  return {
    stream,
    pause: () => stream.pause(),
    resume: () => stream.resume(),
    abort: () => {
      if (over) return;
      over = true;
      // all of an answer may have come that nobody takes: to close the stream then does nothing
      if (stream.closed) stream.destroy();
      else stream.close(constants.NGHTTP2_CANCEL);
    },
  };
};

const sendBody = ({ body }: Message, stream: ClientHttp2Stream, isOver: () => boolean): void => {
  if (body.kind === "whole") {
    for (const piece of body.pieces) stream.write(piece);
    stream.end();
    return;
  }
  const { source } = body;
  stream.on("drain", () => source.resume());
  source.read(
    (piece) => {
      if (!isOver() && !stream.destroyed && !stream.write(piece)) source.pause();
    },
    () => {
      if (!stream.destroyed) stream.end();
    },
  );
};

const codeOf = (error: unknown): string =>
  error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";

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
