/** Requests that cannot be sent, pods that die of one, and pods that are gone, in front of real sockets. */
import assert from "node:assert/strict";
import { createServer, request } from "node:http";
import * as http2 from "node:http2";
import { createServer as createTcpServer } from "node:net";
import { after, describe, it } from "node:test";
import { PATIENCE_MS, until } from "../../test/world/patience.ts";
import { callFields, rawHttp2 } from "../../test/world/raw-http2.ts";
import { TIMES } from "../transport/http/times.ts";
import { createKeptBytes } from "./kept-bytes.ts";
import { createModelRouter, type ModelRouter } from "./model-router.ts";

const ends: (() => void)[] = [];
after(() => {
  for (const end of ends) end();
});

const portOf = (server: { address(): unknown }): number => {
  const address = server.address();
  assert.ok(typeof address === "object" && address !== null && "port" in address && typeof address.port === "number");
  return address.port;
};
const listening = async <
  T extends { listen(port: number, host: string, done: () => void): unknown; close(): unknown; address(): unknown },
>(
  server: T,
): Promise<number> => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  ends.push(() => server.close());
  return portOf(server);
};

const routed = async (
  pods: readonly { http?: number; grpc?: number }[],
  requestTimeoutMs = PATIENCE_MS,
): Promise<{ port: number; router: ModelRouter }> => {
  const router = createModelRouter(
    "digits",
    { maxRequests: 100, maxWaitMs: PATIENCE_MS, requestTimeoutMs, tolerances: new Map() },
    {
      ...{ kept: createKeptBytes(2 ** 26), times: TIMES, cap: 256, maxHeldBytes: 2 ** 26, maxConnectionAgeMs: 300_000 },
      ...{ maxConnections: 100, now: () => performance.now(), random: Math.random, closing: () => false },
      report: (error) => assert.fail(String(error)),
    },
    () => undefined,
  );
  router.offer({ epoch: 1, routes: [{ revision: "digits-a", role: "stable", weight: 100 }] });
  router.fleet.setPods(
    "digits-a",
    pods.map(({ grpc = 1, http = 1 }, i) => ({
      ...{ name: `a${i}`, host: "127.0.0.1", httpPort: http, grpcPort: grpc, isReady: true, isTerminating: false },
    })),
  );
  const port = await router.listener.listen(0, "127.0.0.1");
  ends.push(() => {
    router.listener.close();
    router.fleet.setPods("digits-a", []);
  });
  return { port, router };
};

const post = (port: number, path: string, body: Uint8Array): Promise<number> =>
  new Promise((resolve, reject) => {
    const sent = request({ port, host: "127.0.0.1", path, method: "POST", agent: false }, (answer) => {
      answer.resume().on("end", () => resolve(answer.statusCode ?? 0));
    });
    sent.on("error", reject).end(body);
  });

describe("calls that node:http2 refuses to send", () => {
  const EXTRA = [
    ["http2-settings", "x"],
    ["user-agent", "twice"],
    ["grpc-timeout", "9S"],
  ] as const;
  for (const count of [1, 2, 3])
    it(`are their client's fault, count for nothing, and leave the loop to others: ${count} pods`, async () => {
      let calls = 0;
      const sessions = new Set<http2.ServerHttp2Session>();
      const server = http2.createServer().on("stream", (stream) => {
        calls++;
        stream.respond({ ":status": 200, "grpc-status": "0" }, { endStream: true });
      });
      server.on("session", (session) => sessions.add(session));
      ends.push(() => {
        for (const session of sessions) session.destroy();
      });
      const grpc = await listening(server);
      const { port, router } = await routed(Array.from({ length: count }, () => ({ grpc })));
      const client = await rawHttp2(port);
      ends.push(() => client.socket.destroy());
      const streams = Array.from({ length: 30 }, (_, i) => {
        const extra = EXTRA[i % EXTRA.length] ?? EXTRA[0];
        return client.open(callFields("/a/b", ["user-agent", "one"], ["grpc-timeout", "8S"], extra), true);
      });
      let turns = 0;
      const turning = setInterval(() => turns++, 1);
      await until("answers to all", () => streams.every(client.isOver));
      await until("turns of the loop", () => turns > 3);
      clearInterval(turning);
      for (const stream of streams) assert.match(client.textOf(stream), /grpc-status[^a-z]*3|:status[^a-z]*400/);
      assert.deepEqual([calls, sessions.size], [0, 0]);
      const { counters, evidence, pods, room } = router.fleet.arm("digits-a");
      assert.deepEqual([evidence.requests, ...pods.map((pod) => pod.evidence.requests)], Array(count + 1).fill(0));
      assert.deepEqual([room.size(), counters.held], [0, 0]);
      const good = client.open(callFields("/a/b"), true);
      await until("an answer", () => client.isOver(good));
      assert.equal(calls, 1);
    });
});

describe("a request that its pod dies of", () => {
  it("kills one pod, not one after the other, also over a connection that was used before", async () => {
    const seen: string[] = [];
    const pods = await Promise.all(
      [1, 2, 3].map(async (pod) => {
        const server = createTcpServer((socket) => {
          socket
            .on("error", () => undefined)
            .on("data", (bytes) => {
              if (!bytes.toString("latin1").includes("/poison"))
                socket.write("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
              else {
                seen.push(`pod ${pod}`);
                socket.destroy();
              }
            });
        });
        return { http: await listening(server) };
      }),
    );
    const { port, router } = await routed(pods);
    // each has a connection that is kept
    await Promise.all(Array.from({ length: 30 }, () => post(port, "/ok", Buffer.from("x"))));
    assert.equal(await post(port, "/poison", Buffer.from("x")), 502);
    assert.equal(seen.length, 1, String(seen));
    const { pods: live } = router.fleet.arm("digits-a");
    assert.equal(
      live.reduce((sum, { evidence }) => sum + evidence.errors, 0),
      1,
    );
  });
});

describe("a pod that refuses connections", () => {
  it("costs no request its answer, however large it is, while another one takes them", async () => {
    const server = createServer((message, response) => {
      let bytes = 0;
      message.on("data", (piece: Buffer) => {
        bytes += piece.length;
      });
      message.on("end", () => response.writeHead(bytes === 2 ** 21 ? 200 : 500).end());
    });
    ends.push(() => server.closeAllConnections());
    const http = await listening(server);
    for (let i = 0; i < 12; i++) {
      // nobody knows of it yet
      const { port } = await routed([{ http: 1 }, { http }]);
      assert.equal(await post(port, "/", Buffer.alloc(2 ** 21)), 200);
    }
  });
});
