import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";

const V2 = "/sys/fs/cgroup/cpu.max";
const V1_QUOTA = "/sys/fs/cgroup/cpu/cpu.cfs_quota_us";
const V1_PERIOD = "/sys/fs/cgroup/cpu/cpu.cfs_period_us";

/** A file's text, or undefined where it cannot be read. */
type Read = (file: string) => string | undefined;

/** The processors that this process may use at once: the container's CPU limit (cgroup v2 or v1) rounded up, or the machine's. */
export const cpuLimit = (read: Read = readText, machine: number = availableParallelism()): number => {
  const [quota, period] = read(V2)?.trim().split(" ") ?? [read(V1_QUOTA), read(V1_PERIOD)];
  // "max" in v2 and -1 in v1: no limit
  const limit = Math.ceil(Number(quota) / Number(period));
  return limit >= 1 ? Math.min(limit, machine) : machine;
};

const readText: Read = (file) => {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
};
