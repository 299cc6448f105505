/** The gRPC side of the server: connections, their bounds, draining, health, reflection; services come from outside. */
import { createServer, type Socket } from "node:net";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { Server, ServerCredentials, type ServiceDefinition } from "@grpc/grpc-js";
import { type ServiceDefinition as LoadedService, loadSync, type PackageDefinition } from "@grpc/proto-loader";
import { type Calls, callsOf, counted } from "./count.ts";
import { createGuard, fullCollection, whileOpen } from "./guard.ts";
import { createHealth } from "./health.ts";
import { createOpenCalls } from "./open-calls.ts";
import { addReflection } from "./reflection.ts";
import type { GrpcService } from "./types.ts";

export type GrpcServerOptions = {
  /** The largest message, each way; a larger one fails its call with RESOURCE_EXHAUSTED. */
  maxMessageBytes: number;
  /** A connection that is older (give or take a tenth, by chance) is told to go away. */
  maxConnectionAgeMs: number;
  /** How long calls may still run on a connection that was told to go away, be it for its age or to drain. */
  graceMs: number;
  /** Calls that one connection may have open at a time; more wait at the client. */
  maxConcurrentStreams: number;
  /** More connections than this are closed as they come. */
  maxConnections: number;
  /** A connection that is silent for so long is asked for a sign of life ... */
  keepaliveMs: number;
  /** ... and closed where none comes within this. */
  keepaliveTimeoutMs: number;
  /** What health answers for besides the server as a whole and its services: the model's name. */
  healthNames: readonly string[];
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

/** @param report is told of failures of handlers that are no RequestError */
export const createGrpcServer = (
  services: readonly GrpcService[],
  options: GrpcServerOptions,
  report: (error: unknown) => void,
): GrpcServer => {
  const names = services.map(({ name }) => name);
  const health = createHealth([...names, ...options.healthNames]);
  const all = [...services, health.service];
  const definitions = loadProtos(all);
  const openCalls = createOpenCalls();
  const server = new Server({
    interceptors: [openCalls.interceptor],
    "grpc.max_receive_message_length": options.maxMessageBytes,
    "grpc.max_send_message_length": options.maxMessageBytes,
    "grpc.max_connection_age_ms": options.maxConnectionAgeMs,
    "grpc.max_connection_age_grace_ms": options.graceMs,
    "grpc.max_concurrent_streams": options.maxConcurrentStreams,
    "grpc.keepalive_time_ms": options.keepaliveMs,
    "grpc.keepalive_timeout_ms": options.keepaliveTimeoutMs,
    // Statistics of grpc-js's own, which nobody reads here.
    "grpc.enable_channelz": 0,
  });
  const calls: Calls[] = [];
  for (const service of all) addService(server, service, definitions, calls, report);
  addReflection(server, definitions, [...names, health.service.name]);

  // grpc-js bounds neither the number of connections nor says when the last is gone: sockets are taken here.
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  const sockets = new Set<Socket>();
  let onEmpty: (() => void) | undefined;
  const mostBytes = BUFFERED_MESSAGES * options.maxMessageBytes;
  const usedBytes = () => process.memoryUsage().arrayBuffers;
  const sweep = createGuard(sockets, {
    readSince: openCalls.readSince,
    mostBytes,
    usedBytes,
    collect: fullCollection(),
  });
  const guard = whileOpen(sockets, sweep);
  const listener = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    openCalls.track(socket);
    socket.once("close", () => {
      sockets.delete(socket);
      if (sockets.size === 0) onEmpty?.();
    });
    socket.on("error", () => socket.destroy());
    guard();
    injector.injectConnection(socket);
  });
  listener.maxConnections = options.maxConnections;

  let draining: Promise<void> | undefined;
  const drain = async (): Promise<void> => {
    health.setServing(false);
    health.endWatches();
    if (listener.listening) listener.close();
    const empty = new Promise<void>((resolve) => {
      onEmpty = resolve;
      if (sockets.size === 0) resolve();
    });
    injector.drain(options.graceMs);
    // A client that never reads keeps its socket open whatever HTTP/2 says.
    const last = setTimeout(() => destroyAll(sockets), options.graceMs + LINGER_MS);
    await empty;
    clearTimeout(last);
  };

  return {
    listen: (port, host) =>
      new Promise((resolve, reject) => {
        listener.once("error", reject);
        listener.listen(port, host, () => {
          listener.removeListener("error", reject);
          const address = listener.address();
          resolve(typeof address === "object" && address !== null ? address.port : port);
        });
      }),
    setServing: health.setServing,
    drain: () => {
      draining ??= drain();
      return draining;
    },
    snapshot: () => ({
      connections: sockets.size,
      calls: calls.map(({ method, inFlight, codes }) => ({ method, inFlight, codes: [...codes] })),
    }),
    close: () => {
      if (listener.listening) listener.close();
      injector.destroy();
      server.forceShutdown();
      destroyAll(sockets);
    },
  };
};

/** So many of the largest messages may be there at a time; the queue and HTTP take a quarter of this each. */
const BUFFERED_MESSAGES = 16;

/** For the last frames of a connection that HTTP/2 has ended. */
const LINGER_MS = 250;

const destroyAll = (sockets: Iterable<Socket>): void => {
  for (const socket of sockets) socket.destroy();
};

/** All at once, since reflection wants one description of each package. */
const loadProtos = (services: readonly GrpcService[]): PackageDefinition => {
  const files = [...new Set(services.flatMap(({ protoFiles }) => protoFiles.map((file) => fileURLToPath(file))))];
  const includeDirs = [...new Set(files.map((file) => dirname(file)))];
  return loadSync(files, { keepCase: true, longs: String, enums: String, defaults: true, oneofs: true, includeDirs });
};

const addService = (
  server: Server,
  { name, implementation, codecs }: GrpcService,
  definitions: PackageDefinition,
  calls: Calls[],
  report: (error: unknown) => void,
): void => {
  const found = definitions[name];
  if (found === undefined || !isService(found)) throw new Error(`the .proto files of ${name} do not define it`);
  const definition: Record<string, ServiceDefinition[string]> = {};
  const handlers: GrpcService["implementation"] = {};
  for (const [method, described] of Object.entries(found)) {
    const handler = implementation[method];
    if (handler === undefined) throw new Error(`${name}: the method ${method} has no implementation`);
    const counters = callsOf(described.path);
    calls.push(counters);
    definition[method] = { ...described, ...codecs?.[method] };
    handlers[method] = counted(handler, described, counters, report);
  }
  server.addService(definition, handlers);
};

const isService = (definition: PackageDefinition[string]): definition is LoadedService => !("format" in definition);
