/** h2spec, the conformance test of HTTP/2 servers, against the HTTP/2 that gRPC is served with. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import { type OnRequest, serveHttp2 } from "../../runtime/server/http2/index.ts";
import { cacheFolder } from "./cache.ts";
import type { CheckResult } from "./results.ts";

const exec = promisify(execFile);
const MODULE = "github.com/summerwind/h2spec/cmd/h2spec";
const VERSION = "v2.2.1+incompatible";
/** Of all its cases; each waits 2 s at most for what should come. */
const TIMEOUT_MS = 300_000;
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

/** One result for each of h2spec's suites. */
export const runH2spec = async (report: (line: string) => void): Promise<CheckResult[]> => {
  const program = await ensureH2spec(report);
  const options = { maxConcurrentStreams: 100, keepaliveMs: 60_000, keepaliveTimeoutMs: 10_000 };
  const server = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
    const connection = serveHttp2(socket, { ...options, now: () => performance.now() }, answer);
    const timer = setInterval(() => connection.sweep(performance.now()), 1000);
    socket.once("close", () => clearInterval(timer));
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, "127.0.0.1", resolve);
  await promise;
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("the server has no port");
  const results: CheckResult[] = [];
  for (const [suite, title] of Object.entries(SUITES)) {
    const args = [suite, "--host", "127.0.0.1", "--port", String(address.port), "--timeout", "2"];
    const { stdout, failed } = await exec(program, args, { timeout: TIMEOUT_MS }).then(
      ({ stdout }) => ({ stdout, failed: false }),
      (error: { stdout?: string; message: string }) => ({ stdout: error.stdout || error.message, failed: true }),
    );
    const counts = /(\d+) tests, (\d+) passed.*/.exec(stdout);
    const ok = !failed && counts !== null && Number(counts[1]) > 0 && counts[1] === counts[2];
    const detail = ok ? counts[0] : stdout.slice(Math.max(0, stdout.indexOf("Failures:")), 3000);
    results.push({ suite: "http2", name: `h2spec, ${title}`, ok, detail });
  }
  server.close();
  return results;
};
