/** A router in a process of its own, in front of the pods that it is told of. Argument: JSON of `Setup`; prints its ports as JSON. */
import { createServer } from "node:http";
import { createKeptBytes } from "../../../runtime/router/kept-bytes.ts";
import { createModelRouter } from "../../../runtime/router/model-router.ts";
import { TIMES } from "../../../runtime/transport/http/times.ts";

export type Setup = {
  pods: readonly { http: number; grpc: number }[];
  requestTimeoutMs?: number;
  streamIdleMs?: number;
  maxWaitMs?: number;
  maxRequests?: number;
  cap?: number;
  maxStreams?: number;
  keptBytes?: number;
};

/** What it says of itself. */
export type Told = {
  outstanding: number;
  streams: number;
  waiting: number;
  outcomes: Record<string, number>;
  transport: Record<string, number>;
  evidence: { requests: number; errors: number };
  keptBytes: number;
  rssBytes: number;
  connections: number;
};

const setup: Setup = JSON.parse(process.argv[2] ?? "{}");
const { cap = 256, keptBytes = 128 * 1024 ** 2, pods } = setup;
const kept = createKeptBytes(keptBytes);
const now = (): number => performance.now();
const router = createModelRouter(
  "digits",
  {
    ...{ maxRequests: setup.maxRequests ?? 1000, maxWaitMs: setup.maxWaitMs ?? 60_000, tolerances: new Map() },
    ...{ requestTimeoutMs: setup.requestTimeoutMs ?? 30_000, streamIdleMs: setup.streamIdleMs ?? 300_000 },
  },
  {
    ...{ kept, times: TIMES, cap, maxStreams: setup.maxStreams ?? cap, maxHeldBytes: keptBytes, now },
    ...{ maxConnectionAgeMs: 300_000, maxConnections: 4096, random: Math.random, closing: () => false },
    report: (error) => console.error(error),
  },
  () => undefined,
);
router.offer({ epoch: 1, routes: [{ revision: "digits-a", role: "stable", weight: 100, shadow: 0 }] });
router.fleet.setPods(
  "digits-a",
  pods.map(({ grpc, http }, i) => ({
    ...{ name: `a${i}`, host: "127.0.0.1", httpPort: http, grpcPort: grpc, isReady: true, isTerminating: false },
  })),
);
setInterval(() => router.sweep(now()), 1000);

const told = (): Told => {
  const { counters, evidence, pods: live, room } = router.fleet.arm("digits-a");
  const all = [evidence, ...live.map((pod) => pod.evidence)];
  return {
    outstanding: live.reduce((sum, { outstanding }) => sum + outstanding, 0),
    streams: live.reduce((sum, { streams }) => sum + streams, 0),
    waiting: room.size(),
    outcomes: counters.outcomes,
    transport: counters.transport,
    evidence: {
      requests: all.reduce((sum, { requests }) => sum + requests, 0),
      errors: all.reduce((sum, { errors }) => sum + errors, 0),
    },
    keptBytes: kept.used(),
    rssBytes: process.memoryUsage.rss(),
    connections: router.listener.connections(),
  };
};
const admin = createServer((_, response) => response.end(JSON.stringify(told())));
const port = await router.listener.listen(0, "127.0.0.1");
admin.listen(0, "127.0.0.1", () => {
  const address = admin.address();
  console.log(JSON.stringify({ port, adminPort: typeof address === "object" ? address?.port : 0 }));
});
process.stdin.on("end", () => process.exit(0)).resume();
