/**
 * HTTP/2 without TLS (RFC 9113), as much of it as gRPC needs: requests with a body, answers with trailers, flow control both ways,
 * GOAWAY, and bounds on all that the other side can make pile up. `connection.ts` puts the parts together for a server, `client.ts`
 * for a client.
 *
 * frames, frame-rules, header-block, incoming, preface: what comes in. hpack, header-table, huffman: its headers. field-rules,
 * request-head, response-head: what they must be. intake, reset-by-us: the windows of what comes. outbox, header-encoder, control,
 * writer: what goes out. settings, rate, bounds: what either side may do. streams, stream-state, stream-requests: a server's;
 * client-calls, call-state, call-requests, call-answers: a client's.
 */
export { createHttp2Client } from "./client.ts";
export type { Call, CallEvents, CallFailure, Client, ClientOptions } from "./client-types.ts";
export { type ConnectionOptions, serveHttp2 } from "./connection.ts";
export { CONNECTION_HEADERS, isRegular, listBytes } from "./field-rules.ts";
export type { Header } from "./header-table.ts";
export { CANCEL } from "./protocol.ts";
export { headerOf, type RequestHead } from "./request-head.ts";
export type { Connection, OnRequest, Stream, StreamHandler } from "./types.ts";
