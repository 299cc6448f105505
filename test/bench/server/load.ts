/** Load: wrk for HTTP, h2load for gRPC, both in C and with one thread, so that they take as little of the cores as can be. */
import { execFile } from "node:child_process";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { z } from "zod";
import type { Dialect, GrpcDialect } from "./dialects.ts";
import { endedChildrenCpuSeconds } from "./process-tree.ts";

const run = promisify(execFile);
const GRACE = 20_000; // ms above the load's own time, for the last answers of a slow server
const MOST_OUTPUT = 1024 ** 2;

/** p50 and p99 in milliseconds; `generatorCpu` in seconds. */
export type Load = { answers: number; seconds: number; p50: number; p99: number; failed: number; generatorCpu: number };

const figures = z.object({
  ...{ answers: z.number(), seconds: z.number(), p50: z.number(), p99: z.number(), failed: z.number() },
});

const wrk = async (url: string, headers: readonly string[], body: string, connections: number, seconds: number) => {
  const script = join(import.meta.dirname, "load.lua");
  const args = [
    "-t",
    "1",
    "-c",
    `${connections}`,
    "-d",
    `${seconds}s`,
    "--timeout",
    "15s",
    "-s",
    script,
    url,
    "--",
    body,
  ];
  const { stdout } = await run("wrk", [...args, ...headers], {
    timeout: seconds * 1000 + GRACE,
    maxBuffer: MOST_OUTPUT,
  });
  const line = /^FIGURES (.*)$/m.exec(stdout)?.[1];
  if (line === undefined) throw new Error(`wrk told no figures: ${stdout.slice(0, 500)}`);
  return figures.parse(JSON.parse(line));
};

const h2load = async (
  url: string,
  dialect: GrpcDialect,
  body: string,
  connections: number,
  seconds: number,
  folder: string,
) => {
  const log = join(folder, "h2load.log");
  await rm(log, { force: true });
  const { stdout } = await run(
    "h2load",
    [
      ...["-t", "1", "-c", `${connections}`, "-m", "1", "-D", `${seconds}`, "-d", body, "--log-file", log],
      ...["-H", "content-type: application/grpc", "-H", "te: trailers", url],
    ],
    { timeout: seconds * 1000 + GRACE, maxBuffer: MOST_OUTPUT },
  );
  // One line an answer: start (µs), HTTP status, time taken (µs).
  const lines = (await readFile(log, "utf8")).split("\n").filter((line) => line !== "");
  const taken: number[] = [];
  let failed = 0;
  for (const line of lines) {
    const [, status, microseconds] = line.split("\t");
    if (status === "200") taken.push(Number(microseconds) / 1e3);
    else failed++;
  }
  taken.sort((one, other) => one - other);
  const at = (share: number) => taken[Math.min(taken.length - 1, Math.floor(share * taken.length))] ?? Number.NaN;
  // gRPC tells errors in trailers, with status 200; such an answer has no tensor, so that bytes are missing.
  const data = Number(/\((\d+)\) data/.exec(stdout)?.[1] ?? 0);
  const expected = taken.length * dialect.leastAnswer;
  if (data < expected) throw new Error(`gRPC answers are too short: ${data} bytes, expected at least ${expected}`);
  return { answers: taken.length, seconds, p50: at(0.5), p99: at(0.99), failed };
};

/** @param folder for the request's body and logs */
export const load = async (
  ports: { http: number; grpc: number },
  dialect: Dialect,
  connections: number,
  seconds: number,
  folder: string,
): Promise<Load> => {
  const body = join(folder, "body");
  await writeFile(body, dialect.body);
  const before = endedChildrenCpuSeconds();
  const told =
    dialect.kind === "http"
      ? await wrk(
          `http://127.0.0.1:${ports.http}${dialect.path}`,
          Object.entries(dialect.headers).map(([name, value]) => `${name}=${value}`),
          body,
          connections,
          seconds,
        )
      : await h2load(`http://127.0.0.1:${ports.grpc}${dialect.path}`, dialect, body, connections, seconds, folder);
  return { ...told, generatorCpu: endedChildrenCpuSeconds() - before };
};
