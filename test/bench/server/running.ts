/** A server under test: started, asked until it is right, paused while others are measured, ended. */

import { spawn } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "../../world/free-port.ts";
import type { Dialect } from "./dialects.ts";
import { type Model, TOLERANCE } from "./models.ts";
import type { Peer, Ports } from "./peers.ts";
import { signalTree } from "./process-tree.ts";

const START_TIMEOUT = 60_000; // ms; Python servers import for seconds, and share two cores here
const ANSWER_TIMEOUT = 20_000; // ms
const POLL = 5; // ms: the step in which a cold start is measured
const STOP_GRACE = 4_000; // ms
const MOST_ANSWER = 64 * 1024 ** 2; // bytes; the recogniser's answer in JSON has 3 MB

export type Running = {
  peer: Peer;
  pid: number;
  ports: Ports;
  /** From the start of the process to the first right answer, ms. */
  coldStart: number;
  pause: () => void;
  resume: () => void;
  stop: () => Promise<void>;
};

/** The numbers of the first output. Rejects where the server does not answer, or not with success. */
export const ask = (dialect: Dialect, ports: Ports): Promise<Float32Array> => {
  if (dialect.kind === "grpc") return dialect.ask(ports.grpc);
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        ...{ host: "127.0.0.1", port: ports.http, path: dialect.path, method: "POST", agent: false },
        headers: { ...dialect.headers, "content-length": dialect.body.length },
        timeout: ANSWER_TIMEOUT,
      },
      (answer) => {
        const parts: Buffer[] = [];
        let size = 0;
        answer.on("data", (part: Buffer) => {
          size += part.length;
          if (size > MOST_ANSWER) sent.destroy(new Error(`an answer of more than ${MOST_ANSWER} bytes`));
          parts.push(part);
        });
        answer.on("error", reject).on("end", () => {
          const body = Buffer.concat(parts);
          if (answer.statusCode !== 200) {
            return reject(new Error(`status ${answer.statusCode}: ${body.toString("utf8", 0, 300)}`));
          }
          try {
            const header = (name: string) => answer.headers[name]?.toString();
            resolve(dialect.read(body, header));
          } catch (error) {
            reject(error);
          }
        });
      },
    );
    sent.on("timeout", () => sent.destroy(new Error(`no answer within ${ANSWER_TIMEOUT} ms`)));
    sent.on("error", reject).end(dialect.body);
  });
};

/** Undefined where the answer is onnxruntime's, else what is wrong with it. */
export const fault = (answer: Float32Array, { expected }: Model): string | undefined => {
  if (answer.length !== expected.length) return `${answer.length} numbers, expected ${expected.length}`;
  for (const [at, value] of expected.entries()) {
    const got = answer[at] ?? Number.NaN;
    if (!(Math.abs(got - value) <= TOLERANCE)) return `number ${at} is ${got}, onnxruntime says ${value}`;
  }
  return undefined;
};

const VERIFIED_TOGETHER = 16;

/** Asks alone and then many times at once, so that batches are seen too; undefined where every answer is right. */
export const verify = async (dialect: Dialect, ports: Ports, model: Model): Promise<string | undefined> => {
  try {
    const answers = [await ask(dialect, ports)];
    answers.push(...(await Promise.all(Array.from({ length: VERIFIED_TOGETHER }, () => ask(dialect, ports)))));
    return answers.map((answer) => fault(answer, model)).find((text) => text !== undefined);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
};

const alive = new Set<number>();
// Also when the bench itself fails or is interrupted.
process.on("exit", () => {
  for (const pid of alive) {
    signalTree(pid, "SIGCONT");
    signalTree(pid, "SIGKILL");
  }
});

/** Starts it and waits for its first right answer. @param parent the folder in which it gets one of its own */
export const start = async (peer: Peer, model: Model, installed: string, parent: string): Promise<Running> => {
  const folder = mkdtempSync(join(parent, `${peer.name}-`));
  const ports = { http: await freePort(), grpc: await freePort(), admin: await freePort() };
  const first = Object.values(peer.dialects)[0]?.(model);
  if (first === undefined) throw new Error(`${peer.name} speaks no protocol`);
  const { program, args, env } = await peer.command(model, ports, installed, folder);
  const logFile = join(folder, "log");
  const log = openSync(logFile, "w");
  const started = performance.now();
  // A session of its own: whatever it starts can be found, even if its parent has ended.
  const child = spawn(program, args, { env, cwd: folder, detached: true, stdio: ["ignore", log, log] });
  closeSync(log);
  const pid = await new Promise<number>((resolve, reject) => {
    child.once("error", reject).once("spawn", () => resolve(child.pid ?? 0));
  });
  alive.add(pid);
  let ended = false;
  const exit = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  child.once("exit", () => {
    ended = true;
  });
  const stop = async () => {
    signalTree(pid, "SIGCONT");
    try {
      process.kill(pid, "SIGTERM");
    } catch {
      // it has ended
    }
    await Promise.race([exit, sleep(STOP_GRACE, undefined, { ref: false })]);
    signalTree(pid, "SIGKILL");
    alive.delete(pid);
    // Triton leaves its shared memory where it is ended in a hurry.
    for (const name of readdirSync("/dev/shm")) {
      if (name.startsWith(`berth-bench-${ports.http}`)) rmSync(join("/dev/shm", name), { force: true });
    }
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  };
  let last = "no answer";
  while (performance.now() - started < START_TIMEOUT && !ended) {
    const answer = await ask(first, ports).catch((error: unknown) => {
      last = error instanceof Error ? error.message : String(error);
    });
    const wrong = answer === undefined ? last : fault(answer, model);
    if (wrong === undefined) {
      return {
        ...{ peer, pid, ports, stop },
        coldStart: performance.now() - started,
        pause: () => signalTree(pid, "SIGSTOP"),
        resume: () => signalTree(pid, "SIGCONT"),
      };
    }
    last = wrong;
    await sleep(POLL);
  }
  const said = readFileSync(logFile, "utf8").trim().split("\n").slice(-8).join("\n");
  await stop();
  throw new Error(`${peer.title} ${ended ? "ended" : "gave no right answer"} (${last}); it said:\n${said}`);
};
