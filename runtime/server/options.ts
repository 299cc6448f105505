import { readFileSync } from "node:fs";
import { basename, extname } from "node:path";
import { type ParseArgsConfig, parseArgs } from "node:util";
import {
  ADMIN_PORT,
  CLAIM_DIRECTORY,
  GRPC_PORT,
  HTTP_PORT,
  PROGRESS_PATH,
} from "../../contract/pod.ts";
import { createTrust, type IsTrusted } from "../router/forwarded.ts";
import { type Origins, parseOrigins } from "../transport/http/cors.ts";

/** A command line that cannot be understood; `message` is one line that says what to do. */
export class UsageError extends Error {}

export type ExecutionProvider = "cpu" | "cuda" | "tensorrt";

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

export type FetchOptions = {
  uri: string;
  to: string;
  sha256: string | undefined;
  pinFile: string | undefined;
  caFile: string | undefined;
  credentials: string | undefined;
  proxy: string | undefined;
  noProxy: string | undefined;
  claimDirectory: string;
  allowHttp: boolean;
  diskLimitBytes: number | undefined;
  progressPort: number | undefined;
  terminationLog: string;
};

export type RouteOptions = {
  namespace: string;
  apiServer: string;
  caFile: string | undefined;
  tokenFile: string | undefined;
  host: string;
  adminPort: number;
  maxOutstanding: number;
  maxStreams: number;
  /** Undefined: as much as the memory limit allows. */
  maxWaitingBytes: number | undefined;
  maxConnections: number;
  maxConnectionAgeMs: number;
  /** Clients' addresses that may say whom they speak for. */
  isTrusted: IsTrusted;
  drainTimeoutMs: number;
  logFormat: "json" | "text";
};

/** More shards than this must be asked for: each costs memory of its own besides the shared weights. */
export const MAX_DEFAULT_SHARDS = 8;
const TERMINATION_LOG = "/dev/termination-log";

export const SERVE_HELP = `Serve an ONNX model over HTTP and gRPC (Open Inference, TensorFlow Serving, KServe V1).

  npm run serve -- --model FILE.onnx [options]

  --model FILE                the ONNX model (required)
  --name NAME                 the model's name in URLs (default: the file's base name)
  --model-version VERSION     shown in the metadata and accepted in URLs (default: 1)
  --host ADDRESS              address to listen on (default: 127.0.0.1; in a pod ::, IPv6 and IPv4 alike)
  --http-port PORT            inference over HTTP (default: ${HTTP_PORT}; 0 = any free port)
  --grpc-port PORT            inference over gRPC (default: ${GRPC_PORT}; 0 = any free port)
  --admin-port PORT           /livez /readyz /metrics /statusz (default: ${ADMIN_PORT}; 0 = any free port)
  --execution-provider EP     cpu, cuda or tensorrt; never falls back to another (default: cpu)
  --shards N                  processes that run the model side by side, and share its weights
                              (default: the CPU limit, at most ${MAX_DEFAULT_SHARDS}, fewer where the memory limit is
                              small; 1 on a device)
  --max-batch-size N          the most requests' items that one run takes together; 1 = never (default: 32). Batching
                              begins only when it was proved that answers do not change, and stays where it gains
  --max-delay DURATION        how long a request may wait for others to join its batch though a shard is free
                              (default: 0s: batches form from what waits while the shards are busy)
  --request-timeout DURATION  a request that takes longer fails; a run that hangs this long is killed (default: 30s)
  --drain-timeout DURATION    after SIGTERM, end at the latest after this long (default: 20s)
  --max-body SIZE             largest request body, before and after decompression, and gRPC message (default: 64Mi, less
                              under a memory limit below 1Gi: 24Mi under 512Mi, 4Mi under 256Mi)
  --max-connection-age DURATION  a connection that is older is closed after its answer, so that clients spread over
                              new servers (default: 5m)
  --cors-origins ORIGINS      pages in browsers that may ask over HTTP, by their origins with commas between, such as
                              https://app.example.com,http://localhost:3000; * is all (default: none)
  --log-format FORMAT         json or text (default: text on a terminal, else json)
  --termination-log FILE      where the reason of a failure is left (default: ${TERMINATION_LOG}, if it is there)
  --help

Durations are Go style (500ms, 30s, 1m30s), sizes Kubernetes style (1000000, 64Mi, 1G).`;

/** What the kubelet mounts into a pod that asks for a ServiceAccount's token. */
const ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount";

export const ROUTE_HELP = `Route requests to the revisions of the ModelDeployments of a namespace, each on the port that its status names.

  node runtime/main.ts route [options]

  --namespace NAME        the namespace to watch (default: the pod's own)
  --api-server URL        (default: the cluster's, from KUBERNETES_SERVICE_HOST and _PORT)
  --ca-file FILE          PEM certificates of the API server (default: those of the pod's ServiceAccount, in a cluster)
  --token-file FILE       its token (default: that of the pod's ServiceAccount, in a cluster)
  --host ADDRESS          address to listen on (default: 127.0.0.1; in a pod ::, IPv6 and IPv4 alike)
  --admin-port PORT       /livez /readyz /metrics /statusz (default: ${ADMIN_PORT}; 0 = any free port)
  --max-outstanding N     the most requests under way on one pod; more wait (default: 256)
  --max-streams N         the most streams that are open on one pod, beside its requests; more are refused. Of all pods' of a
                          revision, one connection may have half, and one client's address three quarters (default: 256)
  --max-waiting SIZE      for all that waits: bodies that are kept to be sent again, requests without a pod, answers that
                          clients do not take. What does not fit gets 503 (default: half of what the memory limit leaves
                          beside 256Mi: 256Mi of 768Mi)
  --max-connections N     clients' connections for each ModelDeployment, three quarters of them of one address; for one more,
                          the one that has been idle for longest is closed (default: 4096)
  --max-connection-age DURATION  an older one is closed after its answer, so that clients spread over new routers
                          (default: 5m)
  --trust-forwarded WHOM  clients whose X-Forwarded-* and Forwarded pods are told: none, all, or addresses and ranges
                          with commas between, such as 10.0.0.0/8,fd00::/8 (default: none: those headers are replaced
                          by what the router sees)
  --drain-timeout DURATION  after SIGTERM, end at the latest after this long (default: 100s: the longest hold and a request)
  --log-format FORMAT     json or text (default: text on a terminal, else json)
  --help

Durations are Go style (500ms, 30s, 1m30s), sizes Kubernetes style (1000000, 64Mi, 1G).`;

export const FETCH_HELP = `Download a model, check it, and put it in place.

  node runtime/main.ts fetch --uri URI --to FILE [options]

  --uri URI               https://…, http://… (with --allow-http) or pvc://claim/path (required)
  --to FILE               where the model goes, whole and verified or not at all (required)
  --sha256 HEX            refuse other bytes
  --pin-file FILE         if FILE exists it holds "sha256:HEX": refuse other bytes
  --ca-file FILE          PEM certificates to trust besides the system's, if FILE exists
  --credentials DIR       if DIR exists: its file "token" (Bearer), or "username" and "password" (Basic);
                          sent to the hosts alone that its file "hosts" names
  --proxy URL             fetch through this proxy: http://host[:port] or https://host[:port] (default: none; variables such as HTTPS_PROXY are not read)
  --no-proxy HOSTS        reached directly, with all below them: names and IP addresses, with commas between
  --claim-directory DIR   where the claim of a pvc:// URI is mounted (default: ${CLAIM_DIRECTORY})
  --allow-http            accept http:// too
  --disk-limit SIZE       the most bytes that the model may have (default: what is free on the disk)
  --progress-port PORT    tell there how far it is: ${PROGRESS_PATH} (default: nowhere)
  --termination-log FILE  where the outcome is left (default: ${TERMINATION_LOG}, if it is there)
  --help`;

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
    executionProvider: choice(values, "execution-provider", ["cpu", "cuda", "tensorrt"], "cpu"),
    shards: count(values, "shards", 64),
    maxBatchSize: count(values, "max-batch-size", 1024) ?? 32,
    maxDelayMs: duration(values, "max-delay", 0, 0),
    requestTimeoutMs: duration(values, "request-timeout", 30_000),
    drainTimeoutMs: duration(values, "drain-timeout", 20_000),
    maxBodyBytes: size(values, "max-body"),
    maxConnectionAgeMs: duration(values, "max-connection-age", 300_000),
    corsOrigins: origins(values, "cors-origins"),
    logFormat: choice(values, "log-format", ["json", "text"], isTerminal ? "text" : "json"),
    terminationLog: text(values, "termination-log") ?? TERMINATION_LOG,
  };
};

export const parseFetchOptions = (args: string[]): FetchOptions | "help" => {
  const names = [
    "uri",
    "to",
    "sha256",
    "pin-file",
    "ca-file",
    "credentials",
    "proxy",
    "no-proxy",
    "claim-directory",
    "disk-limit",
    "progress-port",
  ];
  const values = parse("fetch", "--uri URI", args, [...names, "termination-log"], ["allow-http"]);
  if (values === "help") return "help";
  const sha256 = text(values, "sha256")?.toLowerCase();
  if (sha256 !== undefined && !/^[0-9a-f]{64}$/.test(sha256)) {
    throw new UsageError("--sha256: give the 64 hexadecimal digits that sha256sum prints");
  }
  return {
    uri: required(values, "uri", "fetch", "--uri URI"),
    to: required(values, "to", "fetch", "--to FILE"),
    sha256,
    pinFile: text(values, "pin-file"),
    caFile: text(values, "ca-file"),
    credentials: text(values, "credentials"),
    proxy: text(values, "proxy"),
    noProxy: text(values, "no-proxy"),
    claimDirectory: text(values, "claim-directory") ?? CLAIM_DIRECTORY,
    allowHttp: values["allow-http"] === true,
    diskLimitBytes: size(values, "disk-limit"),
    progressPort: values["progress-port"] === undefined ? undefined : port(values, "progress-port", ADMIN_PORT),
    terminationLog: text(values, "termination-log") ?? TERMINATION_LOG,
  };
};

/** @param namespaceOfPod what the kubelet has mounted; undefined outside of a cluster */
export const parseRouteOptions = (
  args: string[],
  isTerminal: boolean,
  environment: Readonly<Record<string, string | undefined>>,
  namespaceOfPod: () => string | undefined = readNamespace,
): RouteOptions | "help" => {
  const values = parse("route", "--namespace NAME", args, [
    "namespace",
    "api-server",
    "ca-file",
    "token-file",
    "host",
    "admin-port",
    "max-outstanding",
    "max-streams",
    "max-waiting",
    "max-connections",
    "max-connection-age",
    "trust-forwarded",
    "drain-timeout",
    "log-format",
  ]);
  if (values === "help") return "help";
  const namespace = text(values, "namespace") ?? namespaceOfPod();
  if (namespace === undefined) throw new UsageError("--namespace is missing, and this is no pod; see route --help");
  if (!/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(namespace))
    throw new UsageError(`--namespace: "${namespace}" is no name of a namespace`);
  const { KUBERNETES_SERVICE_HOST: apiHost, KUBERNETES_SERVICE_PORT: apiPort = "443" } = environment;
  const inCluster =
    apiHost === undefined ? undefined : `https://${apiHost.includes(":") ? `[${apiHost}]` : apiHost}:${apiPort}`;
  const given = text(values, "api-server");
  const apiServer = given ?? inCluster;
  if (apiServer === undefined || !URL.canParse(apiServer))
    throw new UsageError("--api-server: give the URL of the API server, such as https://10.96.0.1:443");
  const mounted = (file: string): string | undefined => (given === undefined ? `${ACCOUNT}/${file}` : undefined);
  return {
    namespace,
    apiServer,
    caFile: text(values, "ca-file") ?? mounted("ca.crt"),
    tokenFile: text(values, "token-file") ?? mounted("token"),
    host: text(values, "host") ?? "127.0.0.1",
    adminPort: port(values, "admin-port", ADMIN_PORT),
    maxOutstanding: count(values, "max-outstanding", 100_000) ?? 256,
    maxStreams: count(values, "max-streams", 100_000) ?? 256,
    maxWaitingBytes: size(values, "max-waiting"),
    maxConnections: count(values, "max-connections", 100_000) ?? 4096,
    maxConnectionAgeMs: duration(values, "max-connection-age", 300_000),
    isTrusted: trust(values),
    drainTimeoutMs: duration(values, "drain-timeout", 100_000),
    logFormat: choice(values, "log-format", ["json", "text"], isTerminal ? "text" : "json"),
  };
};

const trust = (values: Values): IsTrusted => {
  const whom = text(values, "trust-forwarded") ?? "none";
  const isTrusted = createTrust(whom);
  if (isTrusted === undefined)
    throw new UsageError(`--trust-forwarded: "${whom}" is neither none nor all nor addresses such as 10.0.0.0/8,::1`);
  return isTrusted;
};

const readNamespace = (): string | undefined => {
  try {
    return readFileSync(`${ACCOUNT}/namespace`, "utf8").trim();
  } catch {
    return undefined;
  }
};

/** Go's durations: a sequence of numbers with units ("1h", "1m30s", "250ms"). In milliseconds. */
export const parseDuration = (value: string): number | undefined => {
  const unitMs: Record<string, number> = { us: 0.001, ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
  if (!/^(\d+(\.\d+)?(us|ms|s|m|h))+$/.test(value)) return undefined;
  return [...value.matchAll(/(\d+(?:\.\d+)?)(us|ms|s|m|h)/g)].reduce(
    (sum, [, number, unit]) => sum + Number(number) * (unitMs[unit ?? ""] ?? Number.NaN),
    0,
  );
};

/** Kubernetes' quantities of bytes: "1048576", "64Mi", "2G". */
export const parseSize = (value: string): number | undefined => {
  const match = /^(\d{1,15})(Ki|Mi|Gi|Ti|k|M|G|T)?$/.exec(value);
  if (match === null) return undefined;
  const unit = match[2] ?? "";
  const power = { "": 0, k: 1, K: 1, M: 2, G: 3, T: 4 }[unit.charAt(0)] ?? 0;
  const bytes = Number(match[1]) * (unit.endsWith("i") ? 1024 : 1000) ** power;
  return Number.isSafeInteger(bytes) ? bytes : undefined;
};

/** The version of this package, as /v2 and /statusz report it. */
export const packageVersion = (): string => {
  const parsed: unknown = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  return typeof parsed === "object" && parsed !== null && "version" in parsed ? String(parsed.version) : "0.0.0";
};

type Values = Record<string, string | boolean | undefined>;

/** @param example of a value with its option */
const parse = (
  command: string,
  example: string,
  args: string[],
  strings: string[],
  booleans: string[] = [],
): Values | "help" => {
  const options: NonNullable<ParseArgsConfig["options"]> = { help: { type: "boolean" } };
  for (const name of strings) options[name] = { type: "string" };
  for (const name of booleans) options[name] = { type: "boolean" };
  try {
    const { values } = parseArgs({ args, options, allowPositionals: false });
    if (values.help === true) return "help";
    const flat: Values = {};
    for (const [name, value] of Object.entries(values)) flat[name] = Array.isArray(value) ? undefined : value;
    return flat;
  } catch (error) {
    const [reason = ""] = error instanceof Error ? error.message.split(". ") : [String(error)];
    const hint = reason.startsWith("Unexpected argument") ? `; each value has its option, as in ${example}` : "";
    throw new UsageError(`${reason}${hint}; see ${command} --help`);
  }
};

const text = (values: Values, name: string): string | undefined => {
  const value = values[name];
  return typeof value === "string" && value !== "" ? value : undefined;
};

const required = (values: Values, name: string, command: string, usage: string): string => {
  const value = text(values, name);
  if (value === undefined) throw new UsageError(`--${name} is missing: give ${usage}; see ${command} --help`);
  return value;
};

const origins = (values: Values, name: string): Origins | undefined => {
  const value = text(values, name);
  const parsed = value === undefined ? undefined : parseOrigins(value);
  if (typeof parsed !== "object" || !("wrong" in parsed)) return parsed;
  throw new UsageError(
    `--${name}: "${parsed.wrong}" is no origin; give a scheme, a host and perhaps a port, such as https://app.example.com or http://localhost:3000, or * alone for all`,
  );
};

const port = (values: Values, name: string, fallback: number): number => {
  const value = text(values, name);
  if (value === undefined) return fallback;
  if (!/^\d{1,5}$/.test(value) || Number(value) > 65535) {
    throw new UsageError(`--${name}: "${value}" is not a port; give a number from 0 to 65535`);
  }
  return Number(value);
};

const choice = <T extends string>(values: Values, name: string, choices: readonly T[], fallback: T): T => {
  const value = text(values, name);
  if (value === undefined) return fallback;
  const found = choices.find((one) => one === value);
  if (found === undefined) throw new UsageError(`--${name}: "${value}" is unknown; give one of ${choices.join(", ")}`);
  return found;
};

const count = (values: Values, name: string, most: number): number | undefined => {
  const value = text(values, name);
  if (value === undefined) return undefined;
  if (!/^[1-9]\d{0,5}$/.test(value) || Number(value) > most) {
    throw new UsageError(`--${name}: "${value}" is not a whole number from 1 to ${most}`);
  }
  return Number(value);
};

const duration = (values: Values, name: string, fallback: number, least = 1): number => {
  const value = text(values, name);
  if (value === undefined) return fallback;
  const ms = parseDuration(value);
  // setTimeout's largest delay is 2^31 - 1 ms
  if (ms === undefined || ms < least || ms > 2 ** 31 - 1) {
    throw new UsageError(`--${name}: "${value}" is not a duration; give for example 500ms, 30s or 1m30s`);
  }
  return ms;
};

const size = (values: Values, name: string): number | undefined => {
  const value = text(values, name);
  if (value === undefined) return undefined;
  const bytes = parseSize(value);
  if (bytes === undefined || bytes < 1) {
    throw new UsageError(`--${name}: "${value}" is not a size; give for example 1000000, 64Mi or 2G`);
  }
  return bytes;
};
