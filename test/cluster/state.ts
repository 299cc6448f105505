import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdir, statfs, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { z } from "zod";
import { ClusterError } from "./errors.ts";
import { clustersWithNetworks } from "./networks.ts";
import { familyChoices, isClusterName, type Plan, paths, planCluster } from "./plan.ts";
import type { Tools } from "./tools.ts";

/** The directory that holds one directory per instance. */
export const stateParent = (): string => resolve(process.env.BERTH_STATE_DIR || "/var/lib/berth-dev");

const overlayfs = 0x794c7630; // OVERLAYFS_SUPER_MAGIC, statfs(2)

/** Makes sure that clusters can live there: overlayfs cannot lie on overlayfs, and image layers are overlays. */
export const prepareStateParent = async (): Promise<void> => {
  const parent = stateParent();
  await mkdir(parent, { recursive: true });
  if ((await statfs(parent)).type === overlayfs) {
    throw new ClusterError(
      `${parent} is on overlayfs, as in a container without a volume, and containerd cannot keep images there: ` +
        "set BERTH_STATE_DIR to a folder on another file system, such as a volume or a tmpfs of 4 GB",
    );
  }
};

export const checkName = (name: string): string => {
  if (isClusterName(name)) return name;
  throw new ClusterError(`cluster name "${name}": 1 to 8 of the characters a-z and 0-9, please`);
};

export const lockFile = (name: string): string => join(stateParent(), `${name}.lock`);

const recordSchema = z.object({
  nodes: z.number(),
  devices: z.number(),
  flags: z.record(z.string(), z.record(z.string(), z.string())).default({}),
  families: z.enum(familyChoices).default("ipv4"),
  tools: z.object({ machine: z.string(), helm: z.string(), pauseImage: z.string() }),
});

export type Instance = { plan: Plan; tools: Tools };

/** What `up` wrote when the cluster was complete, or undefined. */
export const readInstance = (name: string): Instance | undefined => {
  const file = paths(planCluster(stateParent(), name, 0, 0)).record;
  if (!existsSync(file)) return undefined;
  const { nodes, devices, families, flags, tools } = recordSchema.parse(JSON.parse(readFileSync(file, "utf8")));
  return { plan: planCluster(stateParent(), name, nodes, devices, flags, families), tools };
};

export const writeInstance = ({ plan, tools }: Instance): Promise<void> => {
  const { nodes, devices, families, flags } = plan;
  return writeFile(paths(plan).record, JSON.stringify({ nodes: nodes.length, devices, families, flags, tools }));
};

/** Names of all instances of which there is anything, complete or not. */
export const instanceNames = (): string[] => {
  const parent = stateParent();
  const directories = existsSync(parent)
    ? readdirSync(parent, { withFileTypes: true }).filter((entry) => entry.isDirectory() && isClusterName(entry.name))
    : [];
  return [...new Set([...directories.map((entry) => entry.name), ...clustersWithNetworks()])].sort();
};
