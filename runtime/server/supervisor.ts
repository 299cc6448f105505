import { statSync } from "node:fs";
import type { FailureCode } from "../../contract/pod.ts";
import { cpuLimit } from "../engine/cpu-limit.ts";
import { writeTermination } from "../errors/termination.ts";
import { memoryLimit } from "../memory/limit.ts";
import { createAdminServer } from "../telemetry/admin.ts";
import type { Logger } from "../telemetry/logger.ts";
import { packageVersion } from "../telemetry/version.ts";
import { listenAddress } from "../transport/listen-address.ts";
import { type Budgets, serverBudgets } from "./budgets.ts";
import { startDoor } from "./door-thread.ts";
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

/** Serves until it is told to end. Resolves to the exit code. */
export const supervise = (options: ServeOptions, log: Logger): Promise<number> => {
  const { promise, resolve } = Promise.withResolvers<number>();
  const started = performance.now();
  const serverVersion = packageVersion();
  const budgets = budgetsOf(options);
  let loaded: LoadedMessage | undefined;
  let digest: string | undefined;
  let ready: ReadyMessage | undefined;
  let reason = "the model is loading";
  let draining = false;
  let ending = false;
  let shardRestarts = 0;
  const shards = new Set<number>();
  let snapshot: Snapshot | undefined;
  let collecting: Promise<void> | undefined;
  let onCollected = (): void => undefined;
  let onStopped = (): void => undefined;

  const notReady = (): string | undefined =>
    draining ? "the server is draining" : shards.size === 0 || ready === undefined ? reason : undefined;
  const known = (): Known => ({
    options,
    serverVersion,
    digest,
    loaded,
    ready,
    notReady: notReady(),
    shardRestarts,
    readyShards: shards.size,
  });
  /** Those who ask while another's question is on its way share its answer. */
  const collect = async (): Promise<void> => {
    if (ready === undefined) return;
    collecting ??= new Promise<void>((done) => {
      const timer = setTimeout(done, COLLECT_MS);
      onCollected = () => {
        clearTimeout(timer);
        done();
      };
      door.send({ type: "collect" });
    }).finally(() => {
      collecting = undefined;
    });
    await collecting;
  };
  const admin = createAdminServer({
    stuck: () => door.stuckMs(),
    notReady,
    async status() {
      await collect();
      return statusReport(known(), snapshot);
    },
    async metrics() {
      await collect();
      return renderMetrics(known(), snapshot);
    },
  });

  const finish = (code: number): void => {
    if (ending) return;
    ending = true;
    admin.close();
    admin.closeAllConnections();
    const timer = setTimeout(() => resolve(code), STOP_MS);
    onStopped = () => {
      clearTimeout(timer);
      resolve(code);
    };
    door.send({ type: "stop" });
  };
  const fail = (code: FailureCode | undefined, message: string): void => {
    if (ending) return;
    log.error(code === undefined ? {} : { code }, message);
    writeTermination(options.terminationLog, code === undefined ? message : { outcome: "failed", code, message });
    finish(1);
  };

  const onMessage = (message: DoorMessage): void => {
    switch (message.type) {
      case "loaded":
        loaded = message;
        return;
      case "ready":
        ready = message;
        announce(message);
        return;
      case "shard-ready":
        shards.add(message.shard);
        if (shardRestarts > 0) log.info(`shard ${message.shard} is ready again`);
        return;
      case "shard-lost":
        shards.delete(message.shard);
        shardRestarts++;
        reason = `the shard is being restarted: ${message.message}`;
        log.error(`shard ${message.shard} is being restarted: ${message.message}`);
        return;
      case "copy-dropped":
        if (loaded !== undefined) loaded = { ...loaded, sharedWeights: false };
        log.warn(message.message);
        return;
      case "digest":
        digest = message.digest;
        return;
      case "warning":
        log.warn(message.message);
        return;
      case "error":
        log.error(message.message);
        return;
      case "failed":
        fail(message.code, message.message);
        return;
      case "snapshot":
        snapshot = message.snapshot;
        onCollected();
        return;
      case "drained":
        if (ending) return;
        log.info("drained");
        finish(0);
        return;
      case "stopped":
        onStopped();
    }
  };

  const announce = ({ httpPort, grpcPort, warmUp, warmUpSeconds, inputs, outputs }: ReadyMessage): void => {
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

  const end = (signal: "SIGTERM" | "SIGINT"): void => {
    if (draining && signal === "SIGINT") {
      finish(130);
      return;
    }
    if (draining) return;
    draining = true;
    log.info(`${signal}: draining`);
    if (ready === undefined) {
      finish(0);
      return;
    }
    const acceptMs = options.drainTimeoutMs - Math.min(5000, options.drainTimeoutMs / 4);
    door.send({ type: "drain", quietMs: signal === "SIGTERM" ? QUIET_MS : 0, acceptMs });
    setTimeout(() => {
      if (ending) return;
      log.error("requests were still running at the end of --drain-timeout");
      finish(1);
    }, options.drainTimeoutMs).unref();
  };
  process.on("SIGTERM", () => end("SIGTERM"));
  process.on("SIGINT", () => end("SIGINT"));

  // The door begins while the admin port opens: a cold start counts in milliseconds.
  const door = startDoor(
    { ...options, serverVersion, budgets },
    {
      message: onMessage,
      ended: (how) => fail(undefined, `the server's data thread failed: ${how}`),
    },
  );
  admin.once("error", (error) => {
    fail(undefined, notOpened("admin", error));
  });
  admin.listen({ port: options.adminPort, ...listenAddress(options.host) }, () => {
    const address = admin.address();
    log.info({ port: typeof address === "object" ? address?.port : undefined }, `loading ${options.model}`);
  });
  return promise;
};
