/** The operator's own processes, for tests that do them harm. */
import { readdir, readFile } from "node:fs/promises";
import { OPERATOR_NAMESPACE } from "../world/helm.ts";
import type { World } from "../world/index.ts";

/**
 * On the dev cluster the process itself gets SIGKILL; it is found by its command line inside this cluster's control
 * groups. Resolves with how many were. Elsewhere the pod is deleted without grace, which is as near as the API lets one come.
 */
export const killOperator = async (world: World): Promise<number> => {
  if (world.handle.where.kubeconfig !== undefined) {
    await deleteOperator(world);
    return 1;
  }
  const pids = await operatorProcesses(world.handle.where.name);
  for (const pid of pids) process.kill(pid, "SIGKILL");
  return pids.length;
};

/** And another pod takes its place at once: the kubelet restarts a container that ends again and again later and later. */
export const replaceOperator = async (world: World): Promise<number> => {
  const killed = await killOperator(world);
  await deleteOperator(world);
  return killed;
};

const deleteOperator = async (world: World): Promise<void> => {
  const which = ["pod", "-n", OPERATOR_NAMESPACE, "-l", "app.kubernetes.io/name=berth-operator"];
  await world.cluster.kubectl(["delete", ...which, "--force", "--grace-period=0"]);
};

/** Of the operators in the dev cluster of this name. */
export const operatorProcesses = async (cluster: string): Promise<number[]> => {
  const found: number[] = [];
  for (const entry of await readdir("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    const [command, groups] = await Promise.all(
      ["cmdline", "cgroup"].map((file) => readFile(`/proc/${entry}/${file}`, "utf8").catch(() => "")),
    );
    if (command?.includes("operator/main.js") && groups?.includes(`/berth-dev-${cluster}/node`))
      found.push(Number(entry));
  }
  return found;
};
