/** Pods that are half dead, each in its own way, over HTTP/1.1 and HTTP/2. */

import { createServer as createHttpServer } from "node:http";
import * as http2 from "node:http2";
import { createServer, type Socket } from "node:net";
import { randomFrom } from "../../world/random.ts";

export type Pod = { http: number; grpc: number; stop(): void };

const OK = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/** What a pod does with a request, once it has its head. */
const HTTP_DEEDS: readonly ((socket: Socket) => void)[] = [
  (socket) => socket.write(OK),
  (socket) => socket.write(OK),
  (socket) => socket.write("HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n"),
  (socket) => socket.destroy(),
  (socket) => socket.resetAndDestroy(),
  (socket) => socket.end("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nab"),
  (socket) => socket.end("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab"),
  (socket) => socket.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n"),
  (socket) => socket.write("HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\na"),
  (socket) => socket.write(`HTTP/1.1 200 OK\r\nx: ${"y".repeat(40_000)}\r\n\r\n`),
  (socket) => socket.write("SSH-2.0-OpenSSH_9.9\r\n"),
  (socket) => socket.end(OK.replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n")),
  (socket) => socket.end("HTTP/1.1 408 Late\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"),
  // more than was asked for
  (socket) => socket.write(`${OK}${OK}`),
  (socket) => socket.write("HTTP/1.1 100 Continue\r\n\r\n".repeat(50) + OK),
  (socket) => socket.write(OK.replace("200 OK", "503 Busy")),
  // nothing, for ever
  () => undefined,
];

const ok = (stream: http2.ServerHttp2Stream): void => {
  stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
  stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
  stream.end(Buffer.alloc(5));
};

const GRPC_DEEDS: readonly ((stream: http2.ServerHttp2Stream) => void)[] = [
  ok,
  ok,
  (stream) => stream.respond({ ":status": 200, "grpc-status": "13" }, { endStream: true }),
  (stream) => stream.respond({ ":status": 200, "grpc-status": "4" }, { endStream: true }),
  (stream) => stream.respond({ ":status": 502 }, { endStream: true }),
  (stream) => stream.respond({ ":status": 200 }, { endStream: true }),
  (stream) => stream.close(http2.constants.NGHTTP2_REFUSED_STREAM),
  (stream) => stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR),
  (stream) => stream.session?.goaway(http2.constants.NGHTTP2_NO_ERROR, 0),
  (stream) => stream.session?.goaway(http2.constants.NGHTTP2_ENHANCE_YOUR_CALM, stream.id),
  (stream) => stream.session?.destroy(),
  (stream) => {
    stream.respond({ ":status": 200, "content-type": "application/grpc" });
    stream.write(Buffer.alloc(3));
    setImmediate(() => stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR));
  },
  () => undefined,
];

const portOf = (server: { address(): unknown }): number => {
  const address = server.address();
  return typeof address === "object" && address !== null && "port" in address ? Number(address.port) : 0;
};

/** Answers all, and nothing but what it should. */
export const startWell = async (): Promise<Pod> => {
  const http = createHttpServer((request, response) => request.resume().on("end", () => response.end("ok")));
  const { stop, port } = await grpcServer(ok);
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  return {
    http: portOf(http),
    grpc: port,
    stop() {
      http.close();
      http.closeAllConnections();
      stop();
    },
  };
};

const grpcServer = async (
  onStream: (stream: http2.ServerHttp2Stream) => void,
): Promise<{ port: number; stop(): void }> => {
  const server = http2.createServer();
  const open = new Set<http2.ServerHttp2Session>();
  server.on("session", (session) => {
    open.add(session);
    session.once("close", () => open.delete(session));
    session.on("error", () => undefined);
    session.on("stream", (stream) => {
      stream.on("error", () => undefined);
      onStream(stream);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: portOf(server),
    stop() {
      server.close();
      for (const session of open) session.destroy();
    },
  };
};

export const startPod = async (seed: number): Promise<Pod> => {
  const random = randomFrom(seed);
  const deedOf = <T>(deeds: readonly T[]): T | undefined => deeds[Math.floor(random() * deeds.length)];
  const open = new Set<{ destroy(): void }>();
  const http = createServer((socket) => {
    open.add(socket);
    socket.once("close", () => open.delete(socket));
    let input = "";
    socket.on("error", () => undefined).setEncoding("latin1");
    socket.on("data", (bytes: string) => {
      input += bytes;
      for (let end = wholeRequest(input); end > 0; end = wholeRequest(input)) {
        input = input.slice(end);
        if (!socket.destroyed) deedOf(HTTP_DEEDS)?.(socket);
      }
    });
  });
  const grpc = await grpcServer((stream) => deedOf(GRPC_DEEDS)?.(stream));
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  return {
    http: portOf(http),
    grpc: grpc.port,
    stop() {
      http.close();
      grpc.stop();
      for (const one of open) one.destroy();
    },
  };
};

/** Where the first request ends in what has come; 0 where it is not whole. All of the tests' requests have a length. */
const wholeRequest = (input: string): number => {
  const head = input.indexOf("\r\n\r\n");
  if (head < 0) return 0;
  const length = Number(/content-length: (\d+)/.exec(input.slice(0, head))?.[1] ?? 0);
  const end = head + 4 + length;
  return input.length >= end ? end : 0;
};
