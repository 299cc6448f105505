/** A real Kubernetes cluster for tests and for the demo. The command line of the same is main.ts. */
export { openCluster } from "./cluster.ts";
export type { Output, RunOptions } from "./commands.ts";
export { down } from "./down.ts";
export { ClusterError, CommandFailed } from "./errors.ts";
export { external } from "./external.ts";
export { builtHelm, ensureTools, type Tools } from "./tools.ts";
export type { Cluster, LogQuery, Report, UpOptions } from "./types.ts";
export { up } from "./up.ts";
