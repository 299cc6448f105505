/** The operator's own processes, for tests that do them harm. */
import { readdir, readFile } from "node:fs/promises";
import { OPERATOR_NAMESPACE } from "../world/helm.ts";
import type { World } from "../world/index.ts";

/**
 * On the dev cluster the process itself gets SIGKILL; it is found by its command line inside this cluster's control
 * groups. Elsewhere the pod is deleted without grace, which is as near as the API lets one come.
 */
export const killOperator = async (world: World): Promise<void> => {
  if (world.handle.where.kubeconfig !== undefined) {
    await world.cluster.kubectl([
      ...[
        "delete",
        "pod",
        "-n",
        OPERATOR_NAMESPACE,
        "-l",
        "app.kubernetes.io/name=berth-operator",
        "--force",
        "--grace-period=0",
      ],
    ]);
    return;
  }
  const pids = await operatorProcesses(world.handle.where.name);
  for (const pid of pids) process.kill(pid, "SIGKILL");
};

/** Of the operators in the dev cluster of this name. */
export const operatorProcesses = async (cluster: string): Promise<number[]> => {
  const found: number[] = [];
  for (const entry of await readdir("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    const [command, groups] = await Promise.all(
      ["cmdline", "cgroup"].map((file) => readFile(`/proc/${entry}/${file}`, "utf8").catch(() => "")),
    );
    if (command?.includes("operator/main.ts") && groups?.includes(`/${cluster}/node`)) found.push(Number(entry));
  }
  return found;
};
