/** How much memory a process has had, as the kernel counts it. */
import { readFileSync, writeFileSync } from "node:fs";

const status = (pid: number, field: string): number => {
  const line = new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  return Number(line?.[1] ?? Number.NaN) * 1024;
};

/** Bytes that `pid` had resident at most while `run` went on, beyond those that it had before. */
export const peakGrowth = async (pid: number, run: () => Promise<void>): Promise<number> => {
  // proc(5): 5 sets the peak back to what is resident now
  writeFileSync(`/proc/${pid}/clear_refs`, "5");
  const before = status(pid, "VmRSS");
  await run();
  return status(pid, "VmHWM") - before;
};

export const residentBytes = (pid: number): number => status(pid, "VmRSS");

export const MIB = 1024 ** 2;
