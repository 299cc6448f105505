/** A router for tests: one revision, whose pods are whatever is given. */
import { createServer, type Socket } from "node:net";
import { createKeptBytes } from "../../runtime/router/kept-bytes.ts";
import { createModelRouter, type ModelRouter, type RouterOptions } from "../../runtime/router/model-router.ts";
import { TIMES } from "../../runtime/transport/http/times.ts";
import { PATIENCE_MS } from "./patience.ts";

export const REVISION = "digits-a";
const SETTINGS = { maxRequests: 1000, maxWaitMs: PATIENCE_MS, requestTimeoutMs: PATIENCE_MS, tolerances: new Map() };

export type Example = { router: ModelRouter; port: number; close(): void };

/**
 * @param podPorts of HTTP and gRPC; without any, requests are held
 * @param host what it listens on, and where its pods are
 */
export const startRouter = async (
  podPorts: readonly { http: number; grpc: number }[],
  options: Partial<RouterOptions> = {},
  host: { listens: string; pods: string } = { listens: "127.0.0.1", pods: "127.0.0.1" },
): Promise<Example> => {
  const router = createModelRouter(
    "digits",
    SETTINGS,
    {
      kept: createKeptBytes(64 * 1024 ** 2),
      times: { ...TIMES, sweepMs: 50 },
      ...{ cap: 256, maxHeldBytes: 2 ** 26, maxConnectionAgeMs: 300_000, maxConnections: 4096 },
      now: () => performance.now(),
      random: () => 0,
      closing: () => false,
      report: (error) => {
        throw error;
      },
      ...options,
    },
    () => undefined,
  );
  const port = await router.listener.listen(0, host.listens);
  router.offer({ epoch: 1, routes: [{ revision: REVISION, role: "stable", weight: 100 }] });
  router.fleet.setPods(
    REVISION,
    podPorts.map(({ grpc, http }, i) => ({
      ...{ name: `a${i}`, host: host.pods, httpPort: http, grpcPort: grpc, isReady: true, isTerminating: false },
    })),
  );
  return {
    router,
    port,
    close: () => {
      router.listener.close();
      router.fleet.setPods(REVISION, []);
    },
  };
};

export type RawPod = { port: number; heads: string[]; close(): void };

/** Answers each request's header with `answer`, whatever its body is, and remembers the headers as they came. */
export const startRawPod = async (answer: (head: string) => string): Promise<RawPod> => {
  const heads: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    let text = "";
    socket.on("error", () => undefined);
    socket.on("data", (piece: Buffer) => {
      text += piece.toString("latin1");
      for (let end = text.indexOf("\r\n\r\n"); end >= 0; end = text.indexOf("\r\n\r\n")) {
        const head = text.slice(0, end);
        const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
        if (text.length < end + 4 + length) return;
        text = text.slice(end + 4 + length);
        heads.push(head);
        socket.write(answer(head), "latin1");
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : 0,
    heads,
    close: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
};
