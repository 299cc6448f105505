import { existsSync, readdirSync, readFileSync } from "node:fs";
import { childrenOf } from "../runtime/server.ts";

/** What a process and all that it started take. */
export type Taken = { memoryBytes: number; handles: number; cpuSeconds: number };

const TICKS_PER_SECOND = 100;

const read = (path: string): string => (existsSync(path) ? readFileSync(path, "utf8") : "");

export const treeOf = (pid: number): number[] => [pid, ...childrenOf(pid).flatMap(treeOf)];

/** Memory is PSS, in which a page that several processes share counts once. */
export const taken = (pid: number): Taken =>
  treeOf(pid).reduce(
    (sum, one) => {
      const kib = Number(/^Pss:\s+(\d+) kB/m.exec(read(`/proc/${one}/smaps_rollup`))?.[1] ?? 0);
      // The name, in brackets, may have spaces: the fields are counted from behind it.
      const fields = read(`/proc/${one}/stat`).split(") ").at(-1)?.split(" ") ?? [];
      return {
        memoryBytes: sum.memoryBytes + kib * 1024,
        handles: sum.handles + readdirSync(`/proc/${one}/fd`).length,
        cpuSeconds: sum.cpuSeconds + (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND,
      };
    },
    { memoryBytes: 0, handles: 0, cpuSeconds: 0 },
  );
