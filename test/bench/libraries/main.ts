/** `npm run bench -- libraries`: our parsers and codecs beside the libraries that would take their place, in turns, as ratios. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { freePort } from "../../world/free-port.ts";
import { framed } from "../../world/grpc.ts";
import type { Dialect } from "../server/dialects.ts";
import { ensureProgram } from "../server/install.ts";
import { load } from "../server/load.ts";
import { preciseCpuSeconds } from "../server/process-tree.ts";
import { PAIRS, type Pair } from "./calls.ts";

const PARTS = ["json", "codecs", "http", "grpc"] as const;
type Part = (typeof PARTS)[number];

const HELP = `npm run bench -- libraries [options] [PART…]: our code beside the library that would take its place

  json     tensors in JSON, beside JSON.parse and JSON.stringify
  codecs   ModelInfer, beside protobufjs
  http     the HTTP/1.1 server, beside node:http (both echo; needs wrk)
  grpc     the HTTP/2 and gRPC server, beside grpc-js (both echo; needs h2load)

  --rounds N     rounds in turns (default: 5)
  --seconds N    of work for each figure (default: 2)
  --help

CPU time of one thing of each kind; the ratio is the library's to ours.`;

type Figure = { ours: number; library: number };

const CONNECTIONS = 32;
const FLOATS = 64;
const START_MS = 10_000;

/** Microseconds of CPU for one call. */
const timeOf = (call: () => unknown, seconds: number): number => {
  const until = performance.now() + seconds * 1000;
  const before = process.cpuUsage();
  let count = 0;
  for (; count === 0 || performance.now() < until; count++) call();
  const { system, user } = process.cpuUsage(before);
  return (system + user) / count;
};

const measureCalls = ({ check, library, ours }: Pair, seconds: number): Figure => {
  check();
  // code is compiled
  timeOf(ours, seconds / 4);
  timeOf(library, seconds / 4);
  return { ours: timeOf(ours, seconds), library: timeOf(library, seconds) };
};

const untilOpen = async (port: number): Promise<void> => {
  const until = performance.now() + START_MS;
  for (;;) {
    const socket = connect(port, "127.0.0.1");
    const isOpen = await new Promise<boolean>((resolve) => {
      socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    });
    socket.destroy();
    if (isOpen) return;
    if (performance.now() > until) throw new Error(`nothing listened on port ${port} within ${START_MS} ms`);
    await sleep(20);
  }
};

const dialectOf = (part: "http" | "grpc"): Dialect => {
  const data = Float32Array.from({ length: FLOATS }, (_, i) => i / FLOATS);
  if (part === "http")
    return {
      kind: "http",
      path: "/v2/models/m/infer",
      headers: { "content-type": "application/json" },
      body: Buffer.from(
        JSON.stringify({ inputs: [{ name: "x", datatype: "FP32", shape: [1, FLOATS], data: [...data] }] }),
      ),
      read: () => data,
    };
  return {
    kind: "grpc",
    path: "/inference.GRPCInferenceService/ModelInfer",
    body: framed("m", { name: "x", shape: [1, FLOATS], data }),
    leastAnswer: data.byteLength,
    ask: () => Promise.resolve(data),
  };
};

/** Microseconds of CPU of the server for one answer. */
const measureServer = async (part: "http" | "grpc", kind: string, seconds: number, folder: string): Promise<number> => {
  const port = await freePort();
  const child: ChildProcess = spawn(
    process.execPath,
    [join(import.meta.dirname, "echo.ts"), `${part}-${kind}`, `${port}`],
    {
      stdio: ["ignore", "ignore", "inherit"],
    },
  );
  try {
    await untilOpen(port);
    const dialect = dialectOf(part);
    const ports = { http: port, grpc: port };
    await load(ports, dialect, CONNECTIONS, 1, folder);
    const { pid = 0 } = child;
    const before = preciseCpuSeconds(pid);
    const { answers, failed } = await load(ports, dialect, CONNECTIONS, seconds, folder);
    if (failed > 0 || answers === 0)
      throw new Error(`${part}-${kind}: ${failed} of ${answers + failed} requests failed`);
    return ((preciseCpuSeconds(pid) - before) / answers) * 1e6;
  } finally {
    child.kill("SIGKILL");
  }
};

const measureServers = async (part: "http" | "grpc", seconds: number): Promise<Figure> => {
  const folder = await mkdtemp(join(tmpdir(), "berth-bench-libraries-"));
  try {
    const ours = await measureServer(part, "ours", seconds, folder);
    return { ours, library: await measureServer(part, "library", seconds, folder) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
};

const median = (values: readonly number[]): number =>
  [...values].sort((one, other) => one - other)[Math.floor(values.length / 2)] ?? Number.NaN;

const print = (name: string, figures: readonly Figure[]): void => {
  const ratios = figures.map(({ library, ours }) => library / ours);
  const column = (value: number): string => value.toFixed(1).padStart(12);
  const spread = `${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)}`;
  console.log(
    `  ${name.padEnd(52)}${column(median(figures.map(({ ours }) => ours)))}${column(median(figures.map(({ library }) => library)))}` +
      `${median(ratios).toFixed(2).padStart(9)}  (${spread})`,
  );
};

const isPart = (name: string): name is Part => PARTS.some((part) => part === name);

/** Resolves with the exit code. */
export const benchLibraries = async (args: string[]): Promise<number> => {
  const { positionals, values } = parseArgs({
    args,
    options: { rounds: { type: "string" }, seconds: { type: "string" }, help: { type: "boolean" } },
    allowPositionals: true,
  });
  if (values.help === true) {
    console.log(HELP);
    return 0;
  }
  const [rounds, seconds] = [Number(values.rounds ?? 5), Number(values.seconds ?? 2)];
  if (!(rounds >= 1 && seconds > 0) || !positionals.every(isPart)) {
    console.error(`--rounds and --seconds are numbers above 0, and a PART is one of ${PARTS.join(", ")}\n\n${HELP}`);
    return 2;
  }
  const parts = positionals.length === 0 ? PARTS : positionals;
  if (parts.includes("http")) await ensureProgram("wrk", "wrk", console.log);
  if (parts.includes("grpc")) await ensureProgram("h2load", "nghttp2-client", console.log);
  console.log(
    `CPU µs for each, medians of ${rounds} rounds\n${" ".repeat(54)}        ours     library    ratio  (least to greatest)`,
  );
  for (const part of parts) {
    if (part === "json" || part === "codecs")
      for (const pair of PAIRS[part])
        print(
          pair.name,
          Array.from({ length: rounds }, () => measureCalls(pair, seconds)),
        );
    else {
      const figures: Figure[] = [];
      for (let round = 0; round < rounds; round++) figures.push(await measureServers(part, seconds));
      print(part === "http" ? "HTTP/1.1, a small request" : "gRPC, a small call", figures);
    }
  }
  return 0;
};
