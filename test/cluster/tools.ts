import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { run } from "./commands.ts";
import { ClusterError } from "./errors.ts";
import { withLock } from "./lock.ts";
import { ensurePauseImage } from "./pause-image.ts";
import type { Report } from "./types.ts";

/** The programs that everything else needs. Paths of files. */
export type Tools = {
  /** Every part of Kubernetes, etcd, cluster DNS and the device plugin in one. */
  machine: string;
  helm: string;
  /** OCI archive of the image that holds each pod's namespaces. */
  pauseImage: string;
};

const source = join(import.meta.dirname, "machine");
const progressInterval = 15_000; // ms

/** The version of a module that go.mod names, as "v1.2.3". */
export const moduleVersion = (goMod: string, module: string): string => {
  const line = goMod.split("\n").find((text) =>
    text
      .trim()
      .replace(/^require /, "")
      .startsWith(`${module} v`),
  );
  const version = line === undefined ? undefined : /\sv[0-9][^\s]*/.exec(line)?.[0].trim();
  if (version === undefined) throw new ClusterError(`go.mod names no version of ${module}`);
  return version;
};

/** What the linker writes into the binaries: the versions that they state, which a build from modules does not know. */
export const linkerFlags = (goMod: string): string => {
  const kubernetes = moduleVersion(goMod, "k8s.io/kubernetes");
  const [major = "", minor = ""] = kubernetes.slice(1).split(".");
  const variables = {
    "k8s.io/component-base/version.gitVersion": kubernetes,
    "k8s.io/component-base/version.gitMajor": major,
    "k8s.io/component-base/version.gitMinor": minor,
    "k8s.io/client-go/pkg/version.gitVersion": kubernetes,
    "helm.sh/helm/v3/internal/version.version": moduleVersion(goMod, "helm.sh/helm/v3"),
    "helm.sh/helm/v3/pkg/chartutil.k8sVersionMajor": major,
    "helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor": minor,
    "helm.sh/helm/v3/pkg/lint/rules.k8sVersionMajor": major,
    "helm.sh/helm/v3/pkg/lint/rules.k8sVersionMinor": minor,
  };
  return ["-s", "-w", ...Object.entries(variables).map(([name, value]) => `-X ${name}=${value}`)].join(" ");
};

const cacheRoot = (): string => join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "berth", "tools");

const key = (ldflags: string): string => {
  const hash = createHash("sha256").update(JSON.stringify([process.arch, ldflags]));
  const files = readdirSync(source).filter((name) => name.endsWith(".go") || name === "go.mod" || name === "go.sum");
  for (const name of files.sort()) hash.update(`\0${name}\0`).update(readFileSync(join(source, name)));
  return hash.digest("hex").slice(0, 16);
};

/**
 * Builds what is not there yet, outside the checkout, once for each version of the sources. The first time takes
 * 5 to 10 minutes, and a `report` says so; after that, milliseconds. Concurrent calls wait for one another.
 */
export const ensureTools = async (report: Report): Promise<Tools> => {
  const [programs, pauseImage] = await Promise.all([ensurePrograms(report), ensurePauseImage(cacheRoot(), report)]);
  return { ...programs, pauseImage };
};

/** Helm, if it has been built for these sources: for a check that takes seconds and must not start a build of minutes. */
export const builtHelm = (): string | undefined => {
  const helm = join(cacheRoot(), key(linkerFlags(readFileSync(join(source, "go.mod"), "utf8"))), "helm");
  return existsSync(helm) ? helm : undefined;
};

const ensurePrograms = async (report: Report): Promise<Omit<Tools, "pauseImage">> => {
  const ldflags = linkerFlags(readFileSync(join(source, "go.mod"), "utf8"));
  const directory = join(cacheRoot(), key(ldflags));
  const tools = { machine: join(directory, "machine"), helm: join(directory, "helm") };
  // The directory gets its name only when all is in it.
  if (existsSync(directory)) return tools;
  const waiting = () => report("another process is building the control plane: waiting for it");
  await withLock(`${directory}.lock`, waiting, async () => {
    if (!existsSync(directory)) await build(directory, ldflags, report);
  });
  return tools;
};

const build = async (directory: string, ldflags: string, report: Report): Promise<void> => {
  if (!(process.env.PATH ?? "").split(delimiter).some((folder) => existsSync(join(folder, "go")))) {
    throw new ClusterError("building the control plane needs Go 1.26 or newer: install it, or put its go into PATH");
  }
  const unfinished = `${directory}.unfinished`;
  await rm(unfinished, { recursive: true, force: true });
  await mkdir(unfinished, { recursive: true });
  const what = "Kubernetes, etcd, CoreDNS and Helm from their Go modules";
  report(`building ${what}: 5 to 10 minutes the first time on two cores, once`);
  const begun = Date.now();
  const elapsed = () => `${Math.round((Date.now() - begun) / 1000)} s`;
  const progress = setInterval(() => report(`still building ${what} (${elapsed()})`), progressInterval);
  try {
    // One command for both programs: they share most of their packages, and are linked side by side.
    await run(["go", "build", "-ldflags", ldflags, "-o", `${unfinished}/`, ".", "helm.sh/helm/v3/cmd/helm"], {
      cwd: source,
      env: { GOFLAGS: "-buildvcs=false" },
    });
    // So that `kubectl` is found by its name where this directory is in PATH.
    await writeFile(join(unfinished, "kubectl"), '#!/bin/sh\nexec "$(dirname "$0")/machine" kubectl "$@"\n', {
      mode: 0o755,
    });
    await rename(unfinished, directory);
  } finally {
    clearInterval(progress);
  }
  report(`built the control plane and Helm in ${elapsed()}`);
};
