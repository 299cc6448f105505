import assert from "node:assert/strict";
import { test } from "node:test";
import type { SchedulerSnapshot } from "../../../runtime/inference/batching/index.ts";
import { createAdminServer } from "../../../runtime/telemetry/admin.ts";
import { askServerBatching } from "./server-batching.ts";

test("a server's own words on its batching, in one line that a condition has room for", async (t) => {
  const batching: SchedulerSnapshot["batching"] = {
    ...{ state: "ended", reason: `y\nwas 1${"!".repeat(1000)}`, dimension: undefined, size: 1 },
  };
  const server = createAdminServer({
    stuck: () => undefined,
    notReady: () => undefined,
    status: () => Promise.resolve({ batching }),
    metrics: () => Promise.resolve(""),
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  t.after(() => server.close());
  const address = server.address();
  const port = typeof address === "object" ? address?.port : undefined;
  const told = await askServerBatching("127.0.0.1", port);
  assert.equal(told?.state, "ended");
  assert.match(told?.reason ?? "", /^y was 1!{390,393}$/);
  server.closeAllConnections();
});

test("who does not answer has said nothing", async () => {
  assert.equal(await askServerBatching("127.0.0.1", 1), undefined);
});
