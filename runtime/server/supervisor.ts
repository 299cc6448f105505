import { statSync } from "node:fs";
import type { Server } from "node:http";
import type { FailureCode } from "../../contract/pod.ts";
import { cpuLimit } from "../engine/cpu-limit.ts";
import { writeTermination } from "../errors/termination.ts";
import { memoryLimit } from "../memory/limit.ts";
import { createAdminServer } from "../telemetry/admin.ts";
import type { Logger } from "../telemetry/logger.ts";
import { packageVersion } from "../telemetry/version.ts";
import { listenAddress } from "../transport/listen-address.ts";
import { type Budgets, serverBudgets } from "./budgets.ts";
import { type DoorThread, startDoor } from "./door-thread.ts";
import { curlExample } from "./example.ts";
import type { DoorMessage, LoadedMessage, ReadyMessage } from "./messages.ts";
import { renderMetrics } from "./metrics.ts";
import { notOpened } from "./not-opened.ts";
import { MAX_DEFAULT_SHARDS, type ServeOptions } from "./options.ts";
import type { Snapshot } from "./snapshot.ts";
import { type Known, statusReport } from "./status.ts";

/** Requests go on coming until those who send them have heard that this server leaves. */
const QUIET_MS = 2000;
/** A scrape waits this long for a door that is busy, and else shows what it last knew. */
const COLLECT_MS = 250;
/** The shards get this long to be gone before the process ends; they would notice its end by themselves. */
const STOP_MS = 500;

const budgetsOf = ({ model, executionProvider, shards, maxBodyBytes }: ServeOptions): Budgets =>
  serverBudgets({
    limitBytes: memoryLimit(),
    // one that is not there is told of by those who load it
    modelBytes: statSync(model, { throwIfNoEntry: false })?.size ?? 0,
    wantedShards: executionProvider === "cpu" ? Math.min(cpuLimit(), MAX_DEFAULT_SHARDS) : 1,
    shards,
    maxBodyBytes,
  });

/** What is known of the server, and how far it is. */
type State = {
  readonly options: ServeOptions;
  readonly log: Logger;
  readonly serverVersion: string;
  /** On `performance.now`'s clock. */
  readonly started: number;
  readonly door: DoorThread;
  readonly admin: Server;
  /** The process ends with this exit code. */
  readonly resolve: (code: number) => void;
  loaded: LoadedMessage | undefined;
  digest: string | undefined;
  ready: ReadyMessage | undefined;
  /** Why no shard is ready. */
  reason: string;
  isDraining: boolean;
  isEnding: boolean;
  shardRestarts: number;
  /** Those that are ready. */
  readonly shards: Set<number>;
  snapshot: Snapshot | undefined;
  collecting: Promise<void> | undefined;
  onCollected: () => void;
  onStopped: () => void;
};

/** Serves until it is told to end. Resolves to the exit code. */
export const supervise = (options: ServeOptions, log: Logger): Promise<number> => {
  const { promise, resolve } = Promise.withResolvers<number>();
  const started = performance.now();
  const serverVersion = packageVersion();
  const budgets = budgetsOf(options);
  const admin = createAdminServer({
    stuck: () => state.door.stuckMs(),
    notReady: () => notReady(state),
    async status() {
      await collect(state);
      return statusReport(known(state), state.snapshot);
    },
    async metrics() {
      await collect(state);
      return renderMetrics(known(state), state.snapshot);
    },
  });
  process.on("SIGTERM", () => end(state, "SIGTERM"));
  process.on("SIGINT", () => end(state, "SIGINT"));
  // The door begins while the admin port opens: a cold start counts in milliseconds.
  const door = startDoor(
    { ...options, serverVersion, budgets },
    {
      message: (message) => onMessage(state, message),
      ended: (how) => fail(state, undefined, `the server's data thread failed: ${how}`),
    },
  );
  const state: State = {
    ...{ options, log, serverVersion, started, door, admin, resolve },
    ...{ loaded: undefined, digest: undefined, ready: undefined, reason: "the model is loading" },
    ...{ isDraining: false, isEnding: false, shardRestarts: 0, shards: new Set<number>() },
    ...{ snapshot: undefined, collecting: undefined },
    onCollected: () => undefined,
    onStopped: () => undefined,
  };
  listen(state);
  return promise;
};

const listen = (state: State): void => {
  const { admin, log, options } = state;
  admin.once("error", (error) => {
    fail(state, undefined, notOpened("admin", error));
  });
  admin.listen({ port: options.adminPort, ...listenAddress(options.host) }, () => {
    const address = admin.address();
    log.info({ port: typeof address === "object" ? address?.port : undefined }, `loading ${options.model}`);
  });
};

const notReady = ({ isDraining, ready, reason, shards }: State): string | undefined =>
  isDraining ? "the server is draining" : shards.size === 0 || ready === undefined ? reason : undefined;

const known = (state: State): Known => {
  const { digest, loaded, options, ready, serverVersion, shardRestarts, shards } = state;
  return {
    ...{ options, serverVersion, digest, loaded, ready, shardRestarts },
    notReady: notReady(state),
    readyShards: shards.size,
  };
};

/** Those who ask while another's question is on its way share its answer. */
const collect = async (state: State): Promise<void> => {
  if (state.ready === undefined) return;
  state.collecting ??= new Promise<void>((done) => {
    const timer = setTimeout(done, COLLECT_MS);
    state.onCollected = () => {
      clearTimeout(timer);
      done();
    };
    state.door.send({ type: "collect" });
  }).finally(() => {
    state.collecting = undefined;
  });
  await state.collecting;
};

const finish = (state: State, code: number): void => {
  const { admin, door, resolve } = state;
  if (state.isEnding) return;
  state.isEnding = true;
  admin.close();
  admin.closeAllConnections();
  const timer = setTimeout(() => resolve(code), STOP_MS);
  state.onStopped = () => {
    clearTimeout(timer);
    resolve(code);
  };
  door.send({ type: "stop" });
};

const fail = (state: State, code: FailureCode | undefined, message: string): void => {
  const { log, options } = state;
  if (state.isEnding) return;
  log.error(code === undefined ? {} : { code }, message);
  writeTermination(options.terminationLog, code === undefined ? message : { outcome: "failed", code, message });
  finish(state, 1);
};

const onMessage = (state: State, message: DoorMessage): void => {
  const { log } = state;
  switch (message.type) {
    case "loaded":
      state.loaded = message;
      return;
    case "ready":
      state.ready = message;
      announce(state, message);
      return;
    case "shard-ready":
    case "shard-lost":
      onShard(state, message);
      return;
    case "copy-dropped":
      if (state.loaded !== undefined) state.loaded = { ...state.loaded, sharedWeights: false };
      log.warn(message.message);
      return;
    case "digest":
      state.digest = message.digest;
      return;
    case "warning":
      log.warn(message.message);
      return;
    case "error":
      log.error(message.message);
      return;
    case "failed":
      fail(state, message.code, message.message);
      return;
    case "snapshot":
      state.snapshot = message.snapshot;
      state.onCollected();
      return;
    case "drained":
      if (state.isEnding) return;
      log.info("drained");
      finish(state, 0);
      return;
    case "stopped":
      state.onStopped();
  }
};

const onShard = (state: State, message: Extract<DoorMessage, { type: "shard-ready" | "shard-lost" }>): void => {
  const { log, shards } = state;
  if (message.type === "shard-ready") {
    shards.add(message.shard);
    if (state.shardRestarts > 0) log.info(`shard ${message.shard} is ready again`);
    return;
  }
  shards.delete(message.shard);
  state.shardRestarts++;
  state.reason = `the shard is being restarted: ${message.message}`;
  log.error(`shard ${message.shard} is being restarted: ${message.message}`);
};

const announce = (
  { log, options, started }: State,
  { httpPort, grpcPort, warmUp, warmUpSeconds, inputs, outputs }: ReadyMessage,
): void => {
  if (warmUp.outcome === "unproven") {
    log.warn(
      `the first inference failed with all generated inputs (zeros, ones): the model is served unproven, and may fail for every request: ${warmUp.reason}`,
    );
  }
  const host = options.host.includes(":") ? `[${options.host}]` : options.host;
  const where = `http://${host}:${httpPort}/v2/models/${options.name}`;
  log.info(
    { port: httpPort, grpcPort, warmUpSeconds, inputs, outputs },
    `ready in ${((performance.now() - started) / 1000).toFixed(1)} s: ${where} (gRPC on ${host}:${grpcPort})`,
  );
  if (options.logFormat === "text") log.info(`try: ${curlExample(where, inputs, warmUp)}`);
};

const end = (state: State, signal: "SIGTERM" | "SIGINT"): void => {
  const { door, isDraining, log, options, ready } = state;
  if (isDraining && signal === "SIGINT") {
    finish(state, 130);
    return;
  }
  if (isDraining) return;
  state.isDraining = true;
  log.info(`${signal}: draining`);
  if (ready === undefined) {
    finish(state, 0);
    return;
  }
  const acceptMs = options.drainTimeoutMs - Math.min(5000, options.drainTimeoutMs / 4);
  door.send({ type: "drain", quietMs: signal === "SIGTERM" ? QUIET_MS : 0, acceptMs });
  setTimeout(() => {
    if (state.isEnding) return;
    log.error("requests were still running at the end of --drain-timeout");
    finish(state, 1);
  }, options.drainTimeoutMs).unref();
};
