import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { test } from "node:test";
import { createClient } from "../kube/create-client.ts";
import type { Pod } from "../kube/objects.ts";
import { PODS } from "../kube/resources.ts";
import { createTransport } from "../kube/transport.ts";
import { createWatch } from "../kube/watch.ts";
import { createIndexedStore } from "./indexed-store.ts";
import { createReflector } from "./reflector.ts";

test("a list, all of its pages, and the watch that follows are one connection", async () => {
  const asked: string[] = [];
  const isWatched = Promise.withResolvers<void>();
  const server = createServer((request, response) => {
    const query = new URL(request.url ?? "", "http://localhost").searchParams;
    const what = query.has("watch") ? "watch" : `page ${query.get("continue") ?? "1"}`;
    asked.push(what);
    response.flushHeaders();
    if (what === "watch") return isWatched.resolve();
    const more = what === "page 1" ? { continue: "2" } : {};
    response.end(JSON.stringify({ metadata: { resourceVersion: "1", ...more }, items: [] }));
  }).listen(0, "127.0.0.1");
  let made = 0;
  server.on("connection", () => {
    made++;
  });
  await once(server, "listening");
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  const credentials = { server: `http://127.0.0.1:${address.port}`, headers: {}, tls: {}, fingerprint: "1" };
  const transport = createTransport(() => Promise.resolve(credentials));
  const [client, watch, store] = [
    createClient(transport, { purpose: "watch" }),
    createWatch(transport),
    createIndexedStore<Pod>(),
  ];
  const stop = new AbortController();
  const reflector = createReflector({ client, watch, store, resource: PODS, isLean: true, onFailure: assert.ifError });
  const running = reflector.run(stop.signal);
  await isWatched.promise;
  stop.abort();
  await running;
  await transport.close();
  server.close();
  assert.deepEqual([asked, made], [["page 1", "page 2", "watch"], 1]);
});
