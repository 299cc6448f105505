import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { createShardMetrics } from "../telemetry/metrics.ts";
import { createDataServer } from "./http.ts";

test("bodies are decompressed within --max-body, and a refused client gets its answer", async (t) => {
  const bounds = { maxBodyBytes: 100_000, maxInFlight: 3, headerMs: 2000, requestMs: 4000 };
  const data = createDataServer(
    async ({ body }) => ({ status: 200, headers: {}, parts: [String((await body()).length)] }),
    createShardMetrics(),
    bounds,
    () => undefined,
  );
  data.server.listen(0, "127.0.0.1");
  await once(data.server, "listening");
  t.after(() => {
    data.server.closeAllConnections();
    data.server.close();
  });
  const address = data.server.address();
  const port = typeof address === "object" ? address?.port : 0;
  const send = async (body: Uint8Array, encoding = "identity") => {
    const headers = { "content-encoding": encoding };
    const answer = await fetch(`http://127.0.0.1:${port}/infer`, { method: "POST", body: Buffer.from(body), headers });
    return `${answer.status} ${await answer.text()}`;
  };
  assert.equal(await send(gzipSync(Buffer.alloc(100_000)), "gzip"), "200 100000");
  assert.match(await send(gzipSync(Buffer.alloc(50_000_000)), "gzip"), /^413 /);
  assert.match(await send(Buffer.alloc(20_000_000)), /^413 .*--max-body/);
  assert.match(await send(Buffer.from("x"), "gzip"), /^400 /);
  assert.match(await send(Buffer.from("x"), "br"), /^415 /);
});
