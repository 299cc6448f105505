/** The port of one ModelDeployment: HTTP/1.1 and HTTP/2 on the same one, told apart by the first bytes. */
import { createServer, type Server, type Socket } from "node:net";
import { createSweep } from "../../event-loop/sweep.ts";
import { listenAddress } from "../../transport/listen-address.ts";
import type { Gate } from "../../transport/pace.ts";
import { createPlaces, type Guest, type Places } from "../../transport/places.ts";
import type { ClientConnection, Door } from "./door.ts";
import { serveHttp1 } from "./http1.ts";
import { serveClientHttp2 } from "./http2.ts";

export type Listener = {
  /** Resolves with the port. Rejects where it cannot be had. */
  listen(port: number, host: string): Promise<number>;
  /** Undefined before it listens. */
  port(): number | undefined;
  connections(): number;
  /** Goes on taking connections, and tells clients to leave after their next answer. */
  leave(graceMs: number): void;
  /** Takes no more connections. */
  stop(): void;
  /** Ends all at once. */
  close(): void;
};

export type ListenerOptions = {
  /** A connection that is older, give or take a tenth, is closed after its next answer. */
  maxConnectionAgeMs: number;
  /** For one more, the one that has been idle for longest is closed; where none is, the new one is. */
  maxConnections: number;
  /** In [0, 1). */
  random(): number;
  /** Is told of what should not happen. */
  report(error: unknown): void;
};

const BACKLOG = 1024;
/** The calls that a client has on an HTTP/2 connection that was told to go away may still take so long. */
const AGED_GRACE_MS = 300_000;

type State = {
  readonly door: Door;
  readonly options: ListenerOptions;
  readonly places: Places;
  readonly sockets: Set<Socket>;
  readonly connections: Set<ClientConnection>;
  readonly sweepLater: () => void;
  /** Since `leave`: what its calls may still take, in milliseconds. */
  leaving: number | undefined;
};

export const createListener = (door: Door, options: ListenerOptions): Listener => {
  const connections = new Set<ClientConnection>();
  const sockets = new Set<Socket>();
  const state: State = {
    ...{ door, options, sockets, connections },
    places: createPlaces(options.maxConnections, door.now),
    sweepLater: createSweep(connections, door.times.sweepMs, door.now),
    leaving: undefined,
  };
  let bound: number | undefined;
  const server = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, (socket) =>
    onSocket(state, socket),
  );
  return {
    async listen(port, host) {
      bound = await listening(server, port, host, options.report);
      return bound;
    },
    port: () => bound,
    connections: () => sockets.size,
    leave(graceMs) {
      state.leaving = graceMs;
      for (const connection of connections) connection.leave(graceMs);
    },
    stop() {
      if (server.listening) server.close();
    },
    close() {
      if (server.listening) server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
};

/** Resolves with the port. Rejects where it cannot be had; what fails later is told to `report`. */
const listening = (server: Server, port: number, host: string, report: (error: unknown) => void): Promise<number> => {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  server.once("error", reject);
  server.listen({ port, ...listenAddress(host), backlog: BACKLOG }, () => {
    server.off("error", reject);
    server.on("error", report);
    const address = server.address();
    resolve(typeof address === "object" && address !== null ? address.port : port);
  });
  return promise;
};

const onSocket = (state: State, socket: Socket): void => {
  const { door, places, sockets } = state;
  const address = socket.remoteAddress ?? "";
  if (!places.admit(address)) {
    socket.destroy();
    return;
  }
  const came = door.now();
  const gate = door.pace(socket);
  let connection: ClientConnection | undefined;
  const guest: Guest = {
    idleSince: () => (connection !== undefined ? connection.idleSince() : gate.waits() ? undefined : came),
    destroy: () => socket.destroy(),
  };
  places.add(guest, address);
  sockets.add(socket);
  socket.once("close", () => {
    gate.close();
    sockets.delete(socket);
    places.remove(guest);
  });
  recognise(socket, gate, door, (isHttp2) => {
    connection = adopt(state, socket, gate, isHttp2);
  });
};

/** Serves it in the protocol that it speaks. */
const adopt = (state: State, socket: Socket, gate: Gate, isHttp2: boolean): ClientConnection => {
  const { connections, door, options } = state;
  const ageMs = options.maxConnectionAgeMs * (0.9 + 0.2 * options.random());
  let connection: ClientConnection;
  if (isHttp2) {
    connection = serveClientHttp2(socket, gate, door);
    const aged = setTimeout(() => connection.leave(AGED_GRACE_MS), ageMs).unref();
    socket.once("close", () => clearTimeout(aged));
  } else connection = serveHttp1(socket, gate, door, door.now() + ageMs);
  connections.add(connection);
  socket.once("close", () => connections.delete(connection));
  if (state.leaving !== undefined) connection.leave(state.leaving);
  state.sweepLater();
  return connection;
};

/** Of HTTP/2's preface (RFC 9113, 3.4): no method of HTTP/1.1 that anybody has begins with it. */
const PREFACE_START = "PRI ";

/** Reads as much as tells the protocol, and puts it back. */
const recognise = (
  socket: Socket,
  gate: Gate,
  { after, times }: Pick<Door, "after" | "times">,
  found: (isHttp2: boolean) => void,
): void => {
  const ignore = (): undefined => undefined;
  let isFound = false;
  const onLate = (): void => {
    if (isFound) return;
    // what waits for its turn is not late
    if (gate.waits()) tooLate.refresh();
    else socket.destroy();
  };
  // timers come before the sockets: what has come is read first
  const tooLate = after(times.headerMs, () => setImmediate(onLate));
  let before: Buffer = Buffer.alloc(0);
  const onEnd = (): void => {
    socket.destroy();
  };
  const onData = (chunk: Buffer): void => {
    const start = before.length === 0 ? chunk : Buffer.concat([before, chunk]);
    const text = start.toString("latin1", 0, PREFACE_START.length);
    if (text.length < PREFACE_START.length && PREFACE_START.startsWith(text)) {
      before = start;
      return;
    }
    isFound = true;
    tooLate.close();
    socket.off("data", onData);
    socket.off("end", onEnd);
    gate.pause();
    socket.unshift(start);
    found(text === PREFACE_START);
    socket.off("error", ignore);
    gate.resume();
  };
  socket.on("data", onData);
  socket.once("end", onEnd);
  socket.on("error", ignore);
  socket.once("close", tooLate.close);
  gate.resume();
};
