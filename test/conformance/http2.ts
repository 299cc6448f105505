/** h2spec, the conformance test of HTTP/2 servers, against the HTTP/2 that gRPC is served with, and against the router. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import { createKeptBytes } from "../../runtime/router/kept-bytes.ts";
import { createModelRouter } from "../../runtime/router/model-router.ts";
import { TIMES } from "../../runtime/transport/http/times.ts";
import { type OnRequest, serveHttp2 } from "../../runtime/transport/http2/index.ts";
import { CLUSTER_PATIENCE_S } from "../world/patience.ts";
import { cacheFolder } from "./cache.ts";
import type { CheckResult } from "./results.ts";

const exec = promisify(execFile);
const MODULE = "github.com/summerwind/h2spec/cmd/h2spec";
const VERSION = "v2.2.1+incompatible";
/** Of all its cases; each waits 10 s at most for what should come. */
const TIMEOUT_MS = CLUSTER_PATIENCE_S * 1000;
const SUITES = { generic: "a server in general", http2: "RFC 7540, section by section", hpack: "RFC 7541" };

/** The path of the program. It is built with Go the first time, from 1 MB of sources. */
const ensureH2spec = async (report: (line: string) => void): Promise<string> => {
  const folder = join(cacheFolder(), "h2spec-2.2.1");
  const program = join(folder, "h2spec");
  if (existsSync(program)) return program;
  report("building h2spec with Go into the cache (1 MB of sources)");
  try {
    await exec("go", ["install", `${MODULE}@${VERSION}`], {
      env: { ...process.env, GOBIN: folder },
      timeout: TIMEOUT_MS,
    });
  } catch (error) {
    throw new Error("h2spec cannot be built: Go and its module proxy are needed", { cause: error });
  }
  return program;
};

/** Answers everything with a few bytes and a trailer: h2spec looks at windows, which a refusal of gRPC would never use. */
const answer: OnRequest = (_head, stream) => ({
  data: () => undefined,
  end: () => {
    stream.headers([[":status", "200"]], false);
    stream.write(Buffer.from("hello"));
    stream.end([["x-end", "yes"]]);
  },
  closed: () => undefined,
  drained: () => undefined,
  sweep: () => undefined,
});

/** What is tested: a port, until it is closed. `others`: cases that are not meant for it. */
type Target = { port: number; close(): void; others: readonly string[] };

/** The router's port speaks HTTP/1.1 as well: what does not begin as HTTP/2 gets a 400 of that before it is closed. */
const NOT_HTTP2 = "Sends invalid connection preface";

const listening = async (server: Server): Promise<number> => {
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, "127.0.0.1", resolve);
  await promise;
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("the server has no port");
  return address.port;
};

const startServer = async (): Promise<Target> => {
  const options = { maxConcurrentStreams: 100, keepaliveMs: 60_000, keepaliveTimeoutMs: 10_000 };
  const server = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
    const connection = serveHttp2(socket, { ...options, now: () => performance.now() }, answer);
    const timer = setInterval(() => connection.sweep(performance.now()), 1000);
    socket.once("close", () => clearInterval(timer));
  });
  return { port: await listening(server), close: () => server.close(), others: [] };
};

/** With a pod behind it that says hello: what h2spec sends goes through the router, and comes back. */
const startRouter = async (): Promise<Target> => {
  const pod = createHttpServer((request, response) => {
    request.resume();
    request.once("end", () => response.end("hello"));
  });
  const podPort = await listening(pod);
  const settings = { maxRequests: 100, maxWaitMs: 5000, requestTimeoutMs: 10_000, tolerances: new Map() };
  const router = createModelRouter(
    "hello",
    settings,
    {
      ...{ kept: createKeptBytes(2 ** 26), maxHeldBytes: 2 ** 26, cap: 256, times: TIMES },
      ...{ maxConnectionAgeMs: 300_000, maxConnections: 1000 },
      ...{ now: () => performance.now(), random: Math.random, closing: () => false, report: console.error },
    },
    () => undefined,
  );
  router.offer({ epoch: 1, routes: [{ revision: "hello-1", role: "stable", weight: 100 }] });
  const place = { name: "pod", host: "127.0.0.1", httpPort: podPort, grpcPort: podPort };
  router.fleet.setPods("hello-1", [{ ...place, isReady: true, isTerminating: false }]);
  const timer = setInterval(() => router.sweep(performance.now()), 1000);
  const port = await router.listener.listen(0, "127.0.0.1");
  return {
    port,
    others: [NOT_HTTP2],
    close: () => {
      clearInterval(timer);
      router.listener.close();
      pod.close();
      pod.closeAllConnections();
    },
  };
};

const TARGETS = { "the server": startServer, "the router": startRouter };

/** One result for each of h2spec's suites, of the server and of the router. */
export const runH2spec = async (report: (line: string) => void): Promise<CheckResult[]> => {
  const program = await ensureH2spec(report);
  const results: CheckResult[] = [];
  for (const [name, start] of Object.entries(TARGETS)) {
    const target = await start();
    try {
      for (const [suite, title] of Object.entries(SUITES))
        results.push({ suite: "http2", name: `h2spec on ${name}, ${title}`, ...(await run(program, suite, target)) });
    } finally {
      target.close();
    }
  }
  return results;
};

const run = async (
  program: string,
  suite: string,
  { others, port }: Target,
): Promise<Pick<CheckResult, "ok" | "detail">> => {
  const args = [suite, "--host", "127.0.0.1", "--port", String(port), "--timeout", "10"];
  const stdout = await exec(program, args, { timeout: TIMEOUT_MS }).then(
    ({ stdout }) => stdout,
    (error: { stdout?: string; message: string }) => error.stdout || error.message,
  );
  const counts = /(\d+) tests, (\d+) passed, (\d+) skipped, (\d+) failed/.exec(stdout);
  const failures = new Set(Array.from(stdout.matchAll(/× \d+: (.*)/g), ([, title = ""]) => title.trim()));
  const isTold = Number(counts?.[4]) === failures.size && [...failures].every((title) => others.includes(title));
  const ok = counts !== null && Number(counts[2]) > 0 && Number(counts[3]) === 0 && isTold;
  return {
    ok,
    detail: ok
      ? [counts[0], ...[...failures].map((title) => `not meant for it: "${title}"`)].join("; ")
      : stdout.slice(Math.max(0, stdout.indexOf("Failures:")), 3000),
  };
};
