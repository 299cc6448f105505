/** Requests from inside the cluster, all at once or at a rate, to a model of build/images/lookup.ts; whatever is not a 200 is told. */
import { z } from "zod";
import type { Cluster } from "../cluster/index.ts";
import { runInside } from "./client.ts";
import { PATIENCE_MS } from "./patience.ts";

export type Burst = {
  /** Of the model: http://name.namespace.svc/v2/models/name/infer */
  url: string;
  count: number;
  /** Undefined: all at once. */
  perSecond?: number;
  /** Connections at most; they are kept. Default 16. */
  sockets?: number;
};

const report = z.object({
  answered: z.number(),
  /** The first few. */
  failures: z.array(z.string()),
  /** Milliseconds. */
  slowest: z.number(),
  /** When it began, in ms since 1970. */
  start: z.number(),
});

export const burst = async (cluster: Cluster, options: Burst): Promise<z.output<typeof report>> =>
  report.parse(await runInside(cluster, SCRIPT, { ...options, patienceMs: PATIENCE_MS }));

const SCRIPT = `
import http from "node:http";
const url = new URL(input.url);
const agent = new http.Agent({ keepAlive: true, maxSockets: input.sockets ?? 16 });
const failures = [], pending = new Set();
let answered = 0;
const took = [];
const send = () => new Promise((resolve) => {
  const at = Date.now();
  const request = http.request(url, { method: "POST", agent, timeout: input.patienceMs, headers: { "content-type": "application/json" } }, (reply) => {
    let body = "";
    reply.setEncoding("utf8").on("data", (text) => { body += text; }).on("end", () => {
      if (reply.statusCode === 200) { answered++; took.push(Date.now() - at); } else failures.push(reply.statusCode + " " + body.slice(0, 300));
      resolve();
    });
  });
  request.on("timeout", () => request.destroy(new Error("no answer in " + input.patienceMs + " ms")));
  request.on("error", (error) => {
    if (request.reusedSocket && error.code === "ECONNRESET") { send().then(resolve); return; }
    // a node learns of a new Service a moment after the API has it
    if (error.code === "ECONNREFUSED" && Date.now() < start + input.patienceMs) { setTimeout(() => send().then(resolve), 200); return; }
    failures.push((error.code ?? "") + " " + error.message); resolve();
  });
  request.end(JSON.stringify({ inputs: [{ name: "x", shape: [1], datatype: "FP32", data: [3] }] }));
});
const start = Date.now();
for (let i = 0; i < input.count; i++) {
  const due = start + (input.perSecond ? (i * 1000) / input.perSecond : 0);
  if (due > Date.now()) await new Promise((resolve) => setTimeout(resolve, due - Date.now()));
  const sent = send();
  pending.add(sent); sent.then(() => pending.delete(sent));
}
await Promise.all(pending);
agent.destroy();
console.log(JSON.stringify({ answered, failures: failures.slice(0, 5), slowest: Math.max(0, ...took), start }));
`;
