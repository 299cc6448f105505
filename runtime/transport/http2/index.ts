/**
 * HTTP/2 for a server without TLS (RFC 9113), as much of it as gRPC needs: requests with a body, answers with trailers,
 * flow control both ways, GOAWAY, and bounds on all that a client can make pile up. `connection.ts` puts the parts together.
 *
 * frames, frame-rules, header-block, preface: what comes in. hpack, header-table, huffman: its headers. request-head: what a
 * request must be. outbox, header-encoder, control, writer: what goes out. settings, rate: what either side may do.
 */
export { type ConnectionOptions, serveHttp2 } from "./connection.ts";
export type { Header } from "./header-table.ts";
export { CANCEL } from "./protocol.ts";
export { headerOf, type RequestHead } from "./request-head.ts";
export type { Connection, OnRequest, Stream, StreamHandler } from "./types.ts";
