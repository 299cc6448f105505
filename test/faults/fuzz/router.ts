/** A router with the limit of its pod, in front of half-dead pods for made-up clients and of a good one for the bystander. */
import { createServer } from "node:http";
import { createServer as createHttp2Server, type ServerHttp2Session } from "node:http2";
import { until } from "../../world/patience.ts";
import { startRouterProcess } from "../router/process.ts";
import { framed } from "../server/http2.ts";
import { limitMemory } from "../server/limited.ts";
import { MIB, residentBytes } from "../server/memory.ts";
import type { Asks } from "./bystander.ts";
import { type Answer, startMadeUpPod } from "./made-up-pods.ts";
import { handlesOf, type Target } from "./target.ts";

const asks: Asks = {
  path: "/echo",
  http: (number) => {
    const body = Buffer.from(`${number}`.repeat(20));
    return { body, isRight: (answer) => answer.equals(body) };
  },
  method: "/inference.GRPCInferenceService/ModelInfer",
  grpc: (number) => {
    const message = Buffer.from(`${number}`.repeat(20));
    return { message, isRight: (answer) => answer.equals(framed(message)) };
  },
};

/** Gives each request's body back. */
const startEcho = async (t: { after(end: () => Promise<void>): void }): Promise<{ http: number; grpc: number }> => {
  const http = createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on("data", (piece: Buffer) => pieces.push(piece)).on("end", () => response.end(Buffer.concat(pieces)));
  });
  const grpc = createHttp2Server();
  const sessions = new Set<ServerHttp2Session>();
  grpc.on("session", (session) => {
    sessions.add(session);
    session.on("error", () => undefined).once("close", () => sessions.delete(session));
  });
  grpc.on("stream", (stream) => {
    const pieces: Buffer[] = [];
    stream.on("error", () => undefined).on("data", (piece: Buffer) => pieces.push(piece));
    stream.on("end", () => {
      stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
      stream.end(Buffer.concat(pieces));
    });
  });
  const listen = async (server: typeof http | typeof grpc): Promise<number> => {
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  };
  t.after(async () => {
    http.close();
    http.closeAllConnections();
    grpc.close();
    for (const session of sessions) session.destroy();
  });
  return { http: await listen(http), grpc: await listen(grpc) };
};

const HARMED = "harmed";
const WELL = "well";
/** Half-dead pods are others every so many cases: one that has failed for long gets no more requests. */
const CASES_OF_A_POD = 10;
const GONE = 1;

export const startRouterTarget = async (t: { after(end: () => Promise<void>): void }): Promise<Target> => {
  const limited = limitMemory(768 * MIB);
  console.log(`the limit of 768 MiB is kept by ${limited.how}`);
  const hurried = {
    server: { requestTimeout: "300ms" },
    traffic: { queue: { maxRequests: 50, maxWait: "300ms" }, streamIdleTimeout: "500ms" },
  };
  const { group, limits } = limited;
  const router = await startRouterProcess(t, { [HARMED]: hurried, [WELL]: {} }, { group, limits });
  // after the router has been ended
  t.after(limited.remove);
  let answers: readonly Answer[] = [];
  let asked = 0;
  const next = (): Answer => answers[asked++ % answers.length] ?? { http: Buffer.alloc(0), grpc: [], after: "keeps" };
  const pods = [await startMadeUpPod(next), await startMadeUpPod(next)];
  t.after(async () => {
    for (const { stop } of pods) stop();
  });
  router.setPods(WELL, [{ name: "well", ...(await startEcho(t)) }]);
  const pid = router.process.pid ?? 0;
  await until("the pod is known", async () => (await router.status(WELL)).pods.length === 1);
  return {
    ports: { http: router.port(HARMED), grpc: router.port(HARMED) },
    bystander: { http: router.port(WELL), grpc: router.port(WELL) },
    asks,
    begin(number, made) {
      answers = made;
      asked = 0;
      if (number % CASES_OF_A_POD === 0)
        router.setPods(
          HARMED,
          [...pods, { http: GONE, grpc: GONE }].map(({ grpc, http }, i) => ({ name: `${i}-${number}`, http, grpc })),
        );
    },
    ended() {
      const { exitCode, signalCode } = router.process;
      if (exitCode !== null || signalCode !== null)
        return `the router ended with ${exitCode ?? signalCode}\n${router.stderr()}`;
      if (limited.killed() ?? 0) return "the kernel has ended the router for want of memory";
      return undefined;
    },
    async busy() {
      const { connections, outstanding, waiting } = await router.status(HARMED);
      const streams = /^berth_router_open_streams\{model="harmed"[^}]*\} (\S+)/m.exec(await router.metrics())?.[1];
      return { connections, outstanding, waiting, streams: Number(streams ?? Number.NaN) };
    },
    handles: () => handlesOf([pid]),
    memory: () => limited.used() ?? residentBytes(pid),
  };
};
