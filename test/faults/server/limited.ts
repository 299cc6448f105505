/** A server under a memory limit that the kernel keeps. */
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { until } from "../../world/patience.ts";

export type Limited = {
  /** What says how the limit is kept, for the test's output. */
  how: string;
  /** To be given to startServer: where the server joins, or what binds each of its processes. */
  group: string | undefined;
  limits: readonly string[];
  /** Processes that the kernel has ended for want of memory; undefined where nobody counts. */
  killed(): number | undefined;
  /** Bytes that belong to processes, and to no file; undefined where nobody counts. */
  used(): number | undefined;
  /** At most, so far, files' pages included. */
  peak(): number | undefined;
  /** Removes it once its last process is gone. */
  remove(): Promise<void>;
};

const V1 = "/sys/fs/cgroup/memory";
const V2 = "/sys/fs/cgroup";

/** A group with this limit; where none can be made, a bound for each process of its own. */
export const limitMemory = (bytes: number): Limited => {
  const name = `berth-faults-${process.pid}`;
  for (const make of [makeV2, makeV1]) {
    const group = make(name, bytes);
    if (group !== undefined) return group;
  }
  return {
    how: `NO CGROUP CAN BE MADE HERE (needs root and a memory controller): each process alone may have ${bytes} bytes of data, and the server does not know the limit`,
    group: undefined,
    limits: [`--data=${bytes}`],
    killed: () => undefined,
    used: () => undefined,
    peak: () => undefined,
    remove: async () => undefined,
  };
};

const removed = (folder: string): boolean => {
  try {
    rmdirSync(folder);
  } catch {
    // its last process is not gone yet
  }
  return !existsSync(folder);
};

const field = (file: string, name: string): number =>
  Number(new RegExp(`^${name} (\\d+)`, "m").exec(readFileSync(file, "utf8"))?.[1] ?? Number.NaN);
const number = (file: string): number => Number(readFileSync(file, "utf8"));

const makeV2 = (name: string, bytes: number): Limited | undefined => {
  const folder = join(V2, name);
  try {
    if (!readFileSync(join(V2, "cgroup.controllers"), "utf8").includes("memory")) return undefined;
    writeFileSync(join(V2, "cgroup.subtree_control"), "+memory");
    mkdirSync(folder);
    writeFileSync(join(folder, "memory.max"), String(bytes));
    writeFileSync(join(folder, "memory.swap.max"), "0");
  } catch {
    removed(folder);
    return undefined;
  }
  return {
    how: `cgroup v2 ${folder}`,
    group: join(folder, "cgroup.procs"),
    limits: [],
    killed: () => field(join(folder, "memory.events"), "oom_kill"),
    used: () => field(join(folder, "memory.stat"), "anon"),
    peak: () => number(join(folder, "memory.peak")),
    remove: () => until("an empty cgroup", () => removed(folder)),
  };
};

const makeV1 = (name: string, bytes: number): Limited | undefined => {
  const folder = join(V1, name);
  try {
    mkdirSync(folder);
    writeFileSync(join(folder, "memory.limit_in_bytes"), String(bytes));
  } catch {
    removed(folder);
    return undefined;
  }
  return {
    how: `cgroup v1 ${folder}`,
    group: join(folder, "cgroup.procs"),
    limits: [],
    killed: () => field(join(folder, "memory.oom_control"), "oom_kill"),
    used: () => field(join(folder, "memory.stat"), "rss"),
    peak: () => number(join(folder, "memory.max_usage_in_bytes")),
    remove: () => until("an empty cgroup", () => removed(folder)),
  };
};
