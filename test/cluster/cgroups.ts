import { existsSync, readdirSync } from "node:fs";
import { mkdir, readFile, rmdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { PATIENCE_MS } from "../world/patience.ts";
import { ClusterError } from "./errors.ts";
import { cgroupOf, type NodePlan } from "./plan.ts";

const root = "/sys/fs/cgroup";

/** With version 2 there is one hierarchy, at the root; with version 1 one per controller, in folders below it. */
const isVersion2 = (): boolean => existsSync(join(root, "cgroup.controllers"));

const hierarchies = (): string[] =>
  isVersion2()
    ? [root]
    : readdirSync(root, { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map((entry) => join(root, entry.name));

/** Makes the cgroup below which the node's kubelet keeps its pods: two kubelets cannot share one. */
export const makeCgroup = async (node: NodePlan): Promise<void> => {
  for (const hierarchy of hierarchies()) await mkdir(join(hierarchy, node.cgroup), { recursive: true });
  const levels = [node.cgroup.slice(0, node.cgroup.lastIndexOf("/")), node.cgroup];
  if (isVersion2()) {
    await delegate(["", ...levels.slice(0, -1)]);
  } else if (existsSync(join(root, "cpuset"))) {
    // A new cpuset is empty, and no process may enter it.
    for (const level of levels) {
      for (const file of ["cpuset.cpus", "cpuset.mems"]) {
        await writeFile(join(root, "cpuset", level, file), await readFile(join(root, "cpuset", file)));
      }
    }
  }
};

/** Version 2: passes every controller on from the root to the node, level by level. */
const delegate = async (levels: readonly string[]): Promise<void> => {
  const controllers = (await readFile(join(root, "cgroup.controllers"), "utf8")).trim().split(" ");
  const enable = controllers.map((controller) => `+${controller}`).join(" ");
  for (const level of levels) {
    const control = join(root, level, "cgroup.subtree_control");
    try {
      await writeFile(control, enable);
    } catch (error) {
      // In a container the "root" holds processes, and then it may not pass controllers on: move them aside.
      if (level !== "" || !isBusy(error)) throw error;
      await moveProcesses(root, join(root, "berth-dev-outside"));
      await writeFile(control, enable);
    }
  }
};

const isBusy = (error: unknown): boolean => error instanceof Error && "code" in error && error.code === "EBUSY";

const moveProcesses = async (from: string, to: string): Promise<void> => {
  await mkdir(to, { recursive: true });
  for (const pid of (await readFile(join(from, "cgroup.procs"), "utf8")).trim().split("\n")) {
    await writeFile(join(to, "cgroup.procs"), pid).catch(() => {}); // it has ended, or is the kernel's
  }
};

/** Removes an instance's cgroups. Their processes must have been killed; the kernel needs a moment to let go of them. */
export const removeCgroups = async (cluster: string): Promise<void> => {
  const trees = hierarchies().map((hierarchy) => join(hierarchy, cgroupOf(cluster)));
  for (const deadline = Date.now() + PATIENCE_MS; ; await sleep(50)) {
    const left = [];
    for (const tree of trees) if (!(await removeTree(tree))) left.push(tree);
    if (left.length === 0) return;
    if (Date.now() > deadline)
      throw new ClusterError(`cgroups in use ${PATIENCE_MS / 1000} s after their processes: ${left.join(", ")}`);
  }
};

/** Whether the tree is gone. A cgroup is removed by rmdir, deepest first; its files are not files. */
const removeTree = async (directory: string): Promise<boolean> => {
  if (!existsSync(directory)) return true;
  const children = readdirSync(directory, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  let clean = true;
  for (const child of children) clean = (await removeTree(join(directory, child.name))) && clean;
  if (!clean) return false;
  return rmdir(directory).then(
    () => true,
    () => false,
  );
};
