import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import { describe, it } from "node:test";
import { KubeError } from "./errors.ts";
import type { ConfigMap } from "./objects.ts";
import type { After } from "./raw-client.ts";
import { CONFIG_MAPS } from "./resources.ts";
import { createTransport } from "./transport.ts";
import { createWatch, type WatchEvent } from "./watch.ts";

const IDLE_MS = 75_000;
const bookmark = `${JSON.stringify({ type: "BOOKMARK", object: { metadata: { resourceVersion: "7" } } })}\n`;

/** Timers that the test lets run out: `set` resolves once one of that length waits. */
const handTimers = () => {
  const waiting = new Map<number, () => void>();
  let onSet = (): void => undefined;
  const after: After = (ms, run) => {
    waiting.set(ms, run);
    onSet();
    return { cancel: () => waiting.delete(ms) };
  };
  const set = async (ms: number): Promise<void> => {
    while (!waiting.has(ms)) {
      await new Promise<void>((resolve) => {
        onSet = resolve;
      });
    }
  };
  return { after, set, runOut: (ms: number) => waiting.get(ms)?.() };
};

type Watched = { next(): Promise<IteratorResult<WatchEvent<ConfigMap>>>; timers: ReturnType<typeof handTimers> };

const withWatch = async (respond: (response: ServerResponse) => void, use: (watched: Watched) => Promise<void>) => {
  const server = createServer((_, response) => respond(response)).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  const credentials = { server: `http://127.0.0.1:${address.port}`, headers: {}, tls: {}, fingerprint: "1" };
  const transport = createTransport(async () => credentials);
  const timers = handTimers();
  const watch = createWatch(transport, timers.after);
  const events = watch(CONFIG_MAPS, { resourceVersion: "1" }, new AbortController().signal)[Symbol.asyncIterator]();
  try {
    await use({ next: () => events.next(), timers });
  } finally {
    await transport.close();
    server.close();
    server.closeAllConnections();
  }
};

const timedOut = (error: unknown): boolean => error instanceof KubeError && error.reason === "Timeout";

describe("a watch that is silent for longer than the server's bookmarks are apart", () => {
  it("has failed, where bookmarks came", async () => {
    const respond = (response: ServerResponse) => void response.writeHead(200).write(bookmark);
    await withWatch(respond, async ({ next, timers }) => {
      assert.deepEqual((await next()).value, { type: "BOOKMARK", resourceVersion: "7" });
      const ended = next();
      timers.runOut(IDLE_MS);
      await assert.rejects(ended, timedOut);
    });
  });

  it("has ended in good order, where the server may have none to send", async () => {
    await withWatch(
      (response) => response.writeHead(200).flushHeaders(),
      async ({ next, timers }) => {
        const ended = next();
        await timers.set(IDLE_MS);
        timers.runOut(IDLE_MS);
        assert.equal((await ended).done, true);
      },
    );
  });

  it("has failed, where the server does not answer at all", async () => {
    await withWatch(
      () => undefined,
      async ({ next, timers }) => {
        const ended = next();
        await timers.set(30_000);
        timers.runOut(30_000);
        await assert.rejects(ended, timedOut);
      },
    );
  });
});
