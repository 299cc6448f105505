/**
 * HTTP/1.1 on node:net. node:http behind the same interface answered a small JSON POST 1.37 times slower (77,000 instead of
 * 106,000 requests/s at 32 connections on a core of an AMD EPYC, Node 24.21, wrk beside it) for 13 instead of 9.5 µs of CPU.
 */
import { createServer, type Server, type Socket } from "node:net";
import { createSweep } from "../../event-loop/sweep.ts";
import { createShares, type Memory } from "../../memory/shares.ts";
import { listenAddress } from "../listen-address.ts";
import { createPace, type Pace } from "../pace.ts";
import { createPlaces, type Places } from "../places.ts";
import { type Connection, serveConnection } from "./connection.ts";
import { createCors, type Origins } from "./cors.ts";
import { countStatus, createCounters, type HttpSnapshot, snapshotOf } from "./counters.ts";
import { drain } from "./drain.ts";
import { byteLength, encodeHead, jsonError, writeAnswer } from "./response.ts";
import { createRouter } from "./router.ts";
import type { Shared } from "./shared.ts";
import { TIMES, type Times } from "./times.ts";
import type { Long, Routes } from "./types.ts";

export type HttpServerOptions = {
  /** Of a body, before and after decompression. */
  maxBodyBytes: number;
  /** A connection that is older, give or take a tenth, is closed after its next answer. */
  maxConnectionAgeMs: number;
  /** Of pages in browsers that may ask. Default: none but those that this server itself would have. */
  origins?: Origins | undefined;
  /** For one more, one that is idle is closed; where none is, it is told to come back later. Default: 4096. */
  maxConnections?: number;
  /** Of all bodies together that did not come with their header in one piece. Default: four of the largest. */
  maxBufferedBytes?: number;
  /** Of all answers together, larger than 64 KiB, that their clients have not taken. Default: 16 of the largest bodies. */
  maxUnsentBytes?: number;
  /** Instead of both: one account for these and for what others hold. An answer counts half of it at most. */
  memory?: Memory;
  /** How connections are read, those of others among them. Default: one of its own, which collects nothing. */
  pace?: Pace;
  /** How what takes long is done. Default: at once. */
  long?: Long;
  times?: Partial<Times>;
  /** Milliseconds, never going back; from 0 to 1. */
  now?: () => number;
  random?: () => number;
};

export type Log = { error(details: { err: unknown }, message: string): void };

export type HttpServer = {
  /** Resolves to the port. Rejects where it cannot be had. */
  listen(port: number, host: string): Promise<number>;
  /**
   * Ends the server without failing a request: goes on accepting connections until none has brought a request for
   * `quietMs` (others must first learn that this server is leaving) or `acceptMs` are over, tells each client to close, and
   * resolves when the last connection is gone.
   */
  drain(times: { quietMs: number; acceptMs: number }): Promise<void>;
  snapshot(): HttpSnapshot;
  /** Ends it at once. */
  close(): Promise<void>;
};

const MAX_CONNECTIONS = 4096;
/** So many more are told that they are too many; the rest are just closed. */
const MAX_REFUSED = 256;
const BUFFERED_BODIES = 4;
const UNSENT_ANSWERS = 16;
const BACKLOG = 1024;

type ServerState = {
  readonly options: HttpServerOptions;
  readonly log: Log;
  readonly shared: Shared;
  readonly server: Server;
  readonly connections: Set<Connection>;
  readonly places: Places;
  readonly sweepLater: () => void;
  /** Connections that are being told that they are too many. */
  refused: number;
};

export const createHttpServer = (routes: readonly Routes[], options: HttpServerOptions, log: Log): HttpServer => {
  const state = createState(createShared(routes, options, log), options, log);
  const { connections, server, shared } = state;
  return {
    listen: (port, host) => listen(state, port, host),
    drain: (times) => drain(state, times),
    snapshot: () => snapshotOf(shared.counters, connections.size),
    close() {
      const { promise, resolve } = Promise.withResolvers<void>();
      server.close(() => setImmediate(resolve));
      for (const connection of connections) connection.destroy();
      return promise;
    },
  };
};

const createShared = (routes: readonly Routes[], options: HttpServerOptions, log: Log): Shared => {
  const { maxBodyBytes, maxBufferedBytes = BUFFERED_BODIES * maxBodyBytes, memory, origins } = options;
  const { now = () => performance.now(), pace = createPace() } = options;
  const maxUnsentBytes =
    memory === undefined ? (options.maxUnsentBytes ?? UNSENT_ANSWERS * maxBodyBytes) : memory.mostBytes / 2;
  return {
    router: createRouter(routes),
    cors: origins === undefined ? undefined : createCors(origins),
    nextIncoming: memory?.nextShare ?? createShares(maxBufferedBytes, now),
    nextUnsent: memory?.nextShare ?? createShares(maxUnsentBytes, now),
    maxUnsentBytes,
    maxBodyBytes,
    long: options.long,
    pace,
    times: { ...TIMES, ...options.times },
    counters: createCounters(),
    now,
    dateLine: createDateLine(),
    closing: false,
    held: undefined,
    lastActivity: 0,
    logError: (error) => log.error({ err: error }, "an HTTP request failed"),
  };
};

/** A second is as exact as the header is. */
const createDateLine = (): Shared["dateLine"] => {
  let at = Number.NEGATIVE_INFINITY;
  let line = "";
  return (now) => {
    if (now - at >= 1000) {
      at = now;
      line = `date: ${new Date().toUTCString()}\r\n`;
    }
    return line;
  };
};

const createState = (shared: Shared, options: HttpServerOptions, log: Log): ServerState => {
  const connections = new Set<Connection>();
  const state: ServerState = {
    ...{ options, log, shared, connections, refused: 0 },
    places: createPlaces(options.maxConnections ?? MAX_CONNECTIONS, shared.now),
    sweepLater: createSweep(connections, shared.times.sweepMs, shared.now),
    server: createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, (socket) =>
      accept(state, socket),
    ),
  };
  return state;
};

const accept = (state: ServerState, socket: Socket): void => {
  const { connections, options, places, shared, sweepLater } = state;
  const { maxConnectionAgeMs, random = Math.random } = options;
  const now = shared.now();
  shared.counters.accepted++;
  shared.lastActivity = now;
  const address = socket.remoteAddress ?? "";
  if (!places.admit(address)) {
    refuse(state, socket, now);
    return;
  }
  const connection = serveConnection(socket, shared, now + maxConnectionAgeMs * (0.9 + 0.2 * random()));
  connections.add(connection);
  places.add(connection, address);
  socket.once("close", () => {
    connections.delete(connection);
    places.remove(connection);
  });
  sweepLater();
};

/** Tells it to come back later. */
const refuse = (state: ServerState, socket: Socket, now: number): void => {
  const { counters, dateLine, times } = state.shared;
  socket.on("error", () => undefined);
  if (state.refused >= MAX_REFUSED) {
    socket.destroy();
    return;
  }
  state.refused++;
  const timer = setTimeout(() => socket.destroy(), times.lingerMs);
  socket.once("close", () => {
    state.refused--;
    clearTimeout(timer);
  });
  socket.resume();
  countStatus(counters, 503);
  const answer = jsonError(503, "too many connections; try again", { "retry-after": "1", connection: "close" });
  const length = byteLength(answer.parts);
  writeAnswer(socket, encodeHead(answer, length, dateLine(now)), answer.parts, length);
  socket.end();
};

const listen = ({ log, server }: ServerState, port: number, host: string): Promise<number> => {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  server.once("error", reject);
  server.listen({ port, ...listenAddress(host), backlog: BACKLOG }, () => {
    server.off("error", reject);
    server.on("error", (error) => log.error({ err: error }, "the HTTP port failed"));
    const address = server.address();
    resolve(typeof address === "object" && address !== null ? address.port : port);
  });
  return promise;
};
