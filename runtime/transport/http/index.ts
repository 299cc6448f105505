/**
 * HTTP/1.1 on node:net. node:http behind the same interface answered a small JSON POST 1.37 times slower (77,000 instead of
 * 106,000 requests/s at 32 connections on a core of an AMD EPYC, Node 24.21, wrk beside it) for 13 instead of 9.5 µs of CPU.
 */
import { createServer } from "node:net";
import { setTimeout as sleep, setImmediate as turn } from "node:timers/promises";
import { createSweep } from "../../event-loop/sweep.ts";
import { createShares, type Memory } from "../../memory/shares.ts";
import { listenAddress } from "../listen-address.ts";
import { createPace, type Pace } from "../pace.ts";
import { createPlaces } from "../places.ts";
import { type Connection, serveConnection } from "./connection.ts";
import { createCors, type Origins } from "./cors.ts";
import { countStatus, createCounters, type HttpSnapshot, snapshotOf } from "./counters.ts";
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
const DRAIN_TICK_MS = 50;
/** An idle connection may just be about to carry a request; in a drain one that has been idle this long is closed. */
const DRAIN_IDLE_MS = 1000;

export const createHttpServer = (routes: readonly Routes[], options: HttpServerOptions, log: Log): HttpServer => {
  const { maxBodyBytes, maxConnectionAgeMs } = options;
  const maxConnections = options.maxConnections ?? MAX_CONNECTIONS;
  const random = options.random ?? Math.random;
  const { memory } = options;
  const maxUnsentBytes =
    memory === undefined ? (options.maxUnsentBytes ?? UNSENT_ANSWERS * maxBodyBytes) : memory.mostBytes / 2;
  const now = options.now ?? (() => performance.now());
  const counters = createCounters();
  const connections = new Set<Connection>();
  const places = createPlaces(maxConnections, now);
  let dateAt = Number.NEGATIVE_INFINITY;
  let date = "";
  const shared: Shared = {
    router: createRouter(routes),
    cors: options.origins === undefined ? undefined : createCors(options.origins),
    nextIncoming: memory?.nextShare ?? createShares(options.maxBufferedBytes ?? BUFFERED_BODIES * maxBodyBytes, now),
    nextUnsent: memory?.nextShare ?? createShares(maxUnsentBytes, now),
    maxUnsentBytes,
    maxBodyBytes,
    long: options.long,
    pace: options.pace ?? createPace(),
    times: { ...TIMES, ...options.times },
    counters,
    now,
    dateLine(now) {
      if (now - dateAt >= 1000) {
        dateAt = now;
        date = `date: ${new Date().toUTCString()}\r\n`;
      }
      return date;
    },
    closing: false,
    held: undefined,
    lastActivity: 0,
    logError: (error) => log.error({ err: error }, "an HTTP request failed"),
  };

  let refused = 0;
  const sweepLater = createSweep(connections, shared.times.sweepMs, shared.now);
  const server = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, (socket) => {
    counters.accepted++;
    const now = shared.now();
    shared.lastActivity = now;
    const address = socket.remoteAddress ?? "";
    if (!places.admit(address)) {
      socket.on("error", () => undefined);
      if (refused >= MAX_REFUSED) {
        socket.destroy();
        return;
      }
      refused++;
      const timer = setTimeout(() => socket.destroy(), shared.times.lingerMs);
      socket.once("close", () => {
        refused--;
        clearTimeout(timer);
      });
      socket.resume();
      countStatus(counters, 503);
      const answer = jsonError(503, "too many connections; try again", { "retry-after": "1", connection: "close" });
      const length = byteLength(answer.parts);
      writeAnswer(socket, encodeHead(answer, length, shared.dateLine(now)), answer.parts, length);
      socket.end();
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
  });

  const closeIdle = async (idleMs: number): Promise<void> => {
    await turn();
    const time = shared.now() - idleMs;
    for (const connection of connections) connection.closeIdleSince(time);
  };

  /**
   * Closing the port resets the connections that the kernel has made and nobody has accepted yet. Clients that wait for an
   * answer make no new ones: so answers are held until for some turns none came. One that comes just then is lost; that is
   * why the port stays open while others learn that it will close.
   */
  const emptyBacklog = async (): Promise<void> => {
    for (let total = 0, empty = 0; total < 50 && empty < 4; total++) {
      const before = counters.accepted;
      await sleep(5);
      await turn();
      empty = counters.accepted === before ? empty + 1 : 0;
    }
  };

  const drain = async ({ quietMs, acceptMs }: { quietMs: number; acceptMs: number }): Promise<void> => {
    const started = shared.now();
    const idleMs = Math.min(DRAIN_IDLE_MS, acceptMs);
    shared.closing = true;
    for (;;) {
      await closeIdle(idleMs);
      const now = shared.now();
      const quietSince = Math.max(started, shared.lastActivity);
      if (now - started >= acceptMs || (counters.inFlight === 0 && now - quietSince >= quietMs)) break;
      await sleep(DRAIN_TICK_MS);
    }
    const held: (() => void)[] = [];
    shared.held = held;
    await emptyBacklog();
    const { promise, resolve } = Promise.withResolvers<void>();
    let open = true;
    server.close(() => {
      open = false;
      resolve();
    });
    shared.held = undefined;
    for (const send of held) send();
    // What was accepted last still gets its answer, and a connection that says nothing is not waited for.
    while (open || connections.size > 0) {
      await Promise.race([promise, sleep(DRAIN_TICK_MS)]);
      await closeIdle(idleMs);
    }
  };

  return {
    listen(port, host) {
      const { promise, resolve, reject } = Promise.withResolvers<number>();
      server.once("error", reject);
      server.listen({ port, ...listenAddress(host), backlog: BACKLOG }, () => {
        server.off("error", reject);
        server.on("error", (error) => log.error({ err: error }, "the HTTP port failed"));
        const address = server.address();
        resolve(typeof address === "object" && address !== null ? address.port : port);
      });
      return promise;
    },
    drain,
    snapshot: () => snapshotOf(counters, connections.size),
    close() {
      const { promise, resolve } = Promise.withResolvers<void>();
      server.close(() => setImmediate(resolve));
      for (const connection of connections) connection.destroy();
      return promise;
    },
  };
};
