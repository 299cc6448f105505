import { AMPLE_BYTES, memoryLimit } from "./limit.ts";

/**
 * glibc keeps what is freed: each thread has an arena of its own, up to 64 MB of it measured to stay after a burst of bodies, twice (in a server).
 * One arena for all threads, whose end goes back to the kernel, and pieces of 128 KiB and more that go back by themselves.
 */
const SETTINGS = { MALLOC_ARENA_MAX: "1", MALLOC_TRIM_THRESHOLD_: "131072", MALLOC_MMAP_THRESHOLD_: "131072" };

/** glibc reads its settings when a process begins: under a small memory limit this one begins again, as the same process, with them. */
export const beginWithTightMalloc = (env: NodeJS.ProcessEnv = process.env): void => {
  if (env.MALLOC_ARENA_MAX !== undefined || process.execve === undefined || memoryLimit() >= AMPLE_BYTES) return;
  const args = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  const given = Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined);
  try {
    process.execve(process.execPath, args, { ...SETTINGS, ...Object.fromEntries(given) });
  } catch {
    // where processes may not do that, memory comes back later
  }
};
