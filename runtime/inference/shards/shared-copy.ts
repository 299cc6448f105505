import { mkdtempSync, readdirSync, readFileSync, rmSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/**
 * The copy takes a quarter of a second of the start, too much for less. It is worth it long before memory is short, as what shards share
 * is in the processor's cache once: with 11.6 MB of weights and two shards 27,000 requests a second instead of 17,000.
 */
const MIN_BYTES = 8 * 1024 ** 2;
/** The copy holds the weights as they were, and once more as they are laid out for the processor: measured 2.0. */
const SPACE = 2.2;
const TMPFS = 0x01021994;
const PREFIX = "berth-weights-";

/**
 * A private directory for the copy; `undefined` where none is worth it; or why there can be none.
 * @param size of the model with its external data, in bytes
 */
export const copyDirectory = (
  size: number,
  parents: readonly string[] = [tmpdir(), "/var/tmp"],
): { directory: string } | { reason: string } | undefined => {
  if (size < MIN_BYTES) return undefined;
  const needed = Math.ceil(size * SPACE);
  let reason = "";
  for (const parent of parents) {
    try {
      removeStale(parent);
      const { type, bavail, bsize } = statfsSync(parent);
      // Files of a tmpfs are memory, which sharing is to save.
      if (type === TMPFS) reason ||= `${parent} is in memory`;
      else if (bavail * bsize < needed) reason ||= `${parent} has less than the ${needed} bytes that it takes`;
      else return { directory: mkdtempSync(join(parent, `${PREFIX}${process.pid}-${startOf(process.pid)}-`)) };
    } catch (error) {
      reason ||= `${parent} cannot be written: ${error instanceof Error ? error.message : String(error)}`;
    }
  }
  return { reason };
};

export const removeCopy = (directory: string): void => {
  try {
    rmSync(directory, { recursive: true, force: true });
  } catch {
    // It is in the directory for what is temporary, and the next start tries again.
  }
};

/** Removes copies of processes that were killed together with all that could have removed them. */
const removeStale = (parent: string): void => {
  for (const name of readdirSync(parent)) {
    const owner = /^berth-weights-(\d+)-(\d+)-/.exec(name);
    if (owner !== null && startOf(Number(owner[1])) !== owner[2]) removeCopy(join(parent, name));
  }
};

/** When a process began, in ticks since the machine did: a later one with the same number began later. */
const startOf = (pid: number): string | undefined => {
  try {
    // The name, in parentheses, may hold anything; what follows it are fields 3 and on, and the start is field 22.
    return readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)?.split(" ")[19];
  } catch {
    return undefined;
  }
};
