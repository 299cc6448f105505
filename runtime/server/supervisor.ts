import { AggregatorRegistry } from "prom-client";
import type { FailureCode } from "../../operator/api/v1alpha1/pod-contract.ts";
import { packageVersion, type ServeOptions } from "../options.ts";
import type { Logger } from "../telemetry/logger.ts";
import { createSupervisorMetrics } from "../telemetry/metrics.ts";
import { writeTermination } from "../termination.ts";
import { createAdminServer } from "./admin.ts";
import { curlExample } from "./example.ts";
import type { ReadyMessage, ShardMessage } from "./messages.ts";
import { decideRestart, describeGiveUp } from "./restart.ts";
import { type ShardProcess, startShard } from "./shard-process.ts";

/** Requests go on coming until those who send them have heard that this server leaves. */
const QUIET_MS = 2000;
/** A scrape waits this long for a shard that is busy, and else shows what it last knew. */
const COLLECT_MS = 250;
/**
 * The first run may take this long, or as long as a request if that is more: it allocates, and on a device chooses and
 * compiles kernels. It says nothing of how long a request takes.
 */
const WARM_UP_MS = { cpu: 60_000, device: 600_000 };

/** Serves until it is told to end. Resolves to the exit code. */
export const supervise = (options: ServeOptions, log: Logger): Promise<number> =>
  new Promise((resolve) => {
    const started = performance.now();
    const metrics = createSupervisorMetrics({ name: options.name, version: options.modelVersion });
    const serverVersion = packageVersion();
    const crashes: number[] = [];
    let shard: ShardProcess | undefined;
    let ready: ReadyMessage | undefined;
    let loaded = false;
    let everReady = false;
    let killedFor: string | undefined;
    let reason = "the model is loading";
    let draining = false;
    let failure: { code: FailureCode; message: string } | undefined;
    let shardMetrics: { name: string }[] = [];
    let onCollected = (): void => undefined;

    const collect = async (): Promise<string> => {
      if (ready !== undefined) {
        await new Promise<void>((done) => {
          const timer = setTimeout(done, COLLECT_MS);
          onCollected = () => {
            clearTimeout(timer);
            done();
          };
          shard?.send({ type: "collect" });
        });
      }
      metrics.ready.set(notReady() === undefined ? 1 : 0);
      const own = await metrics.registry.getMetricsAsJSON();
      return AggregatorRegistry.aggregate([own, shardMetrics]).metrics();
    };
    const notReady = () => (draining ? "the server is draining" : ready === undefined ? reason : killedFor);
    const status = () => ({
      model: { name: options.name, version: options.modelVersion, file: options.model },
      executionProvider: options.executionProvider,
      ready: notReady() === undefined,
      ...(notReady() === undefined ? {} : { reason: notReady() }),
      serverVersion,
      shardRestarts: crashes.length,
      ...(ready === undefined
        ? {}
        : { warmUp: ready.warmUp, warmUpSeconds: ready.warmUpSeconds, inputs: ready.inputs, outputs: ready.outputs }),
    });

    const admin = createAdminServer({ notReady, status, metrics: collect });
    const finish = (code: number): void => {
      shard?.kill();
      shard = undefined;
      admin.close();
      admin.closeAllConnections();
      resolve(code);
    };
    const fail = (code: FailureCode | undefined, message: string): void => {
      log.error(code === undefined ? {} : { code }, message);
      writeTermination(options.terminationLog, code === undefined ? message : { outcome: "failed", code, message });
      finish(1);
    };

    const onMessage = (message: ShardMessage): void => {
      switch (message.type) {
        case "loaded": {
          loaded = true;
          metrics.loadSeconds.set(message.loadSeconds);
          reason = "the first inference is running";
          shard?.watch(
            Math.max(options.requestTimeoutMs, WARM_UP_MS[options.executionProvider === "cpu" ? "cpu" : "device"]),
          );
          return;
        }
        case "ready":
          ready = message;
          everReady = true;
          shard?.watch(options.requestTimeoutMs);
          announce(message);
          return;
        case "failed":
          fail(message.code, message.message);
          return;
        case "unable":
          fail(undefined, message.message);
          return;
        case "metrics":
          shardMetrics = message.metrics;
          onCollected();
          return;
        case "drained":
          log.info("drained");
          finish(0);
      }
    };

    const announce = ({ port, warmUp, warmUpSeconds, inputs, outputs }: ReadyMessage): void => {
      if (warmUp.outcome === "unproven") {
        log.warn(
          `the first inference with made-up shapes did not pass, so the model is served unproven: ${warmUp.reason}`,
        );
      }
      const url = `http://${options.host.includes(":") ? `[${options.host}]` : options.host}:${port}`;
      const where = `${url}/v2/models/${options.name}`;
      log.info(
        { port, warmUpSeconds, inputs, outputs },
        `ready in ${((performance.now() - started) / 1000).toFixed(1)} s: ${where}`,
      );
      if (options.logFormat === "text") log.info(`try: ${curlExample(where, inputs, warmUp)}`);
    };

    const onExit = (ended: string, signal: string | null): void => {
      const step = ready !== undefined ? "serving" : loaded ? "warm-up" : "load";
      const how = killedFor ?? ended;
      const end = { how, signal: killedFor === undefined ? signal : null, step } as const;
      shard = undefined;
      ready = undefined;
      killedFor = undefined;
      if (failure !== undefined) {
        fail(failure.code, failure.message);
        return;
      }
      if (draining) {
        fail(undefined, `the shard ended during the drain: ${how}`);
        return;
      }
      metrics.restarts.inc();
      crashes.push(performance.now());
      const decision = decideRestart(crashes, performance.now(), step === "serving");
      if (decision === "give-up") {
        const { code, message } = describeGiveUp(end, everReady);
        fail(code, message);
        return;
      }
      reason = `the shard is being restarted: ${how}`;
      log.error(`${reason}; next start in ${decision.delayMs} ms`);
      setTimeout(() => {
        if (draining) finish(0);
        else launch();
      }, decision.delayMs);
    };

    const launch = (): void => {
      loaded = false;
      const { model, name, modelVersion, host, httpPort, executionProvider, requestTimeoutMs, maxBodyBytes } = options;
      const start = { model, name, modelVersion, host, httpPort, executionProvider, requestTimeoutMs, maxBodyBytes };
      shard = startShard(
        { type: "start", serverVersion, ...start },
        {
          message: onMessage,
          exit: onExit,
          hung(ms) {
            if (ready === undefined) {
              failure = {
                code: "WarmUpFailed",
                message: `the model loads, but its first inference did not end within ${ms / 1000} s`,
              };
            } else killedFor = `a run took longer than --request-timeout (${ms / 1000} s)`;
            shard?.kill();
          },
        },
      );
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
      shard?.send({ type: "drain", quietMs: signal === "SIGTERM" ? QUIET_MS : 0, acceptMs });
      setTimeout(() => {
        log.error("requests were still running at the end of --drain-timeout");
        finish(1);
      }, options.drainTimeoutMs).unref();
    };
    process.on("SIGTERM", () => end("SIGTERM"));
    process.on("SIGINT", () => end("SIGINT"));

    admin.once("error", (error) => {
      fail(undefined, `the admin port cannot be opened: ${error.message}; choose another with --admin-port`);
    });
    admin.listen(options.adminPort, options.host, () => {
      const address = admin.address();
      log.info({ port: typeof address === "object" ? address?.port : undefined }, `loading ${options.model}`);
      launch();
    });
  });
