/**
 * Clients that ask a model of build/images/lookup.ts all the time, from inside the cluster: half of them over HTTP/1.1 on connections that
 * are kept, half over gRPC on one connection that lasts as long as it is let. Whatever is not the right answer is told.
 */
import assert from "node:assert/strict";
import { z } from "zod";
import type { Cluster } from "../cluster/index.ts";
import { startInside } from "./client.ts";
import { framed, modelInfer } from "./grpc.ts";
import { PATIENCE_MS } from "./patience.ts";

export type ProberReport = { overHttp: number; overGrpc: number; failures: string[] };

const report = z.object({ overHttp: z.number(), overGrpc: z.number(), failures: z.array(z.string()) });

export type Prober = {
  /** Resolves once it has had an answer. */
  underWay(): Promise<void>;
  /** Ends it, and tells what has come of it. */
  stop(): Promise<ProberReport>;
  /** Ends it. Rejects where a request has failed, or next to none was sent. */
  stopUnharmed(): Promise<void>;
};

export type ProberOptions = {
  /** `http://name.namespace.svc`; gRPC goes to the same port, which only the router has both on. */
  url: string;
  model: string;
  perSecond: number;
  /** x is drawn from 0 up to this, not included. */
  entries: number;
  /** It ends by itself after this, whatever happens to who has started it. */
  mostSeconds?: number;
};

/** Fewer requests than these show nothing. */
const LEAST = 20;

export const startProber = (cluster: Cluster, options: ProberOptions): Prober => {
  const bodies = Array.from({ length: options.entries }, (_, x) =>
    framed(options.model, { name: "x", shape: [1], data: Float32Array.of(x) }).toString("base64"),
  );
  const { mostSeconds, ...rest } = options;
  const running = startInside(cluster, SCRIPT, {
    ...{ ...rest, bodies, path: modelInfer().path, patienceMs: PATIENCE_MS },
    ...(mostSeconds === undefined ? {} : { seconds: mostSeconds }),
  });
  const stop = async (): Promise<ProberReport> => report.parse(await running.stop());
  return {
    underWay: running.underWay,
    stop,
    async stopUnharmed() {
      const { failures, overGrpc, overHttp } = await stop();
      assert.deepEqual(failures, []);
      assert.ok(overHttp > LEAST && overGrpc > LEAST, `${overHttp} requests over HTTP and ${overGrpc} over gRPC`);
    },
  };
};

const SCRIPT = `
import http from "node:http";
import { connect, constants } from "node:http2";
const url = new URL(input.url);
const kept = new http.Agent({ keepAlive: true, maxSockets: 4 });
const failures = [], pending = new Set();
let overHttp = 0, overGrpc = 0;
const failed = (what) => { if (failures.length < 50) failures.push(new Date().toISOString() + " " + what); };
const overHttp1 = (x, agent) => new Promise((resolve) => {
  const request = http.request(input.url + "/v2/models/" + input.model + "/infer", { method: "POST", agent, timeout: input.patienceMs, headers: { "content-type": "application/json" } }, (reply) => {
    let body = "";
    reply.setEncoding("utf8").on("data", (text) => { body += text; }).on("end", () => {
      const y = reply.statusCode === 200 ? JSON.parse(body).outputs[0].data[0] : undefined;
      if (y === 2 * x + 1) overHttp++;
      else failed("http: x " + x + ": " + reply.statusCode + " " + body.slice(0, 200));
      resolve();
    });
    reply.on("error", (error) => { failed("http reply: " + error.message); resolve(); });
  });
  request.on("timeout", () => request.destroy(new Error("no answer in " + input.patienceMs + " ms")));
  request.on("error", (error) => {
    // closed by the server just as a request was put on it: every HTTP client sends it again on a new connection
    if (request.reusedSocket && error.code === "ECONNRESET" && agent) { overHttp1(x, false).then(resolve); return; }
    failed("http: " + (error.code ?? "") + " " + error.message); resolve();
  });
  request.end(JSON.stringify({ inputs: [{ name: "x", shape: [1], datatype: "FP32", data: [x] }] }));
});
// as gRPC's own clients do: one connection until the server says that it goes; calls that it has not begun go to the next one
let session;
const current = () => {
  if (session !== undefined && !session.leaving && !session.destroyed && !session.closed) return session;
  const next = connect(url.origin);
  next.on("goaway", () => { next.leaving = true; });
  next.on("error", () => { next.leaving = true; });
  session = next;
  return next;
};
const overHttp2 = (x, again = true) => new Promise((resolve) => {
  const stream = current().request({ ":method": "POST", ":path": input.path, "content-type": "application/grpc", te: "trailers" });
  const pieces = [];
  let status = "", message = "", refused = false;
  const note = (headers) => { status = headers["grpc-status"] ?? status; message = headers["grpc-message"] ?? message; };
  stream.setTimeout(input.patienceMs, () => stream.close());
  stream.on("response", note).on("trailers", note).on("data", (piece) => pieces.push(piece));
  stream.on("error", (error) => { message = error.message; });
  stream.on("close", () => {
    refused = stream.rstCode === constants.NGHTTP2_REFUSED_STREAM || stream.id === undefined;
    if (refused && again) { overHttp2(x, false).then(resolve); return; }
    const answer = Buffer.concat(pieces);
    const y = answer.length > 4 ? answer.readFloatLE(answer.length - 4) : undefined;
    if (status === "0" && y === 2 * x + 1) overGrpc++;
    else failed("grpc: x " + x + ": status " + status + " " + message + (y === undefined ? "" : " y " + y) + " rst " + stream.rstCode);
    resolve();
  });
  stream.end(Buffer.from(input.bodies[x], "base64"));
});
// a node learns a moment later that the Service goes to the router now, which alone speaks gRPC on this port
const readyBy = Date.now() + input.patienceMs;
while (overGrpc === 0 && Date.now() < readyBy) await overHttp2(0);
failures.length = 0;
underWay();
let stopped = false;
process.on("SIGTERM", () => { stopped = true; });
const end = Date.now() + input.seconds * 1000;
for (let turn = 0; !stopped && Date.now() < end; turn++) {
  const x = Math.floor(Math.random() * input.entries);
  const sent = turn % 2 === 0 ? overHttp2(x) : overHttp1(x, kept);
  pending.add(sent); sent.then(() => pending.delete(sent));
  await new Promise((resolve) => setTimeout(resolve, 1000 / input.perSecond));
}
await Promise.all(pending);
kept.destroy();
session?.destroy();
console.log(JSON.stringify({ overHttp, overGrpc, failures }));
`;
