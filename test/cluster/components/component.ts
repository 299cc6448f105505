import type { NodePlan, Plan } from "../plan.ts";

/** One program of the cluster: where it runs, with which files and flags, and how to tell that it works. */
export type Component = {
  readonly name: string;
  readonly place: "control plane" | "every node";
  /** Configuration files by path, written before each start. */
  readonly files?: (plan: Plan, node: NodePlan, programs: Programs) => Record<string, string>;
  readonly command: (plan: Plan, node: NodePlan, programs: Programs) => string[];
  /** Passes when the program serves. It runs in the node's namespaces. */
  readonly probe?: readonly string[];
};

export type Programs = {
  /** The built binary of all Kubernetes parts. */
  readonly machine: string;
  /** Where the CNI plugins are. */
  readonly cniPlugins: string;
};

const seconds = 3; // for one probe
const inBash = (script: string): string[] => ["timeout", String(seconds), "bash", "-c", script];
const connect = (port: number): string => `exec 3<> /dev/tcp/127.0.0.1/${port}`;

/** Whether a path on a port of the node's loopback answers 200. With bash alone: no HTTP client is on every machine. */
export const answers = (port: number, path: string): string[] =>
  inBash(
    `${connect(port)}; printf 'GET ${path} HTTP/1.0\\r\\n\\r\\n' >&3; read -r _ status _ <&3; [ "$status" = 200 ]`,
  );

/** Whether something listens, for what serves its health over TLS only. */
export const listens = (port: number): string[] => inBash(connect(port));

/** Command-line flags from names and values; `true` is a flag by itself. */
export const flags = (values: Record<string, string | number | true>): string[] =>
  Object.entries(values).map(([name, value]) => (value === true ? `--${name}` : `--${name}=${value}`));
