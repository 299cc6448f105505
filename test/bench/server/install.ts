/** What the bench needs besides npm packages: load generators of Debian, Python peers in environments of their own. */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

const BENCH = join(import.meta.dirname, "..");
const CACHE = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "berth", "bench");
const INSTALL_TIMEOUT = 10 * 60_000; // ms; the largest environment has 200 MB

const exists = async (program: string): Promise<boolean> =>
  run("sh", ["-c", `command -v ${program}`]).then(
    () => true,
    () => false,
  );

/** Debian's wrk and h2load; installs them where that may be done, else says what to do. */
export const ensureLoadGenerators = async (report: (line: string) => void): Promise<void> => {
  await ensureProgram("wrk", "wrk", report);
  await ensureProgram("h2load", "nghttp2-client", report);
};

/** A program of one of Debian's packages. */
export const ensureProgram = async (
  program: string,
  debianPackage: string,
  report: (line: string) => void,
): Promise<void> => {
  if (await exists(program)) return;
  const command = `apt-get install -y --no-install-recommends ${debianPackage}`;
  if (process.getuid?.() !== 0 || !(await exists("apt-get"))) throw new Error(`please install: ${command}`);
  report(`${command}: the bench needs ${program}`);
  await run("apt-get", ["update", "-q"], { timeout: INSTALL_TIMEOUT });
  await run("sh", ["-c", `DEBIAN_FRONTEND=noninteractive ${command}`], { timeout: INSTALL_TIMEOUT });
};

/** Makes a Python environment from `folder`/requirements.txt, unless it is there already; resolves with its path. */
export const ensureEnvironment = async (folder: string, report: (line: string) => void): Promise<string> => {
  const requirements = join(BENCH, folder, "requirements.txt");
  const version = (await run("python3", ["--version"])).stdout.trim();
  const key = createHash("sha256").update(version).update(readFileSync(requirements)).digest("hex").slice(0, 12);
  const environment = join(CACHE, `${folder.replaceAll("/", "-")}-${key}`);
  const done = join(environment, "berth-complete");
  if (existsSync(done)) return environment;
  report(`${folder}: Python packages (once)`);
  await rm(environment, { recursive: true, force: true });
  await mkdir(CACHE, { recursive: true });
  await run("python3", ["-m", "venv", environment], { timeout: INSTALL_TIMEOUT });
  // The lists are complete, so nothing that they do not name may come in.
  await run(join(environment, "bin/pip"), ["install", "--quiet", "--no-deps", "--requirement", requirements], {
    timeout: INSTALL_TIMEOUT,
    maxBuffer: 16 * 1024 ** 2,
  }).catch((error: unknown) => {
    const said =
      error instanceof Error && "stderr" in error ? String(error.stderr).trim().split("\n").slice(-3) : [`${error}`];
    throw new Error(`${folder} cannot be installed: ${said.join(" ")}`);
  });
  await writeFile(done, version);
  return environment;
};

/** Of a Python environment: its version as "3.11", its packages, and the folder of the library that programs embed. */
export const layoutOf = async (
  environment: string,
): Promise<{ version: string; packages: string; library: string }> => {
  const asked =
    "import sysconfig as s; print(s.get_python_version(), s.get_path('purelib'), s.get_config_var('LIBDIR'))";
  const { stdout } = await run(join(environment, "bin/python"), ["-c", asked]);
  const [version = "", packages = "", library = ""] = stdout.trim().split(" ");
  return { version, packages, library };
};

/** The ONNX file of MiniLM, made once by Python from the weights that a package carries. */
export const minilmFile = async (): Promise<string> => {
  const source = join(BENCH, "minilm/make.py");
  const key = createHash("sha256").update(readFileSync(source)).digest("hex").slice(0, 12);
  const file = join(CACHE, `minilm-${key}.onnx`);
  if (existsSync(file)) return file;
  const environment = await ensureEnvironment("minilm", () => undefined);
  await run(join(environment, "bin/python"), [source, file], {
    timeout: INSTALL_TIMEOUT,
    env: { ...process.env, ORT_DISABLE_TELEMETRY: "1" },
  });
  return file;
};

/** "name==version" lines of a peer's list. */
export const pinnedVersions = (folder: string): Record<string, string> =>
  Object.fromEntries(
    readFileSync(join(BENCH, folder, "requirements.txt"), "utf8")
      .split("\n")
      .map((line) => line.split("=="))
      .filter((parts) => parts.length === 2),
  );
