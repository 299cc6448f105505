import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { PATIENCE_MS } from "../../world/patience.ts";

const SCRIPT = fileURLToPath(new URL("./ipv6-only.ts", import.meta.url));
/** A network of its own, with nothing but ::1 in it. */
const ALONE = 'ip link set lo up && ip addr del 127.0.0.1/8 dev lo && exec "$@"';

test("server and router serve over IPv6 where a pod has no other address: HTTP, gRPC and the admin port", async () => {
  const asRoot = process.getuid?.() === 0 ? [] : ["--map-root-user"];
  // processes of its own, too: with the first of them all others end, the server that it has started among them
  const own = [...asRoot, "--net", "--pid", "--fork", "--kill-child"];
  const command = [...own, "sh", "-c", ALONE, "sh", process.execPath, SCRIPT];
  // while it waits for them, unshare itself takes no other signal
  const { stdout } = await promisify(execFile)("unshare", command, { timeout: PATIENCE_MS, killSignal: "SIGKILL" });
  assert.deepEqual(JSON.parse(stdout.trim().split("\n").at(-1) ?? ""), {
    ipv4: "none",
    server: [200, "0", 200],
    router: [200, "0"],
  });
});
