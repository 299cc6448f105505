import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, test } from "node:test";
import { promisify } from "node:util";
import { mapBeside } from "../../operator/platform/telemetry/stack.ts";
import { freePort } from "../../test/world/free-port.ts";
import { bundled } from "./bundled.ts";
import { CATALOGUE } from "./catalogue.ts";
import { codeEntries } from "./contents.ts";
import { writeTree } from "./tree.ts";

const ROOT = join(import.meta.dirname, "../..");
const folder = mkdtempSync(join(tmpdir(), "berth-bundled-"));
after(() => rmSync(folder, { recursive: true }));

/** Says at the end which of its own modules Node has loaded. */
const SHOW = `data:text/javascript,${encodeURIComponent(
  "process.on('exit', () => process.stderr.write(process.moduleLoadList.join('\\n')))",
)}`;

test("the operator's image holds one file, which starts without any package beside it", async () => {
  await writeTree(await codeEntries(ROOT, CATALOGUE.operator, "1.2.3"), folder);
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((path) => /\.\w+$/.test(path));
  assert.deepEqual(files.sort(), ["app/operator/main.js", "app/operator/main.js.map", "app/package.json"]);
  const program = join(folder, "app/operator/main.js");
  const { stderr, stdout } = await promisify(execFile)(process.execPath, ["--import", SHOW, program, "--help"]);
  assert.match(stdout, /--workers/);
  assert.match(stderr, /^NativeModule http$/m);
  // Node's own copy of it would be a second one
  assert.doesNotMatch(stderr, /internal\/deps\/undici/);
});

/** An API server with nothing in it but a lease, which is as it was written last. */
const emptyCluster = () => {
  let lease: string | undefined;
  return createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? "", "http://localhost");
    void text(request).then((body) => {
      response.setHeader("content-type", "application/json");
      if (searchParams.has("watch")) return response.flushHeaders();
      if (!pathname.includes("/leases"))
        return response.end(JSON.stringify({ metadata: { resourceVersion: "1" }, items: [] }));
      if (request.method !== "GET") lease = body;
      return response.writeHead(lease === undefined ? 404 : 200).end(lease ?? "{}");
    });
  });
};

test("it follows its lists, takes the lease and gives it up", async () => {
  const server = emptyCluster().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  const kubeconfig = join(folder, "kubeconfig");
  writeFileSync(
    kubeconfig,
    JSON.stringify({
      clusters: [{ name: "c", cluster: { server: `http://127.0.0.1:${address.port}` } }],
      users: [{ name: "u", user: { token: "t" } }],
      contexts: [{ name: "x", context: { cluster: "c", user: "u" } }],
      "current-context": "x",
    }),
  );
  const options = { "runtime-image": "none", namespace: "berth", identity: "me", kubeconfig };
  const ports = { "probe-port": `${await freePort()}`, "metrics-port": `${await freePort()}` };
  const child = spawn(process.execPath, [
    join(folder, "app/operator/main.js"),
    ...Object.entries({ ...options, ...ports }).flatMap(([name, value]) => [`--${name}`, value]),
  ]);
  let log = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (part: string) => {
      const isFirst = !log.includes('"leading"');
      log += part;
      if (isFirst && log.includes('"leading"')) child.kill("SIGTERM");
    });
  const [code] = await once(child, "close");
  server.close();
  server.closeAllConnections();
  assert.equal(code, 0, log);
  assert.match(log, /released the lease/);
});

test("its map finds the line of the source", async () => {
  const program = join(folder, "found.js");
  writeFileSync(join(folder, "fails.ts"), "\n\nconst fail = (): never => {\n  throw new Error('!');\n};\nfail();\n");
  const { code, map } = await bundled(folder, "fails.ts", []);
  writeFileSync(program, code);
  writeFileSync(`${program}.map`, map);
  const ended = promisify(execFile)(process.execPath, [program]);
  const stderr = await ended.then(
    () => assert.fail("it did not fail"),
    (error: { stderr: string }) => error.stderr,
  );
  const [, line = "", column = ""] = /found\.js:(\d+):(\d+)/.exec(stderr) ?? [];
  assert.deepEqual(mapBeside(program)(Number(line), Number(column)), { file: "fails.ts", line: 4 });
});
