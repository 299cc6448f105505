import assert from "node:assert/strict";
import { createServer, request as httpRequest } from "node:http";
import { after, describe, it } from "node:test";
import { handTimers } from "../../test/world/hand-timers.ts";
import { until } from "../../test/world/patience.ts";
import { after as afterMs } from "../event-loop/after.ts";
import { TIMES } from "../transport/http/times.ts";
import { createKeptBytes } from "./kept-bytes.ts";
import { createNamespaceRouter, type NamespaceRouter } from "./namespace-router.ts";
import { CROWD_MS, createSignals, type Signals, type SignalsLine } from "./signals.ts";
import type { Wanted } from "./watch/model-deployments.ts";

const ends: (() => void)[] = [];
after(() => {
  for (const end of ends) end();
});

/** A router of one ModelDeployment without a pod, and whoever listens to its signals. */
const start = async (settings: Partial<Wanted["settings"]> = {}, after = afterMs) => {
  const router: NamespaceRouter = createNamespaceRouter({
    ...{ host: "127.0.0.1", now: () => performance.now(), random: () => 0, times: TIMES },
    log: { info: () => undefined, warn: (message) => assert.fail(message) },
    ...{
      kept: createKeptBytes(1024 ** 2),
      maxHeldBytes: 1024 ** 2,
      cap: 8,
      maxConnectionAgeMs: 300_000,
      maxConnections: 10,
    },
    closing: () => false,
    report: (error) => assert.fail(String(error)),
    waits: (model, arm) => signals.waits(model, arm),
  });
  const signals: Signals = createSignals(router, "2026-01-01T00:00:00Z", after);
  const admin = createServer((_, response) => signals.stream(response));
  await new Promise<void>((resolve) => admin.listen(0, "127.0.0.1", resolve));
  const free = createServer();
  await new Promise<void>((resolve) => free.listen(0, "127.0.0.1", resolve));
  const port = portOf(free);
  await new Promise<void>((resolve) => free.close(() => resolve()));
  router.setSlices(new Map(), new Set());
  const wanted: Wanted = {
    settings: {
      maxRequests: 10,
      maxWaitMs: 400,
      requestTimeoutMs: 1000,
      tolerances: new Map(),
      wakes: true,
      ...settings,
    },
    table: { epoch: 1, routes: [{ revision: "digits-1", role: "stable", weight: 100 }] },
    port,
  };
  router.setModels(new Map([["digits", wanted]]), new Set(["digits"]));
  await until("a port", () => router.served().get("digits")?.router.listener.port() !== undefined);
  ends.push(() => {
    signals.close();
    router.close();
    admin.close();
    admin.closeAllConnections();
  });
  const waiting = (): number => router.served().get("digits")?.router.fleet.arm("digits-1").room.size() ?? 0;
  return { port, admin: portOf(admin), waiting };
};

const portOf = (server: ReturnType<typeof createServer>): number => {
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
};

const ask = (
  port: number,
  path: string,
  method = "GET",
): Promise<{ status: number; retryAfter: string | undefined; body: string }> =>
  new Promise((resolve, reject) => {
    const sent = httpRequest({ port, host: "127.0.0.1", path, method, agent: false }, (reply) => {
      let body = "";
      reply.setEncoding("utf8").on("data", (text: string) => {
        body += text;
      });
      reply.on("end", () => resolve({ status: reply.statusCode ?? 0, retryAfter: reply.headers["retry-after"], body }));
    });
    sent.on("error", reject).end();
  });

/** Lines as they come. */
const listen = async (port: number): Promise<{ next: () => Promise<SignalsLine> }> => {
  const lines: SignalsLine[] = [];
  const waiting: ((line: SignalsLine) => void)[] = [];
  const sent = httpRequest({ port, host: "127.0.0.1", path: "/signals", agent: false }, (reply) => {
    let rest = "";
    reply.setEncoding("utf8").on("data", (text: string) => {
      const parts = (rest + text).split("\n");
      rest = parts.pop() ?? "";
      for (const part of parts) {
        const line: SignalsLine = JSON.parse(part);
        const reader = waiting.shift();
        if (reader === undefined) lines.push(line);
        else reader(line);
      }
    });
    reply.on("error", () => undefined);
  });
  sent.on("error", () => undefined).end();
  return {
    next: () => {
      const line = lines.shift();
      return line === undefined ? new Promise((resolve) => waiting.push(resolve)) : Promise.resolve(line);
    },
  };
};

describe("a ModelDeployment without a pod", () => {
  it("answers probes as ready, holds none of them, and wakes for none", async () => {
    const { admin, port } = await start();
    const heard = await listen(admin);
    await heard.next();
    assert.deepEqual(await ask(port, "/v2/health/ready"), {
      status: 200,
      retryAfter: undefined,
      body: '{"ready":true}',
    });
    assert.equal((await ask(port, "/v2/models/digits/ready")).status, 200);
    const held = ask(port, "/v2/models/digits/infer", "POST");
    const line = await heard.next();
    // the probes before it were not counted
    assert.deepEqual([line.models.digits?.["digits-1"]?.arrived, line.models.digits?.["digits-1"]?.waiting], [1, 1]);
    await held;
  });

  it("tells that a request waits in that moment, and again when more of a crowd has come", async () => {
    const timers = handTimers();
    const { admin, port, waiting } = await start({ maxWaitMs: 2000 }, timers.after);
    const heard = await listen(admin);
    await heard.next();
    const infer = () => ask(port, "/v2/models/digits/infer", "POST");
    const held = [infer()];
    assert.equal((await heard.next()).models.digits?.["digits-1"]?.waiting, 1);
    held.push(infer(), infer());
    await until("three that wait", () => waiting() === 3, waiting);
    timers.ring(CROWD_MS);
    assert.equal((await heard.next()).models.digits?.["digits-1"]?.waiting, 3);
    await Promise.all(held);
  });

  it("says why there is none in time, where that is known", async () => {
    const { port } = await start({ shortage: "1 more nvidia.com/gpu needed (0 free on matching nodes)" });
    const answer = await ask(port, "/v2/models/digits/infer", "POST");
    assert.deepEqual([answer.status, answer.retryAfter], [503, "1"]);
    assert.match(answer.body, /no pod of digits-1 was free or ready in time \(1 more nvidia\.com\/gpu needed/);
  });

  it("refuses probes where it should have pods", async () => {
    const { port } = await start({ wakes: false });
    assert.equal((await ask(port, "/v2/health/ready")).status, 503);
  });
});
