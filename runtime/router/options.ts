/** The command line of `route`. */
import { readFileSync } from "node:fs";
import { ADMIN_PORT } from "../../contract/pod.ts";
import { choice, count, duration, parse, port, size, text, UsageError, type Values } from "../command-line/values.ts";
import { createTrust, type IsTrusted } from "./forwarded.ts";

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
                          separated by commas, such as 10.0.0.0/8,fd00::/8 (default: none: those headers are replaced
                          by what the router sees)
  --drain-timeout DURATION  after SIGTERM, end at the latest after this long (default: 100s: the longest hold and a request)
  --log-format FORMAT     json or text (default: text on a terminal, else json)
  --help

Durations are Go style (500ms, 30s, 1m30s), sizes Kubernetes style (1000000, 64Mi, 1G).`;

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
  if (namespace === undefined) throw new UsageError("--namespace is missing, and this is not a pod; see route --help");
  if (!/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(namespace))
    throw new UsageError(`--namespace: "${namespace}" is not the name of a namespace`);
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
    throw new UsageError(`--trust-forwarded: "${whom}" must be none, all, or addresses such as 10.0.0.0/8,::1`);
  return isTrusted;
};

const readNamespace = (): string | undefined => {
  try {
    return readFileSync(`${ACCOUNT}/namespace`, "utf8").trim();
  } catch {
    return undefined;
  }
};
