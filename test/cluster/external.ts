import { accessSync, constants, existsSync } from "node:fs";
import { delimiter, join, resolve } from "node:path";
import { type RunOptions, run } from "./commands.ts";
import { ClusterError } from "./errors.ts";
import { ensureTools } from "./tools.ts";
import type { Cluster, Report } from "./types.ts";

/**
 * Any other cluster (kind, k3s, a managed one) by its kubeconfig, with kubectl from PATH or the built one. Berth
 * assumes nothing of it but its API: images must be there already, and faults are not made.
 */
export const external = async (kubeconfigFile: string, report: Report): Promise<Cluster> => {
  const kubeconfig = resolve(kubeconfigFile);
  if (!existsSync(kubeconfig)) throw new ClusterError(`no such kubeconfig: ${kubeconfig}`);
  const kubectlCommand = inPath("kubectl") ? ["kubectl"] : [(await ensureTools(report)).machine, "kubectl"];
  const inside = (command: readonly string[]): string[] => ["env", `KUBECONFIG=${kubeconfig}`, ...command];
  const runInside = (command: readonly string[], options: RunOptions = {}) => run(inside(command), options);
  const kubectl: Cluster["kubectl"] = (args, options) => runInside([...kubectlCommand, ...args], options);
  const names = await kubectl(["get", "nodes", "-o", "jsonpath={.items[*].metadata.name}"]);
  const refuse = (what: string) => async (): Promise<never> => {
    throw new ClusterError(`${what} works on clusters of "npm run cluster -- up" only, not on that of ${kubeconfig}`);
  };
  return {
    name: "external",
    own: false,
    nodes: names.stdout.split(" ").filter((name) => name !== ""),
    kubeconfig,
    hostKubeconfig: kubeconfig,
    inside,
    run: runInside,
    kubectl,
    load: async (archives) => {
      throw new ClusterError(
        `the nodes of ${kubeconfig} must have these images already, and offer devices as nvidia.com/gpu; ` +
          `load them with the cluster's own tool (such as "kind load image-archive") or push them: ${archives.join(", ")}`,
      );
    },
    crash: refuse("crash"),
    revive: refuse("revive"),
    power: refuse("power"),
    link: refuse("link"),
    devices: refuse("devices"),
    logs: refuse("logs"),
    down: refuse("down"),
  };
};

const inPath = (program: string): boolean =>
  (process.env.PATH ?? "").split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
