import { Agent, request } from "node:http";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { Client, credentials, status } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { z } from "zod";
import { identityModel } from "../runtime/models.ts";
import { startServer } from "../runtime/server.ts";
import { taken } from "./processes.ts";
import { type Bound, growth } from "./trend.ts";

const SAMPLE_MS = 2000;
const MIB = 1024 ** 2;
const BOUNDS: Bound[] = [
  { what: "memory of the process tree", unit: "MiB", relative: 0.05, absolute: 8 },
  { what: "open handles", unit: "", relative: 0, absolute: 8 },
  { what: "delay of a health answer", unit: "ms", relative: 0.5, absolute: 5 },
];

/** Bodies that are right and wrong, small and large, JSON, binary and compressed. */
const tensor = (rows: number, data: string): string =>
  `{"inputs":[{"name":"x","shape":[${rows},64],"datatype":"FP32","data":${data}}]}`;
const rows = (count: number): string =>
  tensor(count, JSON.stringify(Array.from({ length: count * 64 }, (_, i) => i / 7)));
const binary = (count: number): [Uint8Array, Record<string, string>] => {
  const bytes = count * 64 * 4;
  const json = `{"inputs":[{"name":"x","shape":[${count},64],"datatype":"FP32","parameters":{"binary_data_size":${bytes}}}],"parameters":{"binary_data_output":true}}`;
  return [
    Buffer.concat([Buffer.from(json), Buffer.alloc(bytes)]),
    { "inference-header-content-length": String(json.length) },
  ];
};
const INFER = "/v2/models/m/infer";
const PREDICT = "/v1/models/m:predict";
const instances = (count: number): string =>
  JSON.stringify({ instances: new Array(count).fill(new Array(64).fill(0.5)) });

type Sent = { path: string; body: Uint8Array | string; headers: Record<string, string>; expected: number };
const sent = (
  path: string,
  expected: number,
  body: Uint8Array | string,
  headers: Record<string, string> = {},
): Sent => ({
  ...{ path, body, headers, expected },
});
const REQUESTS: readonly Sent[] = [
  sent(INFER, 200, rows(1)),
  sent(INFER, 200, rows(1)),
  sent(INFER, 200, rows(7), { "accept-encoding": "gzip" }),
  sent(INFER, 200, rows(200)),
  sent(INFER, 200, gzipSync(rows(20)), { "content-encoding": "gzip" }),
  sent(INFER, 200, ...binary(1)),
  sent(INFER, 200, ...binary(500)),
  sent(PREDICT, 200, instances(1)),
  sent(PREDICT, 200, instances(50)),
  sent(PREDICT, 400, '{"instances":[[1]]}'),
  sent(INFER, 400, tensor(2, "[1,2,3]")),
  sent(INFER, 400, "{"),
  sent(INFER, 400, "[".repeat(10_000)),
];

const GRPC_DEADLINE_MS = 20_000;
const ANY_MESSAGE = z.custom<{ path: string; requestSerialize: (message: object) => Buffer }>(
  (value) => typeof value === "object" && value !== null && "requestSerialize" in value,
);
const modelInfer = () => {
  const proto = new URL("../../runtime/protocols/open-inference/grpc/inference.proto", import.meta.url);
  const definition = loadSync(fileURLToPath(proto), { keepCase: true });
  return z.looseObject({ ModelInfer: ANY_MESSAGE }).parse(definition["inference.GRPCInferenceService"]).ModelInfer;
};
/** One right, one whose tensor is too short: the gRPC status of each. */
const messages = (serialize: (message: object) => Buffer): readonly [Buffer, number][] =>
  [256, 255].map((bytes) => [
    serialize({
      model_name: "m",
      inputs: [{ name: "x", datatype: "FP32", shape: [1, 64] }],
      raw_input_contents: [Buffer.alloc(bytes)],
    }),
    bytes === 256 ? status.OK : status.INVALID_ARGUMENT,
  ]);

/** Runs for `durationMs`; returns what grew or failed, one line each. */
export const soakServer = async (durationMs: number, report: (line: string) => void): Promise<string[]> => {
  const ends: (() => Promise<void>)[] = [];
  const server = startServer(
    { after: (end) => void ends.push(end) },
    identityModel({ x: { type: "FP32", shape: ["batch", 64] } }),
    ["--shards", "2", "--max-connection-age", "20s"],
  );
  const problems: string[] = [];
  try {
    await server.ready;
    const pid = server.process.pid ?? 0;
    const until = performance.now() + durationMs;
    const going = (): boolean => performance.now() < until && problems.length < 20;
    let answered = 0;

    const client = async (keepAlive: boolean, offset: number): Promise<void> => {
      const agent = new Agent({ keepAlive, maxSockets: 1 });
      for (let i = offset; going(); i++) {
        const { path, body, headers, expected } = REQUESTS[i % REQUESTS.length] ?? sent("/", 404, "");
        const got = await send(server.url(path), agent, body, headers).catch(String);
        if (got !== expected) problems.push(`${path} answered ${got}, not ${expected}: ${body.slice(0, 80)}`);
        answered++;
      }
      agent.destroy();
    };
    const grpcClient = async (): Promise<void> => {
      const { path, requestSerialize } = modelInfer();
      const all = messages(requestSerialize);
      const grpc = new Client(server.grpc(), credentials.createInsecure());
      for (let i = 0; going(); i++) {
        const [message, expected] = all[i % 10 === 0 ? 1 : 0] ?? [Buffer.alloc(0), -1];
        const got = await call(grpc, path, message);
        if (got !== expected) problems.push(`a gRPC call ended with ${got}, not ${expected}`);
        answered++;
      }
      grpc.close();
    };
    /** Connects, sends half a request, and goes: what it leaves behind must go too. */
    const vanisher = async (): Promise<void> => {
      while (going()) {
        const socket = connect(server.httpPort(), "127.0.0.1");
        socket.on("error", () => undefined);
        await new Promise((resolve) => socket.once("connect", resolve).once("error", resolve));
        socket.write("POST /v2/models/m/infer HTTP/1.1\r\nhost: m\r\ncontent-length: 5000\r\n\r\n{");
        await sleep(20);
        socket.destroy();
      }
    };
    const samples: number[][] = [[], [], []];
    const sampler = async (): Promise<void> => {
      while (going()) {
        await sleep(SAMPLE_MS);
        const asked = performance.now();
        await (await fetch(server.url("/v2/health/live"))).text();
        const delay = performance.now() - asked;
        const { memoryBytes, handles } = taken(pid);
        for (const [i, value] of [memoryBytes / MIB, handles, delay].entries()) samples[i]?.push(value);
        const left = Math.max(0, Math.round((until - performance.now()) / 1000));
        if ((samples[0]?.length ?? 0) % 10 === 0) {
          report(
            `${left} s left: ${answered} answers, ${(memoryBytes / MIB).toFixed(0)} MiB, ${handles} handles, ${delay.toFixed(1)} ms`,
          );
        }
      }
    };
    await Promise.all([
      ...[0, 3, 5].map((i) => client(true, i)),
      client(false, 1),
      grpcClient(),
      vanisher(),
      sampler(),
    ]);
    for (const [i, bound] of BOUNDS.entries()) {
      const problem = growth(samples[i] ?? [], bound);
      if (problem !== undefined) problems.push(problem);
    }
    if (server.process.exitCode !== null) problems.push("the server ended");
    return problems;
  } finally {
    for (const end of ends) await end();
  }
};

const send = (url: string, agent: Agent, body: string | Uint8Array, headers: Record<string, string>): Promise<number> =>
  new Promise((resolve, reject) => {
    const message = request(
      url,
      { method: "POST", agent, headers: { ...headers, "content-length": Buffer.byteLength(body) } },
      (answer) => {
        answer.resume();
        answer.once("end", () => resolve(answer.statusCode ?? 0));
        answer.once("error", reject);
      },
    );
    message.once("error", reject);
    message.end(body);
  });

/** The gRPC status of its answer. */
const call = (client: Client, path: string, message: Buffer): Promise<number> =>
  new Promise((resolve) => {
    const as = (bytes: Buffer): Buffer => bytes;
    const deadline = Date.now() + GRPC_DEADLINE_MS;
    client.makeUnaryRequest(path, as, as, message, { deadline }, (error) => resolve(error?.code ?? status.OK));
  });
