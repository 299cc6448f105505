/** A real `serve` process, known by its command line and its ports alone: what it logs is no part of the contract. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { PATIENCE_MS, tooLate } from "../world/patience.ts";

const MAIN = fileURLToPath(new URL("../../runtime/main.ts", import.meta.url));

export type Served = {
  /** host:port */
  http: string;
  grpc: string;
  admin: string;
  /** The model's name in requests. */
  model: string;
  stop(): Promise<void>;
};

/** Why it does not serve the model, as it says so itself. */
export class NotServed extends Error {}

/** Serves a model until `stop`. Throws NotServed where it ends before it is ready, or is not ready in time. */
export const serve = async (model: string, name: string, options: readonly string[] = []): Promise<Served> => {
  for (let attempt = 1; ; attempt++) {
    try {
      return await start(model, name, options);
    } catch (error) {
      // A port that was free a moment ago was taken by another.
      if (attempt === 3 || !(error instanceof Error) || !/EADDRINUSE|already in use/.test(error.message)) throw error;
    }
  }
};

const start = async (model: string, name: string, options: readonly string[]): Promise<Served> => {
  const [http, grpc, admin] = await freePorts(3);
  const folder = mkdtempSync(join(tmpdir(), "berth-conformance-"));
  const termination = join(folder, "termination");
  const ports = ["--http-port", `${http}`, "--grpc-port", `${grpc}`, "--admin-port", `${admin}`];
  // Nobody else holds connections to it: when it is told to end it need not wait for others to learn that.
  const logs = ["--log-format", "json", "--termination-log", termination, "--drain-timeout", "100ms"];
  const child = spawn(
    process.execPath,
    [MAIN, "serve", "--model", model, "--name", name, ...ports, ...logs, ...options],
    {
      stdio: ["ignore", "ignore", "pipe"],
    },
  );
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr = (stderr + text).slice(-2000);
  });
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const stop = async (): Promise<void> => {
    await end(child, ended);
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await ready(`http://127.0.0.1:${http}/v2/health/ready`, child);
  } catch (error) {
    await end(child, ended);
    const said = reason(termination) ?? stderr.trim();
    rmSync(folder, { recursive: true, force: true });
    throw new NotServed(said || String(error));
  }
  return { http: `127.0.0.1:${http}`, grpc: `127.0.0.1:${grpc}`, admin: `127.0.0.1:${admin}`, model: name, stop };
};

const ready = async (url: string, child: ChildProcess): Promise<void> => {
  const deadline = performance.now() + PATIENCE_MS;
  while (performance.now() < deadline) {
    const { exitCode, signalCode } = child;
    if (exitCode !== null || signalCode !== null) throw new Error(`it ended with ${exitCode ?? signalCode}`);
    const status = await fetch(url, { signal: AbortSignal.timeout(5000) }).then(
      (response) => response.status,
      () => 0,
    );
    if (status === 200) return;
    await sleep(20);
  }
  throw tooLate(`${url} answers with 200`, undefined, PATIENCE_MS);
};

const end = async (child: ChildProcess, ended: Promise<void>): Promise<void> => {
  child.kill("SIGTERM");
  const late = setTimeout(() => child.kill("SIGKILL"), 10_000);
  await ended;
  clearTimeout(late);
};

/** Why it ended: JSON with a message where the reason has a code, else plain text, such as that a port is taken. */
const reason = (file: string): string | undefined => {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed === "object" && parsed !== null && "message" in parsed) return String(parsed.message);
  } catch {
    // plain text
  }
  return text;
};

/** Ports that nobody has at this moment. */
const freePorts = async (count: number): Promise<number[]> => {
  const servers = Array.from({ length: count }, () => createServer());
  const ports = servers.map(
    (server) =>
      new Promise<number>((resolve, reject) => {
        server.once("error", reject).listen(0, "127.0.0.1", () => {
          const address = server.address();
          resolve(typeof address === "object" && address !== null ? address.port : 0);
        });
      }),
  );
  const found = await Promise.all(ports);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return found;
};
