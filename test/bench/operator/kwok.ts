/** KWOK: nodes and pods that exist in the API server only, and are Ready at once. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { run } from "../../cluster/commands.ts";
import type { Cluster } from "../../cluster/index.ts";
import { withLock } from "../../cluster/lock.ts";

const KWOK_VERSION = "v0.7.0";
const TAINT = { key: "kwok.x-k8s.io/node", value: "fake", effect: "NoSchedule" };
const LABEL = { type: "kwok" };
/** A pod in the middle of a rollout and its successor, for a thousand objects. */
const NODES = 20;
const PODS_PER_NODE = "110";

/** What sends a pod there. */
export const KWOK_SCHEDULING = {
  nodeSelector: LABEL,
  tolerations: [{ key: TAINT.key, value: TAINT.value, effect: "NoSchedule" }],
};

const folder = (): string => join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "berth", "kwok");

/** The path of the program; built with Go the first time, in about two minutes. */
export const ensureKwok = async (report: (line: string) => void): Promise<string> => {
  const directory = join(folder(), KWOK_VERSION);
  const program = join(directory, "kwok");
  if (existsSync(program)) return program;
  await mkdir(folder(), { recursive: true });
  const waiting = () => report("another process is building KWOK: waiting for it");
  await withLock(`${directory}.lock`, waiting, async () => {
    if (existsSync(program)) return;
    report(`building KWOK ${KWOK_VERSION} with Go: about 2 minutes, once`);
    const unfinished = `${directory}.unfinished`;
    await rm(unfinished, { recursive: true, force: true });
    await mkdir(unfinished);
    await run(["go", "install", `sigs.k8s.io/kwok/cmd/kwok@${KWOK_VERSION}`], { env: { GOBIN: unfinished } });
    await rename(unfinished, directory);
  });
  return program;
};

export const kwokNodes = (): object[] =>
  Array.from({ length: NODES }, (_, index) => ({
    apiVersion: "v1",
    kind: "Node",
    metadata: { name: `kwok-${index}`, annotations: { [TAINT.key]: TAINT.value }, labels: LABEL },
    spec: { taints: [TAINT] },
    status: Object.fromEntries(
      ["capacity", "allocatable"].map((part) => [part, { cpu: "1000", memory: "4Ti", pods: PODS_PER_NODE }]),
    ),
  }));

/** Plays the nodes and the pods on them until it is killed, or this process ends. */
export const startKwok = ({ inside, kubeconfig }: Cluster, program: string): ChildProcess => {
  const [command = "", ...args] = inside([
    ...[program, "--kubeconfig", kubeconfig, "--config", join(import.meta.dirname, "stages.yaml")],
    ...["--manage-all-nodes=false", `--manage-nodes-with-annotation-selector=${TAINT.key}=${TAINT.value}`],
  ]);
  const child = spawn(command, args, { stdio: "ignore" });
  process.on("exit", () => child.kill("SIGKILL"));
  return child;
};
