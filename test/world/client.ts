/** Requests from inside the cluster's network, on any cluster: a script on the standard input of node in the client pod. */
import { randomUUID } from "node:crypto";
import { z } from "zod";
import type { Cluster } from "../cluster/index.ts";
import { MODELS_NAMESPACE } from "./model-server.ts";
import { eventually, PATIENCE_MS } from "./patience.ts";
import { inferBody } from "./reference.ts";

export type Reply = { status: number; body: string };

const replySchema = z.object({ status: z.number(), body: z.string() });

/** Runs `script` (an ES module that prints one line of JSON) in the client pod, with `input` as the constant of that name. */
export const runInside = async (cluster: Cluster, script: string, input: unknown): Promise<unknown> => {
  const { stdout } = await cluster.kubectl(
    ["exec", "-i", "-n", MODELS_NAMESPACE, "client", "--", "/usr/local/bin/node", "--input-type=module", "-"],
    { input: `const input = ${JSON.stringify(input)};\n${script}` },
  );
  return JSON.parse(stdout);
};

/**
 * One request. A node learns of a Service's endpoints a moment after the API does, and refuses connections until then: those, and
 * nothing else, are tried again.
 */
export const request = async (
  cluster: Cluster,
  url: string,
  options: { method?: string; body?: string; headers?: Record<string, string> } = {},
): Promise<Reply> =>
  replySchema.parse(
    await runInside(
      cluster,
      `const send = () => fetch(input.url, { ...input.options, signal: AbortSignal.timeout(input.patienceMs) });
       const patiently = async (end) => {
         try {
           return await send();
         } catch (error) {
           if (error.cause?.code !== "ECONNREFUSED" || Date.now() > end) throw error;
           await new Promise((resolve) => setTimeout(resolve, 200));
           return patiently(end);
         }
       };
       const reply = await patiently(Date.now() + input.patienceMs);
       console.log(JSON.stringify({ status: reply.status, body: await reply.text() }));`,
      { url, options, patienceMs: PATIENCE_MS },
    ),
  );

const inferReply = z.object({
  outputs: z.array(z.object({ name: z.string(), shape: z.array(z.number()), data: z.array(z.number()) })),
});

/** One float32 input, sent by the Open Inference Protocol; resolves with the first output's values. */
export const infer = async (
  cluster: Cluster,
  at: { url: string; model: string },
  input: { shape: readonly number[]; data: Float32Array },
): Promise<Float32Array> => {
  const reply = await request(cluster, `${at.url}/v2/models/${at.model}/infer`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: inferBody(input),
  });
  if (reply.status !== 200) throw new Error(`infer ${at.url}: ${reply.status} ${reply.body}`);
  const first = inferReply.parse(JSON.parse(reply.body)).outputs[0];
  if (first === undefined) throw new Error(`infer ${at.url}: no output in ${reply.body}`);
  return Float32Array.from(first.data);
};

export type LoadReport = { answered: number; failures: string[] };

const loadReport = z.object({ answered: z.number(), failures: z.array(z.string()) });

/**
 * Constant load until `stop`: half of the requests on connections that are kept, half on new ones, `perSecond` in all.
 * Whatever is not a 200 whose first output is `expected` to the last bit is a failure.
 */
export const startLoad = (
  cluster: Cluster,
  options: { url: string; body: string; expected: Float32Array; perSecond: number },
): { underWay(): Promise<void>; stop(): Promise<LoadReport> } => {
  const input = { ...options, expected: Array.from(options.expected), patienceMs: PATIENCE_MS };
  const running = startInside(cluster, LOAD_SCRIPT, input);
  return { ...running, stop: async () => loadReport.parse(await running.stop()) };
};

/** What is started ends by itself after this, in seconds, whatever happens to who has started it. */
const MOST_SECONDS = 1200;

export type Inside = {
  /** Resolves once the script has called `underWay`. */
  underWay(): Promise<void>;
  /** Ends it; resolves with its line. */
  stop(): Promise<unknown>;
};

/** What this process has started, and what has not ended. */
const started = new Set<Inside>();

/** Ends what a test has left since it failed: waiting for it would take its file as long as it goes on by itself. */
export const endAllInside = async (): Promise<void> => {
  await Promise.all([...started].map((one) => one.stop().catch(() => undefined)));
};

/**
 * Runs a script that goes on until its input's `seconds` are over or SIGTERM, and that calls `underWay` when its requests are answered.
 * @param input with the seconds, where MOST_SECONDS are not enough
 */
export const startInside = (cluster: Cluster, script: string, input: object): Inside => {
  const title = `inside-${randomUUID().slice(0, 8)}`;
  // the title is what can be seen of it from beside it
  const named = `process.title = "${title}";\nconst underWay = () => { process.title = "${title}-answered"; };\n${script}`;
  let isOver = false;
  const running = runInside(cluster, named, { seconds: MOST_SECONDS, ...input }).finally(() => {
    isOver = true;
    started.delete(inside);
  });
  // whoever stops it hears of it
  running.catch(() => undefined);
  const found = async (prefix: string, signal: number | string): Promise<boolean> =>
    isOver || (await runInside(cluster, SIGNAL, { prefix, signal })) !== 0;
  const inside: Inside = {
    underWay: () => eventually(`requests of ${title} are answered`, () => found(`${title}-answered`, 0)),
    async stop() {
      // one that has just been started may not have its title yet
      await eventually(`${title} is told to end`, () => found(title, "SIGTERM"));
      return running;
    },
  };
  started.add(inside);
  return inside;
};

/** Signals the processes whose titles begin so; 0 only finds them. */
const SIGNAL = `
import { readdirSync, readFileSync } from "node:fs";
let found = 0;
for (const pid of readdirSync("/proc").filter((name) => /^[0-9]+$/.test(name))) {
  try {
    if (readFileSync("/proc/" + pid + "/cmdline", "utf8").startsWith(input.prefix)) { process.kill(Number(pid), input.signal); found++; }
  } catch {}
}
console.log(found);
`;

const LOAD_SCRIPT = `
import http from "node:http";
const kept = new http.Agent({ keepAlive: true, maxSockets: 4 });
const url = new URL(input.url);
const failures = [], pending = new Set();
let answered = 0;
const send = (agent) => new Promise((resolve) => {
  const request = http.request(url, { method: "POST", agent, timeout: input.patienceMs, headers: { "content-type": "application/json" } }, (reply) => {
    let body = "";
    reply.setEncoding("utf8").on("data", (text) => { body += text; }).on("end", () => {
      const data = reply.statusCode === 200 ? JSON.parse(body).outputs[0].data : [];
      const same = data.length === input.expected.length && data.every((value, at) => Math.fround(value) === input.expected[at]);
      if (same) { if (++answered === 1) underWay(); }
      else failures.push(reply.statusCode + " " + body.slice(0, 200));
      resolve();
    });
    reply.on("error", (error) => { failures.push("reply: " + error.message); resolve(); });
  });
  request.on("timeout", () => request.destroy(new Error("no answer in " + input.patienceMs + " ms")));
  request.on("error", (error) => {
    // A kept connection may be closed by the server just as a request is put on it: every HTTP client
    // sends such a request again on a new connection, and so does this one (Node's agent does not).
    if (request.reusedSocket && error.code === "ECONNRESET" && agent) { send(false).then(resolve); return; }
    failures.push((error.code ?? "") + " " + error.message); resolve();
  });
  request.end(input.body);
});
const end = Date.now() + input.seconds * 1000;
let turn = 0, stopped = false;
process.on("SIGTERM", () => { stopped = true; });
while (!stopped && Date.now() < end) {
  const sent = send(turn++ % 2 === 0 ? kept : false);
  pending.add(sent); sent.then(() => pending.delete(sent));
  await new Promise((resolve) => setTimeout(resolve, 1000 / input.perSecond));
}
await Promise.all(pending);
kept.destroy();
console.log(JSON.stringify({ answered, failures }));
`;
