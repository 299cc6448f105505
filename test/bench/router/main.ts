/**
 * What the router costs a request: CPU, and time. Beside it HAProxy and a plain proxy on undici, and no proxy at all; each in
 * front of the same two backends that share 90 to 10, in turns, on a core of its own.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { request } from "node:http";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { freePort } from "../../world/free-port.ts";
import { ensureProgram } from "../server/install.ts";
import { load } from "../server/load.ts";
import { preciseCpuSeconds } from "../server/process-tree.ts";
import { writeHaproxyConfig } from "./haproxy.ts";
import { type Body, type Figures, printReport, type Target } from "./report.ts";

const HELP = `npm run bench -- router [options]: what the router costs a request, beside HAProxy and a plain undici proxy

  --rounds N     rounds in turns (default: 5)
  --seconds N    of load for each figure (default: 3)
  --help`;

const PATH = "/v2/models/digits/infer";
/** Enough that each proxy is busy, and none of them, for the time that a request takes. */
const BUSY_CONNECTIONS = 32;
const CALM_CONNECTIONS = 2;
const START_MS = 10_000;

const BODIES: Readonly<Record<Body, Buffer>> = {
  // 28 × 28 numbers would be 6 kB; most JSON requests are smaller
  "small JSON": Buffer.from(
    JSON.stringify({
      inputs: [{ name: "x", datatype: "FP32", shape: [1, 64], data: Array.from({ length: 64 }, (_, i) => i / 64) }],
    }),
  ),
  // 3 × 224 × 224 of FP32, as the binary extension sends them
  "600 KB": Buffer.alloc(3 * 224 * 224 * 4, 1),
};

type Proxy = { target: Target; port: number; process: ChildProcess | undefined };

const onCore = (core: number, command: string, args: readonly string[]): ChildProcess =>
  availableParallelism() > 1
    ? spawn("taskset", ["-c", String(core), command, ...args], { stdio: ["ignore", "ignore", "inherit"] })
    : spawn(command, args, { stdio: ["ignore", "ignore", "inherit"] });

const script = (name: string): string => join(import.meta.dirname, name);

const untilOpen = async (port: number): Promise<void> => {
  const until = performance.now() + START_MS;
  for (;;) {
    const isOpen = await new Promise<boolean>((resolve) => {
      const asked = request({ port, host: "127.0.0.1", path: PATH, method: "POST", agent: false }, (answer) => {
        answer.resume().on("end", () => resolve(answer.statusCode === 200));
      });
      asked.on("error", () => resolve(false)).end("{}");
    });
    if (isOpen) return;
    if (performance.now() > until) throw new Error(`nothing answered on port ${port} within ${START_MS} ms`);
    await sleep(50);
  }
};

const measure = async (
  { port, process, target }: Proxy,
  body: Body,
  seconds: number,
  folder: string,
): Promise<Figures> => {
  const dialect = {
    kind: "http" as const,
    path: PATH,
    headers: { "content-type": "application/json" },
    body: BODIES[body],
    read: () => new Float32Array(),
  };
  const pid = process?.pid;
  const ports = { http: port, grpc: 0 };
  const cpu = (): number => (pid === undefined ? 0 : preciseCpuSeconds(pid));
  // connections are made, and code is compiled
  await load(ports, dialect, BUSY_CONNECTIONS, 1, folder);
  const before = cpu();
  const busy = await load(ports, dialect, BUSY_CONNECTIONS, seconds, folder);
  const used = cpu() - before;
  const calm = await load(ports, dialect, CALM_CONNECTIONS, seconds, folder);
  const failed = busy.failed + calm.failed;
  if (failed > 0) throw new Error(`${target} failed ${failed} requests`);
  return {
    cpuMicroseconds: (used / busy.answers) * 1e6,
    rate: busy.answers / busy.seconds,
    p50: calm.p50,
    p99: calm.p99,
  };
};

/** Resolves with the exit code. */
export const benchRouter = async (args: string[]): Promise<number> => {
  const { values } = parseArgs({
    args,
    options: { rounds: { type: "string" }, seconds: { type: "string" }, help: { type: "boolean" } },
  });
  if (values.help === true) {
    console.log(HELP);
    return 0;
  }
  const [rounds, seconds] = [Number(values.rounds ?? 5), Number(values.seconds ?? 3)];
  if (!(rounds >= 1 && seconds >= 1)) {
    console.error(`--rounds and --seconds are whole numbers from 1\n\n${HELP}`);
    return 2;
  }
  await ensureProgram("wrk", "wrk", console.log);
  await ensureProgram("haproxy", "haproxy", console.log);
  const folder = await mkdtemp(join(tmpdir(), "berth-bench-router-"));
  const started: ChildProcess[] = [];
  const begin = (core: number, command: string, ...rest: string[]): ChildProcess => {
    const child = onCore(core, command, rest);
    started.push(child);
    return child;
  };
  try {
    const [stable, canary] = [await freePort(), await freePort()];
    for (const port of [stable, canary]) begin(1, process.execPath, script("backend.ts"), String(port));
    const proxies: Proxy[] = [{ target: "no proxy", port: stable, process: undefined }];
    const haproxyPort = await freePort();
    const config = await writeHaproxyConfig(folder, haproxyPort, stable, canary);
    proxies.push({ target: "HAProxy", port: haproxyPort, process: begin(0, "haproxy", "-db", "-f", config) });
    for (const [target, file, shadow] of [
      ["Berth's router", "our-proxy.ts", "0"],
      ["the same, 10 % shadowed", "our-proxy.ts", "10"],
      ["node:http and undici", "undici-proxy.ts", "0"],
    ] as const) {
      const port = await freePort();
      const child = begin(0, process.execPath, script(file), String(port), String(stable), String(canary), shadow);
      proxies.push({ target, port, process: child });
    }
    for (const { port } of proxies) await untilOpen(port);
    const figures: { target: Target; body: Body; figures: Figures }[] = [];
    for (let round = 1; round <= rounds; round++) {
      for (const body of Object.keys(BODIES) as Body[]) {
        for (const proxy of proxies) {
          const measured = await measure(proxy, body, seconds, folder);
          figures.push({ target: proxy.target, body, figures: measured });
          console.log(
            `round ${round} of ${rounds}  ${body.padEnd(10)}  ${proxy.target.padEnd(23)}  ${measured.cpuMicroseconds.toFixed(1).padStart(7)} µs  ${measured.rate.toFixed(0).padStart(6)}/s  p99 ${measured.p99.toFixed(2)} ms`,
          );
        }
      }
    }
    printReport(figures);
    return 0;
  } finally {
    for (const child of started) child.kill("SIGKILL");
    await rm(folder, { recursive: true, force: true });
  }
};
