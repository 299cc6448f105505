/** A server of the model that the made-up requests are for, in a pod of 512 MiB. */
import { identityModel } from "../../runtime/models.ts";
import { childrenOf, shardsOf, startServer } from "../../runtime/server.ts";
import { field } from "../server/http2.ts";
import { type Limited, limitMemory } from "../server/limited.ts";
import { MIB, residentBytes } from "../server/memory.ts";
import { INPUTS } from "../server/seeds.ts";
import type { Asks } from "./bystander.ts";
import { handlesOf, type Target } from "./target.ts";

const floats = (number: number): Buffer => Buffer.from(Float32Array.of(number, 1, 2, 3).buffer);
const input = (name: string, datatype: string, shape: number[]) =>
  field(5, Buffer.concat([field(1, name), field(2, datatype), field(3, Uint8Array.from(shape))]));

const asks: Asks = {
  path: "/v2/models/m/infer",
  http: (number) => ({
    body: Buffer.from(
      JSON.stringify({
        inputs: [
          { name: "x", shape: [1, 4], datatype: "FP32", data: [number, 1, 2, 3] },
          { name: "n", shape: [1], datatype: "INT64", data: [number] },
          { name: "s", shape: [1], datatype: "BYTES", data: [`s${number}`] },
        ],
      }),
    ),
    isRight: (answer) =>
      answer.includes(`[${number},1,2,3]`) && answer.includes(`[${number}]`) && answer.includes(`["s${number}"]`),
  }),
  method: "/inference.GRPCInferenceService/ModelInfer",
  grpc: (number) => ({
    message: Buffer.concat([
      ...[field(1, "m"), input("x", "FP32", [1, 4]), input("n", "INT64", [1]), input("s", "BYTES", [1])],
      ...[field(7, floats(number)), field(7, Buffer.from(BigInt64Array.of(BigInt(number)).buffer))],
      field(7, Uint8Array.of(1, 0, 0, 0, 65)),
    ]),
    isRight: (answer) => answer.includes(field(6, floats(number))),
  }),
};

const gauge = (text: string, name: string): number =>
  Number(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)`, "m").exec(text)?.[1] ?? Number.NaN);

export const startServerTarget = async (t: { after(end: () => Promise<void>): void }): Promise<Target> => {
  const limited: Limited = limitMemory(512 * MIB);
  console.log(`the limit of 512 MiB is kept by ${limited.how}`);
  // what the server does not know of a limit that is not a cgroup's
  const options = limited.group === undefined ? ["--max-body", "24Mi"] : [];
  const args = [...options, "--shards", "1"];
  const server = startServer(t, identityModel(INPUTS), args, limited.limits, process.env, limited.group);
  t.after(limited.remove);
  await server.ready;
  const pid = server.process.pid ?? 0;
  const pids = (): number[] => [pid, ...childrenOf(pid)];
  return {
    ports: { http: server.httpPort(), grpc: Number(server.grpc().split(":")[1]) },
    asks,
    begin: () => undefined,
    ended() {
      if (server.process.exitCode !== null)
        return `the server ended with ${server.process.exitCode}\n${server.stderr()}`;
      if (limited.killed() ?? 0) return "the kernel has ended a process of the server for want of memory";
      return undefined;
    },
    async busy() {
      const text = await (await fetch(server.admin("/metrics"))).text();
      return {
        inflight: gauge(text, "berth_inflight_requests"),
        restarts: gauge(text, "berth_shard_restarts_total"),
        shardsThatAreMissing: 1 - shardsOf(server).length,
      };
    },
    handles: () => handlesOf(pids()),
    memory: () => limited.used() ?? residentBytes(pid),
  };
};
