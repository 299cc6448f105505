import type { Output, RunOptions } from "./commands.ts";
import type { ComponentFlags, Families } from "./plan.ts";

export type LogQuery = {
  /** Name of a component; every component if left out. */
  component?: string;
  /** Index of a node; every node if left out. */
  node?: number;
  /** Lines from the end of each log. */
  tail?: number;
};

/** A Kubernetes cluster under test. Every method rejects with an error whose message says what to do. */
export type Cluster = {
  readonly name: string;
  /** Started by Berth: images can be loaded into it and faults made. False for a cluster that a kubeconfig names. */
  readonly own: boolean;
  /** Names, as the API server has them. */
  readonly nodes: readonly string[];
  /** File for processes in the cluster's network (see `run`). */
  readonly kubeconfig: string;
  /** File for processes on the host, such as Helm. */
  readonly hostKubeconfig: string;
  /** Runs kubectl. Rejects with `CommandFailed`, whose `stderr` is what the API server or kubectl said. */
  kubectl(args: readonly string[], options?: { input?: string }): Promise<Output>;
  /**
   * Runs a program in the cluster's network, with KUBECONFIG set and kubectl and helm in PATH: it reaches pods, Services
   * by their address and the API server, and nothing else. It sees the host's files.
   */
  run(command: readonly string[], options?: RunOptions): Promise<Output>;
  /** The command line that `run` would start, for a process that a test wants to hold and kill. Its pid is the program's own. */
  inside(command: readonly string[]): string[];
  /** Imports OCI archives on every node. Images that are there with the same digest are left alone. */
  load(archives: readonly string[]): Promise<void>;
  /** Kills a component with SIGKILL. Node 0 if none is given. Its pods keep running. */
  crash(component: string, node?: number): Promise<void>;
  /** Starts a crashed component; resolves when it serves again. */
  revive(component: string, node?: number): Promise<void>;
  /** Off: the node is lost, with all that ran on it. On: resolves when it is Ready again. Not for node 0. */
  power(node: number, state: "on" | "off"): Promise<void>;
  /** Cuts a node off from all others, or joins it again. Does not wait for the API server to notice. Not for node 0. */
  link(node: number, state: "up" | "down"): Promise<void>;
  /** Gives a node so many devices, the first of them unhealthy; resolves when the API server counts the others. */
  devices(node: number, count: number, unhealthy?: number): Promise<void>;
  /** What the components logged. */
  logs(query?: LogQuery): Promise<string>;
  /** Ends the cluster and removes all that it made. */
  down(): Promise<void>;
};

export type UpOptions = {
  /** At most 8 of a-z and 0-9; `berth` if left out. Instances of different names live side by side. */
  name?: string;
  /** 1 to 4. Left out: as many as a running instance has, else 2. */
  nodes?: number;
  /** On each node, 0 to 16. Left out: as many as a running instance has, else 4. */
  devices?: number;
  /** Of pods' and Services' addresses. Left out: as a running instance has them, else IPv4 alone. */
  families?: Families;
  /** What a bench sets otherwise. Left out: as a running instance has them, else none. */
  flags?: ComponentFlags;
};

export type Report = (line: string) => void;
