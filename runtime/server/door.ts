import { setTimeout as sleep } from "node:timers/promises";
import { parentPort, workerData } from "node:worker_threads";
import { cpuLimit } from "../engine/cpu-limit.ts";
import { after } from "../event-loop/after.ts";
import { watchTurns } from "../event-loop/longest-turn.ts";
import { createTurns } from "../event-loop/turns.ts";
import { systemClock } from "../inference/batching/clock.ts";
import { createScheduler, type Scheduler } from "../inference/batching/index.ts";
import type { GraphFindings } from "../inference/graph/findings.ts";
import type { Service } from "../inference/index.ts";
import { type PoolModel, startPool } from "../inference/shards/pool.ts";
import { collectWhenQuiet, youngCollector } from "../memory/collect.ts";
import { createMemory } from "../memory/shares.ts";
import { createInferenceService } from "../protocols/open-inference/grpc/service.ts";
import { createOpenInference } from "../protocols/open-inference/index.ts";
import { openInferencePaths } from "../protocols/open-inference/openapi.ts";
import { createOpenApi } from "../protocols/openapi/index.ts";
import { createGrpcServices } from "../protocols/tensorflow-serving/grpc.ts";
import { openApiPaths as tensorflowPaths } from "../protocols/tensorflow-serving/openapi.ts";
import { createRoutes as createTensorflowRoutes } from "../protocols/tensorflow-serving/rest.ts";
import { createGrpcServer, type GrpcServer } from "../transport/grpc/server.ts";
import { createHttpServer, type HttpServer } from "../transport/http/index.ts";
import { createPace } from "../transport/pace.ts";
import { checkedNs } from "./beside/calls.ts";
import { BESIDE_MS, classifyingAllMs, writingAllMs } from "./beside/cost.ts";
import { createBeside } from "./beside/index.ts";
import { inferBeside } from "./beside/infer-beside.ts";
import { createLong, createLongCalls } from "./beside/long.ts";
import { watchEnded } from "./ended-elsewhere.ts";
import { type DoorMessage, type DoorStart, supervisorMessageSchema } from "./messages.ts";
import { notOpened } from "./not-opened.ts";

// The thread that owns the data ports, the queue and the shards. No model runs here, so it always turns.

/**
 * The first run may take this long, or as long as a request if that is more: it allocates, and on a device chooses and
 * compiles kernels. It says nothing of how long a request takes.
 */
const WARM_UP_MS = { cpu: 60_000, device: 600_000 };
/** A graph whose constants are endless never loads. */
const LOAD_MS = 600_000;
/** Requests that may wait. Far more than can be answered in time by most models: the predicted wait refuses before. */
const MAX_QUEUED = 10_000;
const GRPC_BOUNDS = {
  maxConcurrentStreams: 256,
  maxConnections: 4096,
  keepaliveMs: 60_000,
  keepaliveTimeoutMs: 20_000,
};

const start: DoorStart = workerData;
const tell = (message: DoorMessage): void => parentPort?.postMessage(message);
const onCpu = start.executionProvider === "cpu";
const { budgets } = start;
const cpus = cpuLimit();
/** One account for all that waits here. */
const memory = createMemory(budgets.waitingBytes, systemClock.now, collectWhenQuiet(budgets.mostLeftBytes));
const watched = watchTurns(() => memory.usedBytes() > 0);
const { mostReadBytes: mostBytes } = budgets;
const pace = createPace({
  awake: watched.awake,
  remains: mostBytes === undefined ? undefined : { mostBytes, collect: youngCollector() },
});

let draining = false;
let serving: { scheduler: Scheduler; http: HttpServer; grpc: GrpcServer } | undefined;
const readyShards = new Set<number>();
/** What the model's graph says of batching, once it was looked at. */
const graph = Promise.withResolvers<GraphFindings>();

const logError = (error: unknown, what: string): void =>
  tell({
    type: "error",
    message: `${what}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
  });

const opened = (name: "http" | "grpc", port: Promise<number>): Promise<number> =>
  port.catch((error: unknown) => {
    throw new Error(notOpened(name, error));
  });

const open = async (model: PoolModel): Promise<void> => {
  const { inputs, outputs, warmUp, warmUpSeconds } = model;
  const served = { name: start.name, version: start.modelVersion, inputs, outputs };
  const shapes = warmUp.outcome === "passed" ? new Map(Object.entries(warmUp.shapes)) : undefined;
  const scheduler = createScheduler(
    served,
    {
      maxBatchSize: start.maxBatchSize,
      maxDelayMs: start.maxDelayMs,
      requestTimeoutMs: start.requestTimeoutMs,
      maxQueued: MAX_QUEUED,
      indicesChecked: onCpu,
      maxQueuedBytes: budgets.queuedBytes,
      memory,
    },
    systemClock,
    shapes,
    {
      random: Math.random,
      onEnded: (message) => tell({ type: "error", message }),
      graph: graph.promise,
      onRefused: (message) => tell({ type: "warning", message }),
    },
  );
  if (start.batchingEndedFile !== undefined) watchEnded(start.batchingEndedFile, scheduler.endBatching, after);
  const service: Service = {
    model: served,
    serverVersion: start.serverVersion,
    ready: () => !draining && readyShards.size > 0,
    infer: scheduler.infer,
    statistics: scheduler.statistics,
  };
  const beside = createBeside({
    model: served,
    serverVersion: start.serverVersion,
    maxTensorBytes: budgets.maxBodyBytes,
    timeOrigin: performance.timeOrigin,
    heapMib: budgets.heap.besideMib,
    infer: scheduler.infer,
    memory,
  });
  const turns = createTurns();
  const plainNs = checkedNs(inputs);
  const long = createLong(beside, turns, memory, plainNs);
  /** Of handlers whose answers can be written beside. */
  const besideOf = (costMs: typeof writingAllMs): Service => ({
    ...service,
    infer: inferBeside(scheduler.infer, BESIDE_MS, turns.take, costMs),
  });
  const writing = besideOf(writingAllMs);
  const { maxConnectionAgeMs } = start;
  const { maxBodyBytes } = budgets;
  const report = (error: unknown): void => logError(error, "a gRPC call failed");
  const log = { error: ({ err }: { err: unknown }, message: string) => logError(err, message) };
  const http = createHttpServer(
    [
      createOpenInference(writing),
      createTensorflowRoutes(writing),
      createOpenApi(service, [openInferencePaths(service), tensorflowPaths(service)]),
    ],
    { maxBodyBytes, maxConnectionAgeMs, memory, pace, long, origins: start.corsOrigins },
    log,
  );
  const grpc = createGrpcServer(
    [
      createInferenceService(besideOf(classifyingAllMs), report),
      ...createGrpcServices(writing, { maxTensorBytes: maxBodyBytes }),
    ],
    {
      ...GRPC_BOUNDS,
      maxMessageBytes: maxBodyBytes,
      memory,
      pace,
      long: createLongCalls(beside, turns, memory, plainNs),
      maxConnectionAgeMs,
      graceMs: start.requestTimeoutMs,
      healthNames: [start.name],
    },
    report,
  );
  serving = { scheduler, http, grpc };
  const [httpPort, grpcPort] = await Promise.all([
    opened("http", http.listen(start.httpPort, start.host)),
    opened("grpc", grpc.listen(start.grpcPort, start.host)),
  ]);
  grpc.setServing(service.ready());
  tell({ type: "ready", httpPort, grpcPort, inputs, outputs, warmUp, warmUpSeconds });
};

const expectShard = (inMs: number): void => serving?.scheduler.expectShard(systemClock.now() + inMs);

const { shards } = budgets;
const pool = startPool(
  {
    model: start.model,
    executionProvider: start.executionProvider,
    shards,
    cpus,
    requestTimeoutMs: start.requestTimeoutMs,
    loadMs: LOAD_MS,
    maxAnswerBytes: budgets.maxAnswerBytes,
    givesBack: budgets.givesBack,
    warmUpMs: Math.max(start.requestTimeoutMs, WARM_UP_MS[onCpu ? "cpu" : "device"]),
  },
  {
    onReady(model) {
      tell({ type: "loaded", loadSeconds: model.loadSeconds, sharedWeights: model.sharedWeights, shards });
      open(model).catch((error: unknown) => {
        tell({ type: "failed", message: error instanceof Error ? error.message : String(error) });
      });
    },
    onShard(shard) {
      readyShards.add(shard.id);
      serving?.scheduler.addShard(shard);
      tell({ type: "shard-ready", shard: shard.id });
      serving?.grpc.setServing(!draining);
    },
    onLost(shard, message, backInMs) {
      readyShards.delete(shard.id);
      serving?.scheduler.removeShard(shard);
      expectShard(backInMs);
      tell({ type: "shard-lost", shard: shard.id, message });
      if (readyShards.size === 0) serving?.grpc.setServing(false);
    },
    onRetry(message, delayMs, backInMs) {
      expectShard(backInMs);
      tell({ type: "warning", message: `a shard ended before it was ready: ${message}; next start in ${delayMs} ms` });
    },
    onCopyDropped: (message) => tell({ type: "copy-dropped", message }),
    onWarning: (message) => tell({ type: "warning", message }),
    onGraph: graph.resolve,
    onDigest: (digest) => tell({ type: "digest", digest }),
    onFailed: (code, message) => tell({ type: "failed", ...(code === undefined ? {} : { code }), message }),
  },
);

const drain = async (quietMs: number, acceptMs: number): Promise<void> => {
  draining = true;
  if (serving !== undefined) {
    const { http, grpc } = serving;
    grpc.setServing(false);
    // gRPC's clients are told to leave when they have had the time to hear of other servers.
    const drainGrpc = sleep(Math.min(quietMs, acceptMs)).then(grpc.drain);
    await Promise.all([http.drain({ quietMs, acceptMs }), drainGrpc]);
  }
  tell({ type: "drained" });
};

const stop = async (): Promise<void> => {
  // Whoever is still waiting is told; the connections end with the process.
  serving?.scheduler.close();
  await pool.stop();
  tell({ type: "stopped" });
};

parentPort?.on("message", (raw) => {
  const message = supervisorMessageSchema.parse(raw);
  switch (message.type) {
    case "ping":
      tell({ type: "pong" });
      return;
    case "collect":
      if (serving !== undefined) {
        const { http, grpc, scheduler } = serving;
        const snapshot = {
          http: http.snapshot(),
          grpc: grpc.snapshot(),
          scheduler: scheduler.snapshot(),
          statistics: scheduler.statistics(),
          memory: { used: memory.usedBytes(), most: memory.mostBytes },
          longestTurnMs: watched.longestMs(),
        };
        tell({ type: "snapshot", snapshot });
      }
      return;
    case "drain":
      void drain(message.quietMs, message.acceptMs);
      return;
    case "stop":
      void stop();
  }
});
