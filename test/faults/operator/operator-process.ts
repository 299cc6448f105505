/** The real operator as a process of the host, which reaches the API server through the proxy with its own rights. */

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Cluster } from "../../cluster/index.ts";
import { freePort } from "../../world/free-port.ts";
import { OPERATOR_NAMESPACE } from "../../world/helm.ts";
import { ROOT } from "../../world/index.ts";

/**
 * What each start has in common: the arguments of the installed operator, and its ServiceAccount's token. `program`: default the sources.
 * `authority`: the PEM that the API server is known by, as in a pod; without it, as of the proxy, any will do.
 */
export type Installed = {
  args: readonly string[];
  token: string;
  authority?: string;
  env?: Readonly<Record<string, string>>;
  program?: string;
};

export type Operator = {
  pid: number;
  metricsPort: number;
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
  pause(): void;
  resume(): void;
  /** SIGTERM; resolves when it is gone. */
  stop(): Promise<void>;
  /** Resolves with how it ended. */
  ended: Promise<{ code: number | null; signal: string | null }>;
  /** What it logged last. */
  log(): string;
};

const NAME = "app.kubernetes.io/name=berth-operator";
const KEPT_LINES = 60;

/** Reads how the operator was installed, and takes its pods away: from now on the test runs it. */
export const takeOver = async ({ kubectl }: Cluster): Promise<Installed> => {
  const own = ["-n", OPERATOR_NAMESPACE, "-l", NAME];
  const { stdout } = await kubectl([
    ...["get", "deployment", ...own, "-o"],
    "jsonpath={.items[0].metadata.name}|{.items[0].spec.template.spec.serviceAccountName}|{.items[0].spec.template.spec.containers[0].args}",
  ]);
  const [name = "", account = "", args = "[]"] = stdout.split("|");
  const given: string[] = JSON.parse(args);
  await kubectl(["scale", "deployment", name, "-n", OPERATOR_NAMESPACE, "--replicas=0"]);
  await kubectl(["wait", "pod", ...own, "--for=delete", "--timeout=60s"]);
  const token = (await kubectl(["create", "token", account, "-n", OPERATOR_NAMESPACE, "--duration=24h"])).stdout.trim();
  return { args: given, token };
};

/** What the test sets itself. */
const REPLACED = new Set(["--namespace", "--identity", "--probe-port", "--metrics-port", "--workers"]);
/** Short, so that a lost leader is followed soon. */
const ELECTION = ["--lease-duration=3s", "--renew-deadline=2s", "--retry-period=250ms"];

/**
 * @param url of the proxy
 * @param election options of the leader election
 */
export const startOperator = async (
  installed: Installed,
  url: string,
  identity: string,
  election: readonly string[] = ELECTION,
): Promise<Operator> => {
  const folder = mkdtempSync(join(tmpdir(), "berth-operator-"));
  const kubeconfig = join(folder, "kubeconfig");
  writeFileSync(kubeconfig, kubeconfigText(url, installed), { mode: 0o600 });
  const kept = installed.args.filter(
    (arg, i, all) => !REPLACED.has(arg) && !REPLACED.has(all[i - 1] ?? "") && !REPLACED.has(arg.split("=")[0] ?? ""),
  );
  const [probePort, metricsPort] = [await freePort(), await freePort()];
  const child = spawn(
    process.execPath,
    [
      ...[installed.program ?? join(ROOT, "operator/main.ts"), ...kept, ...election],
      ...["--namespace", OPERATOR_NAMESPACE, "--identity", identity, "--kubeconfig", kubeconfig],
      ...["--probe-port", `${probePort}`, "--metrics-port", `${metricsPort}`],
    ],
    { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, ...installed.env } },
  );
  const lines: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      lines.push(...text.split("\n").filter((line) => line !== ""));
      lines.splice(0, lines.length - KEPT_LINES);
    });
  }
  const ended = new Promise<{ code: number | null; signal: string | null }>((resolve) => {
    child.once("close", (code, signal) => {
      rmSync(folder, { recursive: true, force: true });
      running.delete(child);
      resolve({ code, signal });
    });
  });
  running.add(child);
  const send = async (signal: NodeJS.Signals): Promise<void> => {
    child.kill(signal);
    await ended;
  };
  if (child.pid === undefined) throw new Error(`the operator did not start: ${process.execPath} cannot be run`);
  return {
    pid: child.pid,
    metricsPort,
    kill: () => send("SIGKILL"),
    pause: () => void child.kill("SIGSTOP"),
    resume: () => void child.kill("SIGCONT"),
    stop: () => send("SIGTERM"),
    ended,
    log: () => lines.join("\n"),
  };
};

const running = new Set<ChildProcess>();
// Also when the test itself fails.
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

const kubeconfigText = (server: string, { authority, token }: Installed): string =>
  JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "proxy", cluster: { server, ...trust(authority) } }],
    users: [{ name: "operator", user: { token } }],
    contexts: [{ name: "proxy", context: { cluster: "proxy", user: "operator" } }],
    "current-context": "proxy",
  });

const trust = (authority: string | undefined): object =>
  authority === undefined
    ? { "insecure-skip-tls-verify": true }
    : { "certificate-authority-data": Buffer.from(authority).toString("base64") };
