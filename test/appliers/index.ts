/** What GitOps applies objects with, as programs: Helm 4, and Flux's own library. Built by Go on first use, once for each version. */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { withLock } from "../cluster/lock.ts";

const SOURCES = ["go.mod", "go.sum", "main.go"];
const BUILD_MS = 900_000;
const run = promisify(execFile);

/** Paths of programs. */
export type Appliers = { helm4: string; flux: string };

export const ensureAppliers = async (report: (line: string) => void): Promise<Appliers> => {
  const hash = createHash("sha256");
  for (const name of SOURCES) hash.update(`\0${name}\0`).update(readFileSync(join(import.meta.dirname, name)));
  const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "berth", "appliers");
  const folder = join(cache, hash.digest("hex").slice(0, 16));
  await mkdir(cache, { recursive: true });
  if (!existsSync(folder))
    await withLock(
      `${folder}.lock`,
      () => report("another process is building Helm 4: waiting for it"),
      async () => {
        if (existsSync(folder)) return;
        report("building Helm 4 and Flux's applier from their Go modules: 2 minutes on two cores, once");
        await build(folder);
      },
    );
  return { helm4: join(folder, "helm"), flux: join(folder, "appliers") };
};

/** The folder gets its name only when all is in it. */
const build = async (folder: string): Promise<void> => {
  const unfinished = `${folder}.unfinished`;
  await rm(unfinished, { recursive: true, force: true });
  const args = ["build", "-ldflags", "-s -w", "-o", `${unfinished}/`, ".", "helm.sh/helm/v4/cmd/helm"];
  await run("go", args, { cwd: import.meta.dirname, timeout: BUILD_MS, maxBuffer: 16 << 20 });
  await rename(unfinished, folder);
};
