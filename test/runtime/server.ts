/** A real `serve` process on free ports of loopback, as a pod would run it. */
import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { newDirectory } from "./models.ts";

const MAIN = fileURLToPath(new URL("../../runtime/main.ts", import.meta.url));
const line = z.looseObject({ msg: z.string(), port: z.number().optional(), grpcPort: z.number().optional() });

export type Exit = { code: number | null; signal: string | null };

/**
 * Starts it; it is ended, if it has not by itself, when the test is over.
 * @param limits what the kernel lets each of its processes have, as arguments of prlimit(1)
 * @param env instead of this process's
 * @param group the file of a cgroup that the server is put into before it begins
 */
export const startServer = (
  t: { after(end: () => Promise<void>): void },
  model: string,
  options: readonly string[] = [],
  limits: readonly string[] = [],
  env: NodeJS.ProcessEnv = process.env,
  group?: string,
) => {
  const terminationLog = join(newDirectory(), "termination");
  const args = ["serve", "--model", model, "--name", "m", "--http-port", "0", "--grpc-port", "0", "--admin-port", "0"];
  const command = [process.execPath, MAIN, ...args, "--log-format", "json", "--termination-log", terminationLog];
  const joined = group === undefined ? [] : ["sh", "-c", 'echo $$ > "$0" && exec "$@"', group];
  const limited = limits.length === 0 ? [] : ["prlimit", ...limits];
  const [program = "", ...rest] = [...joined, ...limited, ...command, ...options];
  const child = spawn(program, rest, { stdio: ["ignore", "pipe", "pipe"], env });
  const log: string[] = [];
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const ports = { http: 0, grpc: 0, admin: 0 };
  const ready = Promise.withResolvers<void>();
  const listening = Promise.withResolvers<void>();
  ready.promise.catch(() => undefined);
  listening.promise.catch(() => undefined);
  createInterface(child.stdout).on("line", (text) => {
    const entry = line.parse(JSON.parse(text));
    log.push(entry.msg);
    if (entry.msg.startsWith("loading ")) {
      ports.admin = entry.port ?? 0;
      listening.resolve();
    }
    if (entry.msg.startsWith("ready in ")) {
      ports.http = entry.port ?? 0;
      ports.grpc = entry.grpcPort ?? 0;
      ready.resolve();
    }
  });
  const exit = new Promise<Exit>((resolve) => {
    child.once("close", (code, signal) => {
      const error = new Error(`the server ended with ${code ?? signal}: ${log.join("\n")}\n${stderr}`);
      ready.reject(error);
      listening.reject(error);
      resolve({ code, signal });
    });
  });
  t.after(async () => {
    // A shard in an endless run would not notice that its supervisor is gone.
    const shards = childrenOf(child.pid ?? 0);
    child.kill("SIGKILL");
    for (const pid of shards) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // it is gone already
      }
    }
    await exit;
  });
  return {
    process: child,
    /** The ports are open: first the admin port, then, once the model is ready, the data port. */
    listening: listening.promise,
    ready: ready.promise,
    exit,
    log,
    stderr: () => stderr,
    url: (path: string) => `http://127.0.0.1:${ports.http}${path}`,
    /** host:port of the gRPC port. */
    grpc: () => `127.0.0.1:${ports.grpc}`,
    httpPort: () => ports.http,
    admin: (path: string) => `http://127.0.0.1:${ports.admin}${path}`,
    termination: () => (existsSync(terminationLog) ? readFileSync(terminationLog, "utf8") : ""),
  };
};
export type Server = ReturnType<typeof startServer>;

/** The processes that this one, in any of its threads, has started and that still run. */
export const childrenOf = (pid: number): number[] => {
  const tasks = `/proc/${pid}/task`;
  if (!existsSync(tasks)) return [];
  return readdirSync(tasks).flatMap((thread) => {
    const file = `${tasks}/${thread}/children`;
    return existsSync(file) ? readFileSync(file, "utf8").trim().split(" ").filter(Boolean).map(Number) : [];
  });
};

/** The processes of a server that run the model, oldest first. */
export const shardsOf = (server: Server): number[] =>
  childrenOf(server.process.pid ?? 0)
    .filter((pid) => {
      const file = `/proc/${pid}/cmdline`;
      return existsSync(file) && readFileSync(file, "utf8").includes("shards/shard.ts");
    })
    .sort((one, other) => one - other);
