import { constants, enableCompileCache } from "node:module";
import { homedir } from "node:os";
import { join } from "node:path";

/**
 * Keeps what Node makes of the sources for the next start, which is a quarter of a second faster with it: it is most of what a
 * start takes. It is kept in the user's own cache, never where others may write, as what is there is run. Where there is no
 * such folder, as in a pod, nothing is kept. The threads and processes of this one use it too.
 */
export const cacheCompiledCode = (): void => {
  if (process.env.NODE_COMPILE_CACHE !== undefined) return;
  const folder = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "berth", "node");
  const { status } = enableCompileCache(folder);
  const { ENABLED, ALREADY_ENABLED } = constants.compileCacheStatus;
  if (status === ENABLED || status === ALREADY_ENABLED) process.env.NODE_COMPILE_CACHE = folder;
};
