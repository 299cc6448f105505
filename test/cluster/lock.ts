import { spawn } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { ClusterError } from "./errors.ts";

/**
 * Does the work while no other process holds the lock of that file. The kernel holds it for a child (flock(1)) that
 * ends with this process, however that ends: there is no stale lock.
 * @param waiting called once if another process holds it
 */
export const withLock = async <T>(file: string, waiting: () => void, work: () => Promise<T>): Promise<T> => {
  await mkdir(dirname(file), { recursive: true });
  const holder = spawn("flock", [file, "sh", "-c", "echo held; exec cat >/dev/null"], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const impatient = setTimeout(waiting, 500);
  try {
    await new Promise<void>((resolve, reject) => {
      holder.stdout.once("data", () => resolve());
      holder.once("error", reject);
      holder.once("close", (code) => reject(new ClusterError(`cannot lock ${file}: flock ended with ${code}`)));
    });
    clearTimeout(impatient);
    return await work();
  } finally {
    clearTimeout(impatient);
    holder.stdin.end();
  }
};
