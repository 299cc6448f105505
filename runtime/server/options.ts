/** The command line of `serve`. */
import { basename, extname } from "node:path";
import { ADMIN_PORT, GRPC_PORT, HTTP_PORT } from "../../contract/pod.ts";
import {
  choice,
  count,
  duration,
  parse,
  port,
  required,
  size,
  text,
  UsageError,
  type Values,
} from "../command-line/values.ts";
import { EXECUTION_PROVIDERS, type ExecutionProvider } from "../engine/execution-provider.ts";
import { TERMINATION_LOG } from "../errors/termination.ts";
import { type Origins, parseOrigins } from "../transport/http/cors.ts";

export type ServeOptions = {
  model: string;
  name: string;
  modelVersion: string;
  host: string;
  httpPort: number;
  grpcPort: number;
  adminPort: number;
  executionProvider: ExecutionProvider;
  /** Undefined: as many as there are processors and memory for, or one where the execution provider is a device. */
  shards: number | undefined;
  maxBatchSize: number;
  maxDelayMs: number;
  /** Once it is there, requests share no runs any more. */
  batchingEndedFile: string | undefined;
  requestTimeoutMs: number;
  drainTimeoutMs: number;
  /** Undefined: by the memory limit (see `serverBudgets`). */
  maxBodyBytes: number | undefined;
  maxConnectionAgeMs: number;
  /** Of pages in browsers that may ask; undefined: none of other origins. */
  corsOrigins: Origins | undefined;
  logFormat: "json" | "text";
  terminationLog: string;
};

/** More shards than this must be asked for: each costs memory of its own besides the shared weights. */
export const MAX_DEFAULT_SHARDS = 8;

export const SERVE_HELP = `Serve an ONNX model over HTTP and gRPC (Open Inference, TensorFlow Serving, KServe V1).

  npm run serve -- --model FILE.onnx [options]

  --model FILE                the ONNX model (required)
  --name NAME                 the model's name in URLs (default: the file's name without extension)
  --model-version VERSION     shown in the metadata and accepted in URLs (default: 1)
  --host ADDRESS              address to listen on (default: 127.0.0.1; in a pod ::, IPv6 and IPv4 alike)
  --http-port PORT            inference over HTTP (default: ${HTTP_PORT}; 0 = any free port)
  --grpc-port PORT            inference over gRPC (default: ${GRPC_PORT}; 0 = any free port)
  --admin-port PORT           /livez /readyz /metrics /statusz (default: ${ADMIN_PORT}; 0 = any free port)
  --execution-provider EP     cpu, cuda or tensorrt; never falls back to another (default: cpu)
  --shards N                  processes that run the model concurrently, and share its weights
                              (default: the CPU limit, at most ${MAX_DEFAULT_SHARDS}, fewer where the memory limit is
                              small; 1 on a device)
  --max-batch-size N          maximum number of items in one run; 1 = no batching (default: 32). Batching begins only
                              after a proof that answers stay the same, and continues while it saves time
  --max-delay DURATION        how long a request may wait for others to join its batch although a shard is idle
                              (default: 0s, batches form from what waits while the shards are busy)
  --batching-ended-file FILE  when FILE exists, batching ends; FILE says in which batch an answer differed from the one
                              alone (default: none; checked every 10 s)
  --request-timeout DURATION  a request that exceeds it fails; a run that exceeds it is killed (default: 30s)
  --drain-timeout DURATION    maximum time from SIGTERM to exit (default: 20s)
  --max-body SIZE             maximum size of a body, before and after decompression, and of a gRPC message (default:
                              64Mi, less under a memory limit below 1Gi: 24Mi under 512Mi, 4Mi under 256Mi)
  --max-connection-age DURATION  age at which a connection is closed after an answer, so that clients spread over new
                              servers (default: 5m)
  --cors-origins ORIGINS      origins of web pages that may call over HTTP, separated by commas, such as
                              https://app.example.com,http://localhost:3000; * allows all (default: none)
  --log-format FORMAT         json or text (default: text on a terminal, else json)
  --termination-log FILE      file for the reason of a failure (default: ${TERMINATION_LOG}, if it is there)
  --help

Durations are Go style (500ms, 30s, 1m30s), sizes Kubernetes style (1000000, 64Mi, 1G).`;

export const parseServeOptions = (args: string[], isTerminal: boolean): ServeOptions | "help" => {
  const values = parse("serve", "--model FILE.onnx", args, [
    "model",
    "name",
    "model-version",
    "host",
    "http-port",
    "grpc-port",
    "admin-port",
    "execution-provider",
    "shards",
    "max-batch-size",
    "max-delay",
    "batching-ended-file",
    "request-timeout",
    "drain-timeout",
    "cors-origins",
    "max-body",
    "max-connection-age",
    "log-format",
    "termination-log",
  ]);
  if (values === "help") return "help";
  const model = required(values, "model", "serve", "--model FILE.onnx");
  const name = text(values, "name") ?? basename(model, extname(model));
  if (!/^[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?$/.test(name)) {
    throw new UsageError(`--name: "${name}" cannot stand in a URL; use letters, digits, '-', '_' and '.'`);
  }
  const modelVersion = text(values, "model-version") ?? "1";
  if (!/^[A-Za-z0-9._-]{1,63}$/.test(modelVersion)) {
    throw new UsageError(
      `--model-version: "${modelVersion}" cannot stand in a URL; use letters, digits, '-', '_', '.'`,
    );
  }
  return {
    model,
    name,
    modelVersion,
    host: text(values, "host") ?? "127.0.0.1",
    httpPort: port(values, "http-port", HTTP_PORT),
    grpcPort: port(values, "grpc-port", GRPC_PORT),
    adminPort: port(values, "admin-port", ADMIN_PORT),
    executionProvider: choice(values, "execution-provider", EXECUTION_PROVIDERS, "cpu"),
    shards: count(values, "shards", 64),
    maxBatchSize: count(values, "max-batch-size", 1024) ?? 32,
    maxDelayMs: duration(values, "max-delay", 0, 0),
    batchingEndedFile: text(values, "batching-ended-file"),
    requestTimeoutMs: duration(values, "request-timeout", 30_000),
    drainTimeoutMs: duration(values, "drain-timeout", 20_000),
    maxBodyBytes: size(values, "max-body"),
    maxConnectionAgeMs: duration(values, "max-connection-age", 300_000),
    corsOrigins: origins(values, "cors-origins"),
    logFormat: choice(values, "log-format", ["json", "text"], isTerminal ? "text" : "json"),
    terminationLog: text(values, "termination-log") ?? TERMINATION_LOG,
  };
};

const origins = (values: Values, name: string): Origins | undefined => {
  const value = text(values, name);
  const parsed = value === undefined ? undefined : parseOrigins(value);
  if (typeof parsed !== "object" || !("wrong" in parsed)) return parsed;
  throw new UsageError(
    `--${name}: "${parsed.wrong}" is not an origin; give a scheme, a host and perhaps a port, such as https://app.example.com or http://localhost:3000, or * alone for all`,
  );
};
