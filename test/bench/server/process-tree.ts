/** What a process and all that it started use, from /proc. */
import { readdirSync, readFileSync } from "node:fs";

const TICKS_PER_SECOND = 100; // USER_HZ, which Linux fixes for what /proc shows

const read = (path: string): string => {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return ""; // it ended between the listing and now
  }
};

type Stat = { pid: number; parent: number; session: number; ticks: number; threads: number };

const statOf = (pid: number): Stat | undefined => {
  const text = read(`/proc/${pid}/stat`);
  // The name, in brackets, may hold anything; field 3 of proc(5) follows the last bracket.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  if (fields.length < 20) return undefined;
  const field = (number: number) => Number(fields[number - 3]);
  // User and system time, own and of the children that ended.
  const ticks = field(14) + field(15) + field(16) + field(17);
  return { pid, parent: field(4), session: field(6), ticks, threads: field(20) };
};

/** The process, its descendants, and whatever else is in the session that it leads. */
const treeOf = (root: number): Stat[] => {
  const all = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((name) => statOf(Number(name)))
    .filter((stat) => stat !== undefined);
  const found = new Set([root]);
  for (let grown = true; grown; ) {
    grown = false;
    for (const { pid, parent, session } of all) {
      if (!found.has(pid) && (found.has(parent) || session === root)) {
        found.add(pid);
        grown = true;
      }
    }
  }
  return all.filter(({ pid }) => found.has(pid));
};

/** CPU seconds that the tree has used so far; in steps of 0.01 s a process. */
export const cpuSeconds = (root: number): number =>
  treeOf(root).reduce((sum, { ticks }) => sum + ticks, 0) / TICKS_PER_SECOND;

/** CPU seconds of the threads that live now, in nanosecond steps: for a tree that does almost nothing. */
export const preciseCpuSeconds = (root: number): number => {
  let nanoseconds = 0;
  for (const { pid } of treeOf(root)) {
    for (const thread of threadsOf(pid)) {
      nanoseconds += Number(read(`/proc/${pid}/task/${thread}/schedstat`).split(" ")[0] || 0);
    }
  }
  return nanoseconds / 1e9;
};

const threadsOf = (pid: number): string[] => {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
};

/** Bytes of memory, pages shared by several processes counted once (PSS). */
export const memoryBytes = (root: number): number =>
  treeOf(root).reduce((sum, { pid }) => {
    const kilobytes = /^Pss:\s+(\d+) kB/m.exec(read(`/proc/${pid}/smaps_rollup`))?.[1];
    return sum + Number(kilobytes ?? 0) * 1024;
  }, 0);

/** Sends a signal to every process of the tree. */
export const signalTree = (root: number, signal: "SIGSTOP" | "SIGCONT" | "SIGKILL"): void => {
  for (const { pid } of treeOf(root)) {
    try {
      process.kill(pid, signal);
    } catch {
      // it is gone already
    }
  }
};

/** CPU seconds of the children of this process that have ended and were waited for. */
export const endedChildrenCpuSeconds = (): number => {
  const text = read("/proc/self/stat");
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[13]) + Number(fields[14])) / TICKS_PER_SECOND;
};
