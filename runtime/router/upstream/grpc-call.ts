/** One call on a connection to a pod. */
import { STATUS } from "../../transport/grpc/status.ts";
import { firstFieldOf } from "../../transport/http/fields.ts";
import { type Call, type CallFailure, type Header, isRegular } from "../../transport/http2/index.ts";
import { grpcOutcome } from "../grpc-outcome.ts";
import type { Events, Failure, Fields, Message, Sent } from "../message.ts";
import { unsendableField } from "../unsendable.ts";
import type { Session } from "./grpc-session.ts";

/** Of a request that could not be sent. */
const NOTHING_SENT: Sent = { pause: () => undefined, resume: () => undefined, abort: () => undefined };

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

type State = {
  readonly events: Events;
  call: Call | undefined;
  isOver: boolean;
  /** The head waits until something says whether the call begins well. */
  head: Fields | undefined;
  /** It says all, and there is no body. */
  headEnds: boolean;
  isTold: boolean;
  /** What was written has gone. */
  drain: (() => void) | undefined;
};

export const startCall = (session: Session, message: Message, events: Events): Sent => {
  const headers = headersOf(message, session.authority);
  const why = unsendableField(message.fields) ?? oddHeader(headers);
  if (why !== undefined) return fails(events, "invalid", why);
  const state: State = {
    events,
    call: undefined,
    isOver: false,
    head: undefined,
    headEnds: false,
    isTold: false,
    drain: undefined,
  };
  const call = session.call(headers, {
    begun: () => {
      events.reached();
      if (!state.isOver && state.call !== undefined) state.drain = sendBody(message, state.call, state);
    },
    head: (status, list, ended) => {
      const head = fieldsOf(list);
      state.head = head;
      state.headEnds = ended;
      if (status !== 200) tellHttpStatus(state, status);
      else if (ended) tellHead(state, outcomeOf(head), false);
    },
    data: (bytes) => {
      tellHead(state, 200, true);
      if (!state.isOver) events.data(bytes);
    },
    flush: () => events.flush() === "taken",
    end: (list) => end(state, fieldsOf(list)),
    failed: ({ kind, reason }: CallFailure) => {
      if (!state.isOver) fail(state, kind, reason);
    },
    drained: () => state.drain?.(),
  });
  if (call === undefined)
    return fails(events, "invalid", "its header is larger than the pod takes; send a smaller one");
  state.call = call;
  return {
    pause: call.pause,
    resume: call.resume,
    abort: () => {
      state.isOver = true;
      call.abort();
    },
  };
};

const outcomeOf = (fields: Fields): number =>
  grpcOutcome(firstFieldOf(fields, "grpc-status"), firstFieldOf(fields, "grpc-retry-pushback-ms") !== undefined);

const tellHead = (state: State, outcome: number, hasBody: boolean): void => {
  if (state.isTold || state.head === undefined) return;
  state.isTold = true;
  state.events.head({ status: 200, fields: state.head, length: hasBody ? undefined : 0, hasBody, outcome });
};

/** It did not take it for a call: a 4xx is the client's to mend. */
const tellHttpStatus = (state: State, status: number): void => {
  const reason = `the pod answered a call with the HTTP status ${status}`;
  state.call?.abort();
  if (status < 400 || status >= 500) {
    fail(state, "broken", reason);
    return;
  }
  const grpcStatus = String(STATUS_OF_HTTP.get(status) ?? STATUS.UNKNOWN);
  state.head = ["content-type", "application/grpc", "grpc-status", grpcStatus, "grpc-message", reason];
  tellHead(state, status, false);
  if (state.isOver) return;
  state.isOver = true;
  state.events.end([], status);
};

const end = (state: State, trailers: Fields): void => {
  if (state.isOver) return;
  const outcome = outcomeOf(state.headEnds ? (state.head ?? []) : trailers);
  tellHead(state, outcome, true);
  // the head may have led to another try
  if (state.isOver) return;
  state.isOver = true;
  state.events.end(trailers, outcome);
};

const fail = (state: State, kind: Failure, reason: string): void => {
  state.isOver = true;
  // not in a turn of its own: who tries again must let others have their turn
  if (kind === "broken") state.events.failed(kind, reason);
  else fails(state.events, kind, reason);
};

/** It is told of later. */
const fails = (events: Events, kind: Failure, reason: string): Sent => {
  setImmediate(() => events.failed(kind, reason));
  return NOTHING_SENT;
};

/** Returns what is to be called when what was written has gone. */
const sendBody = ({ body }: Message, call: Call, state: State): (() => void) => {
  if (body.kind === "whole") return sendWhole(body.pieces, call);
  const { source } = body;
  source.read(
    (piece) => {
      if (!state.isOver && !call.write(piece)) source.pause();
    },
    () => call.end(),
  );
  return source.resume;
};

/** As much at a time as can be sent: what waits in the connection is copied. */
const sendWhole = (pieces: readonly Buffer[], call: Call): (() => void) => {
  let at = 0;
  const go = (): void => {
    while (at < pieces.length) if (!call.write(pieces[at++] ?? Buffer.alloc(0))) return;
    call.end();
  };
  go();
  return go;
};

const headersOf = ({ method, target, fields }: Message, authority: string): Header[] => {
  const headers: Header[] = [
    [":method", method],
    [":scheme", "http"],
    [":path", target],
    [":authority", firstFieldOf(fields, "host") ?? authority],
    ["te", "trailers"],
  ];
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] ?? "";
    if (name !== "host") headers.push([name, fields[i + 1] ?? ""]);
  }
  return headers;
};

/** What a pod would refuse, which is then no fault of its own. */
const oddHeader = (headers: readonly Header[]): string | undefined => {
  const odd = headers.find((header) => !header[0].startsWith(":") && !isRegular(header));
  return odd === undefined ? undefined : `the header "${odd[0]}" cannot be sent over HTTP/2; leave it out`;
};

const fieldsOf = (headers: readonly Header[]): Fields => headers.flat();
