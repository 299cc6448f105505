import { rm } from "node:fs/promises";
import { removeCgroups } from "./cgroups.ts";
import { withLock } from "./lock.ts";
import { removeNetworks } from "./networks.ts";
import { maxNodes, nodePaths, paths, planCluster } from "./plan.ts";
import { end } from "./processes.ts";
import { checkName, lockFile, stateParent } from "./state.ts";
import type { Report } from "./types.ts";

/** Ends an instance, whole or half-made, and removes everything that it made. Does nothing if there is nothing. */
export const down = async (name: string, report: Report): Promise<void> => {
  const waiting = () => report(`another process is starting or ending cluster ${name}: waiting for it`);
  await withLock(lockFile(checkName(name)), waiting, () => tearDown(name));
};

/** As `down`, for a caller that holds the lock. */
export const tearDown = async (name: string): Promise<void> => {
  const plan = planCluster(stateParent(), name, maxNodes, 0);
  // A node's first process takes all others of the node with it, and with the last of them go its mounts.
  await Promise.all([end(paths(plan).exposePid), ...plan.nodes.map((node) => end(nodePaths(node).init))]);
  await removeNetworks(name);
  await Promise.all([removeCgroups(name), rm(plan.directory, { recursive: true, force: true })]);
};
