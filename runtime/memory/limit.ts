import { readFileSync } from "node:fs";
import { totalmem } from "node:os";

const V2 = "/sys/fs/cgroup";
const V1 = "/sys/fs/cgroup/memory";

/** A file's text, or undefined where it cannot be read. */
type Read = (file: string) => string | undefined;

/**
 * The bytes of memory that this process's container may use before the kernel ends one of its processes: the least limit of its
 * cgroup (v2, or v1) and of those above it, or the machine's memory where there is no limit.
 */
export const memoryLimit = (read: Read = readText, machine: number = totalmem()): number => {
  const lines = (read("/proc/self/cgroup") ?? "").split("\n");
  // "0::/path" of v2, "5:memory,hugetlb:/path" of v1; in a container the path may be the host's, which is not to be seen here
  const v2 = lines.find((line) => line.startsWith("0::"))?.slice(3) ?? "/";
  const v1 = lines.find((line) => /^\d+:(?:[^:]*,)?memory(?:,[^:]*)?:/.test(line))?.replace(/^[^:]*:[^:]*:/, "");
  const limits = [
    ...withParents(v2).map((path) => read(`${V2}${path}/memory.max`)),
    ...(v1 === undefined ? [] : withParents(v1).map((path) => read(`${V1}${path}/memory.limit_in_bytes`))),
  ];
  return limits.reduce((least, text) => {
    // "max" in v2: none; in v1 none is 2^63 less a page
    const limit = Number(text?.trim() || Number.NaN);
    return limit > 0 ? Math.min(least, limit) : least;
  }, machine);
};

/** "/a/b": "/a/b", "/a" and "". */
const withParents = (path: string): string[] => {
  const parts = path.split("/").filter((part) => part !== "");
  return [...parts.keys(), parts.length].map((count) =>
    parts
      .slice(0, count)
      .map((part) => `/${part}`)
      .join(""),
  );
};

const readText: Read = (file) => {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
};

export const MIB = 1024 ** 2;
/** From this limit on nothing is scaled down: heaps, and the largest body, are those that measured best. */
export const AMPLE_BYTES = 2048 * MIB;
const MOST_WAITING = 2048 * MIB;

/**
 * The bytes that may wait: bodies, queued requests, answers that are not taken. Half of what the limit leaves beside `fixedBytes`,
 * what the processes take at rest; the other half is for what cannot be counted (the run's own copies, the text of an answer while
 * it is written, sockets' buffers, what allocators keep). At least a sixteenth of the limit, at most 2 GiB.
 */
export const waitingBytes = (limitBytes: number, fixedBytes: number): number =>
  Math.floor(Math.min(MOST_WAITING, Math.max((limitBytes - fixedBytes) / 2, limitBytes / 16)));
