/** What begins a call: its headers, as "gRPC over HTTP2" defines them. */

import type { Share } from "../../memory/shares.ts";
import type { Stream, StreamHandler } from "../http2/index.ts";
import { headerOf, type RequestHead } from "../http2/index.ts";
import { failCall } from "./answer.ts";
import type { Bound, CallHead, CallOptions } from "./call.ts";
import { timeoutOf } from "./deadline.ts";
import { serveEach } from "./each.ts";
import { type CallStatus, STATUS } from "./status.ts";
import { serveStreams } from "./streamed.ts";
import { serveUnary } from "./unary.ts";

const IGNORED: StreamHandler = {
  data: () => undefined,
  end: () => undefined,
  closed: () => undefined,
  drained: () => undefined,
  sweep: () => undefined,
};

/** Serves a request of the path of `bound`, or of no method at all. */
export const serveRequest = (
  head: RequestHead,
  stream: Stream,
  bound: Bound | undefined,
  share: Share,
  options: CallOptions,
): StreamHandler => {
  if (head.method !== "POST") {
    stream.headers(
      [
        [":status", "405"],
        ["allow", "POST"],
      ],
      true,
    );
    return IGNORED;
  }
  if (!isGrpc(headerOf(head.headers, "content-type"))) {
    stream.headers([[":status", "415"]], true);
    return IGNORED;
  }
  const told = readHead(head, share, options.now());
  if (bound === undefined || "code" in told) {
    const unknown = { code: STATUS.UNIMPLEMENTED, details: `this server has no method ${head.path.slice(0, 200)}` };
    failCall(stream, bound === undefined ? unknown : "code" in told ? told : unknown);
    return IGNORED;
  }
  const { method } = bound;
  if ("open" in method) return serveStreams(stream, { ...bound, method }, told, options);
  return "refusal" in method
    ? serveEach(stream, { ...bound, method }, told, options)
    : serveUnary(stream, { ...bound, method }, told, options);
};

const TYPE = "application/grpc";
const isGrpc = (type: string | undefined): boolean =>
  type === TYPE || type?.startsWith(`${TYPE}+`) === true || type?.startsWith(`${TYPE};`) === true;

const readHead = ({ headers }: RequestHead, share: Share, now: number): CallHead | CallStatus => {
  const timeoutMs = timeoutOf(headerOf(headers, "grpc-timeout"));
  if (timeoutMs === undefined) {
    const details = "grpc-timeout must be up to eight digits and one of H, M, S, m, u, n";
    return { code: STATUS.INVALID_ARGUMENT, details };
  }
  const deadline = now + timeoutMs;
  const encoding = headerOf(headers, "grpc-encoding") ?? "identity";
  if (encoding === "identity") return { share, deadline, encoding: undefined };
  if (encoding === "gzip" || encoding === "deflate") return { share, deadline, encoding };
  return {
    code: STATUS.UNIMPLEMENTED,
    details: `grpc-encoding ${encoding.slice(0, 40)} is unknown; use gzip, deflate or identity`,
    trailers: [["grpc-accept-encoding", "identity,deflate,gzip"]],
  };
};
