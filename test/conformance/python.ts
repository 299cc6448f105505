/** The Python that runs the clients: an environment of its own in the cache, with the versions of the requirement files. */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { cacheFolder } from "./cache.ts";

const exec = promisify(execFile);
const FILES = ["requirements.txt", "requirements-alone.txt"].map((name) => join(import.meta.dirname, name));

/** The path of its `python`. About 60 MB to download and a minute, the first time and after a change of the files. */
export const ensurePython = async (report: (line: string) => void): Promise<string> => {
  const system = await systemPython();
  const hash = createHash("sha256").update(system.version);
  for (const file of FILES) hash.update(readFileSync(file));
  const folder = join(cacheFolder(), `python-${hash.digest("hex").slice(0, 16)}`);
  const python = (root: string): string => join(root, "bin", "python");
  if (existsSync(folder)) return python(folder);

  report(
    "installing the clients into the cache: tritonclient, tensorflow-serving-api, grpcio, schemathesis (about 60 MB)",
  );
  mkdirSync(cacheFolder(), { recursive: true });
  const work = mkdtempSync(join(cacheFolder(), "unfinished-"));
  try {
    await exec(system.program, ["-m", "venv", work]);
    for (const file of FILES) {
      // The second file's packages are wanted without what they depend on.
      const alone = file.includes("alone") ? ["--no-deps"] : [];
      const pip = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--require-hashes",
        ...alone,
        "-r",
        file,
      ];
      await exec(python(work), pip, { maxBuffer: 16 * 1024 ** 2 });
    }
    // Programs in its bin name their folder and would not run; `python -m` does. A racing run may have been faster.
    if (!existsSync(folder)) renameSync(work, folder);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return python(folder);
};

const systemPython = async (): Promise<{ program: string; version: string }> => {
  for (const program of ["python3.11", "python3.12", "python3.13", "python3"]) {
    const found = await exec(program, [
      "-c",
      "import sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2])",
    ]).catch(() => undefined);
    const version = found?.stdout.trim() ?? "";
    if (Number(version.split(".")[1]) >= 11) return { program, version };
  }
  throw new Error(
    "Python 3.11 or newer with its venv is needed: apt-get install python3-venv, or see --help for --suite",
  );
};
