import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { pino } from "pino";
import { clusterAddressPolicy } from "./address-policy.ts";
import { runFetch } from "./command.ts";

const bytes = Buffer.alloc(100_000, 8);
const hex = createHash("sha256").update(bytes).digest("hex");

const CODED: Record<string, string | string[]> = {
  "/aws-chunked": "aws-chunked",
  "/utf-8": "UTF-8",
  "/empty": "",
  "/gzip": "gzip",
  "/both": ["aws-chunked", "gzip"],
};

test("fetch resumes after a cut connection, and refuses wrong checksums, web pages, coded and large models", async (t) => {
  let cut = true;
  const server = createServer((request, response) => {
    if (request.url === "/none") return void response.writeHead(404).end();
    if (request.url === "/page") return void response.end("<html>");
    const from = Number(/bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1] ?? 0);
    const range = from > 0 ? { "content-range": `bytes ${from}-${bytes.length - 1}/${bytes.length}` } : {};
    const coding = CODED[request.url ?? ""];
    if (coding !== undefined) response.setHeader("content-encoding", coding);
    response.writeHead(from > 0 ? 206 : 200, { etag: '"a"', "content-length": bytes.length - from, ...range });
    if (!cut) return void response.end(bytes.subarray(from));
    cut = false;
    response.write(bytes.subarray(0, 50_000), () => setTimeout(() => response.destroy(), 100));
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  t.after(() => server.close());
  const address = server.address();
  const base = `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`;
  const to = join(mkdtempSync(join(tmpdir(), "fetch-")), "model.onnx");
  const run = (path: string, sha256: string | undefined, diskLimitBytes?: number, allowed = true) =>
    runFetch(
      {
        uri: `${base}${path}`,
        to,
        sha256,
        diskLimitBytes,
        allowHttp: true,
        pinFile: undefined,
        caFile: undefined,
        credentials: undefined,
        proxy: undefined,
        noProxy: undefined,
        claimDirectory: "/none",
        progressPort: undefined,
        terminationLog: "/dev/null",
      },
      allowed ? () => true : clusterAddressPolicy,
      pino({ level: "silent" }),
    );
  assert.deepEqual(await run("/model", hex), { digest: `sha256:${hex}`, bytes: bytes.length });
  assert.deepEqual(readFileSync(to), bytes);
  for (const path of ["/aws-chunked", "/utf-8", "/empty"])
    assert.deepEqual(await run(path, undefined), { digest: `sha256:${hex}`, bytes: bytes.length }, path);
  for (const path of ["/gzip", "/both"])
    await assert.rejects(run(path, undefined), { code: "ModelUriInvalid", message: /content-encoding gzip/ });
  await assert.rejects(run("/model", "0".repeat(64)), { code: "ChecksumMismatch" });
  await assert.rejects(run("/model", undefined, 1000), { code: "DiskFull", message: /97\.7 KiB.*1000 bytes/ });
  await assert.rejects(run("/none", undefined), { code: "ModelNotFound" });
  await assert.rejects(run("/page", undefined), { code: "ModelInvalid" });
  await assert.rejects(run("/model", undefined, undefined, false), { code: "ModelUriInvalid" });
});
