import { parseArgs } from "node:util";
import { formatDuration, parseDuration } from "../contract/duration.ts";
import { parseForwardedTrust } from "../contract/forwarded-trust.ts";
import { POD_USER, type PodUser } from "./apply/restricted.ts";
import type { NodeAutoscaling } from "./cluster/capacity/node-autoscaling.ts";
import type { RouterRole } from "./controllers/namespace-router/children/account.ts";
import type { RouterResources } from "./controllers/namespace-router/children/deployment.ts";
import type { Rate } from "./platform/kube/rate-limit.ts";
import { ELECTION_TIMES, type ElectionTimes, faultOf } from "./platform/manager/election.ts";
import { LOG_LEVELS, type LogLevel } from "./platform/telemetry/logger.ts";
import { DEFAULT_ROUTER_RESOURCES, parseRouterResources } from "./router-resources.ts";

export type Config = {
  namespace: string;
  identity: string;
  runtimeImage: string;
  runtimeImagePullPolicy: string;
  allowHttpModels: boolean;
  podUser: PodUser;
  /** Whether nodes come where pods wait for them. */
  nodeAutoscaling: NodeAutoscaling;
  /** What the operator looks at; empty: every namespace. */
  watchNamespaces: string[];
  /** What routers are bound to: a ClusterRole, or a Role of this name in each namespace. */
  routerRole: RouterRole;
  routerResources: RouterResources;
  /** Whose X-Forwarded-* routers believe: none, all, or addresses and ranges. */
  routerTrustForwarded: string;
  leaseName: string;
  logLevel: LogLevel;
  probePort: number;
  metricsPort: number;
  /** Undefined: the pod's service account. */
  kubeconfig: string | undefined;
  workers: number;
  electionTimes: ElectionTimes;
  /** Requests to the API server, the lease's and watches apart. */
  apiRate: Rate;
};

export const USAGE = `usage: node operator/main.ts --namespace NAMESPACE --identity NAME --runtime-image IMAGE [options]

  --namespace NAMESPACE             where the operator runs, and keeps its lease
  --lease-name NAME                 of the lease: one for each release (berth-operator)
  --identity NAME                   names this process in the lease, such as its pod's name: unique among those that run
  --runtime-image IMAGE             the image of the inference pods
  --runtime-image-pull-policy WORD  Always, IfNotPresent or Never (IfNotPresent)
  --allow-http-models=BOOLEAN       true lets models come over plain http:// (false)
  --pod-user WORD                   the user and group that pods of models and routers run as, or namespace: whichever their namespace gives
                                    them, as OpenShift's restricted-v2 wants it (${POD_USER})
  --node-autoscaling WORD           true where nodes are added for waiting pods: Berth then also makes pods that have no room yet;
                                    false; or auto: true where Karpenter has a NodePool, or the cluster-autoscaler runs (auto)
  --watch-namespaces NAMES          only the ModelDeployments of these namespaces, such as a,b; without it, those of every namespace
  --router-cluster-role NAME        the ClusterRole of routers, bound in each namespace that has one
                                    (berth-operator-router:NAMESPACE)
  --router-role NAME                in its place: the name of a Role that is there in each namespace
  --router-resources JSON           resource requests and limits of each router
                                    (${DEFAULT_ROUTER_RESOURCES})
  --router-trust-forwarded WHOM     clients whose X-Forwarded-* and Forwarded routers pass on: none, all, or addresses and ranges, such as
                                    10.0.0.0/8,fd00::/8 (none)
  --log-level LEVEL                 ${LOG_LEVELS.join(", ")} (info)
  --probe-port PORT                 /livez and /readyz (8081)
  --metrics-port PORT               /metrics (8080)
  --kubeconfig FILE                 outside a cluster: how to reach the API server
  --workers NUMBER                  ModelDeployments that are reconciled at one time (16)
  --kube-api-qps NUMBER             requests to the API server in a second (400) ...
  --kube-api-burst NUMBER           ... and at once (800)
  --lease-duration DURATION         a standby leads when the leader has not renewed for so long (${formatDuration(ELECTION_TIMES.leaseMs)})
  --renew-deadline DURATION         a leader that has not renewed for so long ends (${formatDuration(ELECTION_TIMES.renewDeadlineMs)})
  --retry-period DURATION           between two tries to renew or to lead (${formatDuration(ELECTION_TIMES.retryMs)})
  --help                            print this`;

/** Of a user, as Kubernetes has them. */
const MOST_USER = 2 ** 31 - 1;

/** A command line that cannot be used; the message says which option and what it takes. */
export class ConfigError extends Error {
  readonly code = "BAD_OPTION";
}

/** The configuration of a command line without the program's name, or "help". Throws a `ConfigError`. */
export const parseConfig = (args: string[]): Config | "help" => {
  const values = parse(args);
  if (values.help) return "help";
  return {
    namespace: required(values, "namespace"),
    identity: required(values, "identity"),
    runtimeImage: required(values, "runtime-image"),
    runtimeImagePullPolicy: oneOf(values, "runtime-image-pull-policy", ["Always", "IfNotPresent", "Never"]),
    allowHttpModels: oneOf(values, "allow-http-models", ["true", "false"]) === "true",
    podUser: podUser(values),
    nodeAutoscaling: oneOf(values, "node-autoscaling", ["auto", "true", "false"]),
    watchNamespaces: namespaces(values),
    routerRole: routerRole(values),
    routerResources: routerResources(values),
    routerTrustForwarded: trustForwarded(values),
    leaseName: required(values, "lease-name"),
    logLevel: oneOf(values, "log-level", LOG_LEVELS),
    probePort: integer(values, "probe-port", 65535),
    metricsPort: integer(values, "metrics-port", 65535),
    kubeconfig: values.kubeconfig,
    workers: integer(values, "workers", 64),
    apiRate: { perSecond: integer(values, "kube-api-qps", 100_000), burst: integer(values, "kube-api-burst", 100_000) },
    electionTimes: electionTimes(values),
  };
};

const parse = (args: string[]) => {
  try {
    return parseArgs({
      args,
      options: {
        namespace: { type: "string" },
        identity: { type: "string" },
        "runtime-image": { type: "string" },
        "runtime-image-pull-policy": { type: "string", default: "IfNotPresent" },
        "allow-http-models": { type: "string", default: "false" },
        "pod-user": { type: "string", default: String(POD_USER) },
        "node-autoscaling": { type: "string", default: "auto" },
        "watch-namespaces": { type: "string" },
        "router-cluster-role": { type: "string" },
        "router-role": { type: "string" },
        "router-resources": { type: "string", default: DEFAULT_ROUTER_RESOURCES },
        "router-trust-forwarded": { type: "string", default: "none" },
        "lease-name": { type: "string", default: "berth-operator" },
        "log-level": { type: "string", default: "info" },
        "probe-port": { type: "string", default: "8081" },
        "metrics-port": { type: "string", default: "8080" },
        kubeconfig: { type: "string" },
        workers: { type: "string", default: "16" },
        "kube-api-qps": { type: "string", default: "400" },
        "kube-api-burst": { type: "string", default: "800" },
        "lease-duration": { type: "string", default: formatDuration(ELECTION_TIMES.leaseMs) },
        "renew-deadline": { type: "string", default: formatDuration(ELECTION_TIMES.renewDeadlineMs) },
        "retry-period": { type: "string", default: formatDuration(ELECTION_TIMES.retryMs) },
        help: { type: "boolean", default: false },
      },
    }).values;
  } catch (error) {
    throw new ConfigError(error instanceof Error ? error.message : String(error), { cause: error });
  }
};

type Values = ReturnType<typeof parse>;
type TextOption = Exclude<keyof Values, "help">;

const required = (values: Values, option: TextOption): string => {
  const value = values[option];
  if (!value) throw new ConfigError(`--${option} is missing`);
  return value;
};

const oneOf = <T extends string>(values: Values, option: TextOption, words: readonly T[]): T => {
  const word = words.find((each) => each === values[option]);
  if (word === undefined)
    throw new ConfigError(`--${option} must be one of ${words.join(", ")}, not "${values[option]}"`);
  return word;
};

const namespaces = (values: Values): string[] => {
  const names = values["watch-namespaces"]?.split(",") ?? [];
  const wrong = names.find((name) => !/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(name));
  if (wrong !== undefined)
    throw new ConfigError(`--watch-namespaces must be namespace names separated by commas, and "${wrong}" is not one`);
  return [...new Set(names)];
};

const routerRole = (values: Values): RouterRole => {
  const clusterRole = values["router-cluster-role"];
  const role = values["router-role"];
  if (role === undefined)
    return { kind: "ClusterRole", name: clusterRole ?? `berth-operator-router:${required(values, "namespace")}` };
  if (clusterRole !== undefined) throw new ConfigError("--router-role and --router-cluster-role exclude each other");
  return { kind: "Role", name: role };
};

const routerResources = (values: Values): RouterResources => {
  try {
    return parseRouterResources(values["router-resources"]);
  } catch (error) {
    throw new ConfigError(`--router-resources: ${error instanceof Error ? error.message : String(error)}`);
  }
};

const trustForwarded = (values: Values): string => {
  const whom = values["router-trust-forwarded"];
  if (parseForwardedTrust(whom) === undefined)
    throw new ConfigError(
      `--router-trust-forwarded: "${whom}" must be none, all, or addresses and ranges such as 10.0.0.0/8,::1`,
    );
  return whom;
};

const podUser = (values: Values): PodUser => {
  if (values["pod-user"] === "namespace") return "namespace";
  if (!/^\d+$/.test(values["pod-user"] ?? "")) {
    throw new ConfigError(
      `--pod-user must be a number from 1 to ${MOST_USER}, or namespace, not "${values["pod-user"]}"`,
    );
  }
  return integer(values, "pod-user", MOST_USER);
};

const electionTimes = (values: Values): ElectionTimes => {
  const times = {
    leaseMs: duration(values, "lease-duration"),
    renewDeadlineMs: duration(values, "renew-deadline"),
    retryMs: duration(values, "retry-period"),
  };
  const fault = faultOf(times);
  if (fault !== undefined) throw new ConfigError(fault);
  return times;
};

const duration = (values: Values, option: TextOption): number => {
  try {
    return parseDuration(values[option] ?? "");
  } catch (error) {
    throw new ConfigError(`--${option}: ${error instanceof Error ? error.message : String(error)}`);
  }
};

const integer = (values: Values, option: TextOption, most: number): number => {
  const value = values[option] ?? "";
  const number = Number(value);
  if (!/^\d+$/.test(value) || number < 1 || number > most) {
    throw new ConfigError(`--${option} must be a whole number from 1 to ${most}, not "${value}"`);
  }
  return number;
};
