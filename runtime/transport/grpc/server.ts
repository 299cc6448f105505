/** The gRPC side of the server: connections, their bounds, draining, health, reflection; services come from outside. */
import { createServer, type Server, type Socket } from "node:net";
import { performance } from "node:perf_hooks";
import { type After, after as afterMs } from "../../event-loop/after.ts";
import { createSweep } from "../../event-loop/sweep.ts";
import { createShares, type Memory } from "../../memory/shares.ts";
import { type Connection, type ConnectionOptions, serveHttp2 } from "../http2/index.ts";
import { listenAddress } from "../listen-address.ts";
import { createPace, type Pace } from "../pace.ts";
import { createPlaces } from "../places.ts";
import type { Bound } from "./call.ts";
import { type Calls, callsOf } from "./count.ts";
import { createHealth, type Health } from "./health.ts";
import { loadProtos } from "./protos.ts";
import { createReflection } from "./reflection.ts";
import { serveRequest } from "./request.ts";
import type { GrpcService, LongCalls } from "./types.ts";

export type GrpcServerOptions = {
  /** The largest message, each way; a larger one fails its call with RESOURCE_EXHAUSTED. */
  maxMessageBytes: number;
  /** A connection that is older (give or take a tenth, by chance) is told to go away. */
  maxConnectionAgeMs: number;
  /** How long calls may still run on a connection that was told to go away, be it for its age or to drain. */
  graceMs: number;
  /** Calls that one connection may have open at a time; more wait at the client. */
  maxConcurrentStreams: number;
  /** For one more, one that has no call is closed; where each has, the new one is. */
  maxConnections: number;
  /** A connection that is silent for so long is asked for a sign of life ... */
  keepaliveMs: number;
  /** ... and closed where none comes within this. */
  keepaliveTimeoutMs: number;
  /** What health answers for besides the server as a whole and its services: the model's name. */
  healthNames: readonly string[];
  /** From 0 to 1: spreads the ends of connections that began together. */
  random?: () => number;
  /** Milliseconds, never going back. */
  now?: () => number;
  /** For the ends of connections that are too old. */
  after?: After;
  /** One account for messages and for what others hold. Default: one of its own, of 16 of the largest messages. */
  memory?: Memory;
  /** How connections are read, those of others among them. Default: one of its own. */
  pace?: Pace;
  /** For messages that take long to read or to write. Default: all are answered at once. */
  long?: LongCalls;
};

export type GrpcSnapshot = { connections: number; calls: Calls[] };

export type GrpcServer = {
  /** Resolves with the port. Rejects where it cannot be had. */
  listen(port: number, host: string): Promise<number>;
  /** What health tells; NOT_SERVING until it is called. */
  setServing(serving: boolean): void;
  /**
   * Takes no more connections, tells clients to go away, and lets their calls end. Resolves when the last connection is
   * closed, which is after `graceMs` at the latest.
   */
  drain(): Promise<void>;
  /** Plain data, fit to be sent to another thread. */
  snapshot(): GrpcSnapshot;
  /** Ends everything at once. */
  close(): void;
};

/** Without an account that is given: so many of the largest messages may be there at a time. */
const BUFFERED_MESSAGES = 16;
/** For the last frames of a connection that has outlasted the grace. */
const LINGER_MS = 250;
const SWEEP_MS = 1000;
const BACKLOG = 1024;

type ServerState = {
  readonly options: GrpcServerOptions;
  readonly health: Health;
  readonly listener: Server;
  readonly connections: Set<Connection>;
  draining: Promise<void> | undefined;
  /** The last connection has gone. */
  onEmpty: (() => void) | undefined;
};

/** @param report is told of failures of handlers that are no refusals */
export const createGrpcServer = (
  services: readonly GrpcService[],
  options: GrpcServerOptions,
  report: (error: unknown) => void,
): GrpcServer => {
  const names = services.map(({ name }) => name);
  const health = createHealth([...names, ...options.healthNames]);
  const { calls, routes } = routesOf(services, names, health);
  const state = createState(options, health, routes, report);
  const { connections, listener } = state;
  return {
    listen: (port, host) => listen(listener, port, host, report),
    setServing: health.setServing,
    drain: () => {
      state.draining ??= drain(state);
      return state.draining;
    },
    snapshot: () => ({
      connections: connections.size,
      calls: calls.map(({ method, inFlight, codes }) => ({ method, inFlight, codes: [...codes] })),
    }),
    close: () => {
      if (listener.listening) listener.close();
      destroyAll(state);
    },
  };
};

/** Every method by its path, and the counts of those that are counted. */
const routesOf = (
  services: readonly GrpcService[],
  names: readonly string[],
  health: Health,
): { calls: Calls[]; routes: Map<string, Bound> } => {
  const all = [...services, health.service];
  const protos = loadProtos(all);
  const calls: Calls[] = [];
  const routes = new Map<string, Bound>();
  for (const service of all) {
    for (const [name, method] of Object.entries(service.methods)) {
      const counters = callsOf(`/${service.name}/${name}`);
      calls.push(counters);
      routes.set(counters.method, { method, calls: counters, ...protos.codecOf(service, name) });
    }
  }
  // not counted: nothing that matters to anyone who runs models goes over it
  for (const [path, bound] of createReflection(protos.definitions, [...names, health.service.name])) {
    routes.set(path, bound);
  }
  return { calls, routes };
};

const createState = (
  options: GrpcServerOptions,
  health: Health,
  routes: ReadonlyMap<string, Bound>,
  report: (error: unknown) => void,
): ServerState => {
  const { long, maxConnections, maxMessageBytes, memory } = options;
  const { now = () => performance.now(), pace = createPace() } = options;
  const callOptions = { maxMessageBytes, now, report, ...(long === undefined ? {} : { long }) };
  const nextShare = memory?.nextShare ?? createShares(BUFFERED_MESSAGES * maxMessageBytes, now);
  const connectionOptions: ConnectionOptions = { ...options, now };
  const serve = (socket: Socket): Connection => {
    const share = nextShare();
    return serveHttp2(socket, { ...connectionOptions, gate: pace(socket) }, (head, stream) =>
      serveRequest(head, stream, routes.get(head.path), share, callOptions),
    );
  };
  const connections = new Set<Connection>();
  const places = createPlaces(maxConnections, now);
  const sweepLater = createSweep(connections, SWEEP_MS, now);
  const state: ServerState = {
    ...{ options, health, connections, draining: undefined, onEmpty: undefined },
    listener: createServer({ noDelay: true, allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
      const address = socket.remoteAddress ?? "";
      if (!places.admit(address)) {
        socket.destroy();
        return;
      }
      const connection = serve(socket);
      places.add(connection, address);
      socket.once("close", () => places.remove(connection));
      keep(state, socket, connection);
      sweepLater();
    }),
  };
  return state;
};

/** Until it ends, which it is told to when it is too old. */
const keep = (state: ServerState, socket: Socket, connection: Connection): void => {
  const { connections, options } = state;
  const { after = afterMs, graceMs, maxConnectionAgeMs, random = Math.random } = options;
  connections.add(connection);
  const aged = after(maxConnectionAgeMs * (0.9 + 0.2 * random()), () => connection.leave(graceMs));
  socket.once("close", () => {
    aged.close();
    connections.delete(connection);
    if (connections.size === 0) state.onEmpty?.();
  });
};

const listen = (listener: Server, port: number, host: string, report: (error: unknown) => void): Promise<number> =>
  new Promise((resolve, reject) => {
    listener.once("error", reject);
    listener.listen({ port, ...listenAddress(host), backlog: BACKLOG }, () => {
      listener.removeListener("error", reject);
      listener.on("error", report);
      const address = listener.address();
      resolve(typeof address === "object" && address !== null ? address.port : port);
    });
  });

const drain = async (state: ServerState): Promise<void> => {
  const { connections, health, listener, options } = state;
  health.setServing(false);
  health.endWatches();
  if (listener.listening) listener.close();
  for (const connection of connections) connection.leave(options.graceMs);
  if (connections.size === 0) return;
  const { promise: empty, resolve } = Promise.withResolvers<void>();
  state.onEmpty = resolve;
  const last = setTimeout(destroyAll, options.graceMs + LINGER_MS, state);
  await empty;
  clearTimeout(last);
};

const destroyAll = ({ connections }: ServerState): void => {
  for (const connection of connections) connection.destroy();
};
