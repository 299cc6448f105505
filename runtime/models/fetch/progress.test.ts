import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import { test } from "node:test";
import { freePort } from "../../../test/world/free-port.ts";
import { serveProgress } from "./progress.ts";

test("the latest progress is told to whoever asks", async (t) => {
  const port = await freePort();
  const server = serveProgress(port, (error) => assert.fail(error));
  t.after(server.close);
  const get = (path: string) => fetch(`http://127.0.0.1:${port}${path}`);
  assert.deepEqual(await (await get("/progress")).json(), { bytes: 0, seconds: 0 });
  server.observe({ bytes: 512, total: 2048, seconds: 3 });
  assert.deepEqual(await (await get("/progress")).json(), { bytes: 512, total: 2048, seconds: 3 });
  assert.equal((await get("/metrics")).status, 404);
});

test("a port that is taken is told of, and no more", async (t) => {
  const taken = createServer().listen(0, "127.0.0.1");
  await once(taken, "listening");
  t.after(() => taken.close());
  const address = taken.address();
  const port = typeof address === "object" ? (address?.port ?? 0) : 0;
  const error = await new Promise<Error>((resolve) => {
    t.after(serveProgress(port, resolve).close);
  });
  assert.match(error.message, /EADDRINUSE/);
});
