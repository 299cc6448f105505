/** Requests of a revision that has no pod: the other one answers them, where clients' requests go there anyway. */
import assert from "node:assert/strict";
import { createServer, request } from "node:http";
import { after, describe, it } from "node:test";
import { TIMES } from "../transport/http/times.ts";
import { createKeptBytes } from "./kept-bytes.ts";
import { createModelRouter } from "./model-router.ts";

const open: { close(): unknown }[] = [];
after(() => {
  for (const one of open) one.close();
});

const backend = async (status = 200): Promise<number> => {
  const server = createServer((message, response) =>
    message.resume().on("end", () => response.writeHead(status).end("x")),
  );
  open.push({ close: () => server.close(() => undefined) && server.closeAllConnections() });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
};

const pod = (name: string, port: number, isReady = true) => ({
  ...{ name, host: "127.0.0.1", httpPort: port, grpcPort: 1, isReady, isTerminating: false },
});

/** Chance sends each request to stable. */
const start = async (weight: number, maxWaitMs = 60_000) => {
  const settings = { maxRequests: 10, maxWaitMs, requestTimeoutMs: 60_000, tolerances: new Map() };
  const router = createModelRouter(
    "digits",
    settings,
    {
      ...{ kept: createKeptBytes(2 ** 20), times: TIMES, cap: 4, maxHeldBytes: 2 ** 20, maxConnectionAgeMs: 300_000 },
      ...{ maxConnections: 100, now: () => performance.now(), random: () => 0.999, closing: () => false },
      report: (error) => assert.fail(String(error)),
    },
    () => undefined,
  );
  const port = await router.listener.listen(0, "127.0.0.1");
  open.push(router.listener);
  router.offer({
    epoch: 1,
    routes: [
      { revision: "a", role: "stable", weight: 100 - weight },
      { revision: "b", role: "canary", weight },
    ],
  });
  return { router, port };
};

const ask = (port: number, headers = {}): Promise<{ status: number; revision: unknown }> =>
  new Promise((resolve, reject) => {
    const sent = request({ port, host: "127.0.0.1", method: "POST", agent: false, headers }, (reply) => {
      const { "x-berth-revision": revision } = reply.headers;
      reply.resume().on("end", () => resolve({ status: reply.statusCode ?? 0, revision }));
    });
    sent.on("error", reject).end("hello");
  });

describe("a stable revision without a pod that is ready", () => {
  it("is helped out by a canary, at once, and the missing answer is stable's", async () => {
    const { port, router } = await start(20);
    router.fleet.setPods("a", [pod("a1", 1, false)]);
    router.fleet.setPods("b", [pod("b1", await backend())]);
    assert.deepEqual(await ask(port), { status: 200, revision: "b" });
    const { counters, evidence } = router.fleet.arm("a");
    assert.deepEqual([evidence.requests, evidence.errors, counters.replayed, counters.held], [1, 1, 1, 0]);
    assert.equal(router.fleet.arm("b").pods[0]?.evidence.requests, 0, "chance did not choose it");
  });

  it("is helped out as soon as a pod of the canary is ready, also for requests that wait already", async () => {
    const { port, router } = await start(20);
    router.fleet.setPods("a", []);
    router.fleet.setPods("b", []);
    const waiting = ask(port);
    while (router.fleet.arm("a").room.size() === 0) await new Promise(setImmediate);
    router.fleet.setPods("b", [pod("b1", await backend())]);
    assert.deepEqual(await waiting, { status: 200, revision: "b" });
  });

  it("is not helped out by a revision that no client is sent to, nor for a tester", async () => {
    const server = await backend();
    for (const [weight, headers] of [
      [0, {}],
      [20, { "x-berth-revision": "a" }],
    ] as const) {
      const { port, router } = await start(weight, 1);
      router.fleet.setPods("a", []);
      router.fleet.setPods("b", [pod("b1", server)]);
      assert.equal((await ask(port, headers)).status, 503);
    }
  });

  it("owns what is refused after a wait", async () => {
    const { port, router } = await start(20, 1);
    router.fleet.setPods("a", []);
    router.fleet.setPods("b", []);
    assert.equal((await ask(port)).status, 503);
    const { counters, evidence } = router.fleet.arm("a");
    assert.deepEqual([evidence.requests, evidence.errors, counters.refused], [1, 1, 1]);
  });

  it("does not send a request round in circles where the canary cannot be reached", async () => {
    const { port, router } = await start(20, 1);
    router.fleet.setPods("a", []);
    router.fleet.setPods("b", [pod("b1", 1)]);
    assert.equal((await ask(port)).status, 503);
  });
});
