/**
 * One inference over HTTP against onnxruntime alone, with the angle classifier: what the server adds to the model.
 * The limit calls the session in a loop in a process of its own, so that both are one process with one session.
 */
import { fork, spawn } from "node:child_process";
import { Agent, request } from "node:http";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ROOT } from "../world/index.ts";
import { untilReady } from "../world/ready.ts";
import { ANGLE_FILE, INPUT, question } from "../world/reference.ts";
import type { Bench, Round } from "./bench.ts";

const ROUNDS = 7;
const SECONDS = 3;
const CONCURRENCY = 8;
const PORT = 18_080;

/** Answers a second, sent as binary tensors (the way a client in a hurry would). */
const rateOfServer = async (body: Buffer, headerBytes: number): Promise<number> => {
  const agent = new Agent({ keepAlive: true, maxSockets: CONCURRENCY });
  const end = performance.now() + SECONDS * 1000;
  let answered = 0;
  const ask = () =>
    new Promise<void>((resolve, reject) => {
      const sent = request(
        {
          ...{ host: "127.0.0.1", port: PORT, path: "/v2/models/angle/infer", method: "POST", agent },
          headers: {
            "content-type": "application/octet-stream",
            "content-length": body.length,
            "inference-header-content-length": headerBytes,
          },
        },
        (reply) => {
          reply.resume().on("end", () => {
            if (reply.statusCode !== 200) reject(new Error(`status ${reply.statusCode}`));
            answered++;
            resolve();
          });
        },
      );
      sent.on("error", reject).end(body);
    });
  const caller = async () => {
    while (performance.now() < end) await ask();
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, caller));
  agent.destroy();
  return answered / SECONDS;
};

const rateOfSession = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const child = fork(fileURLToPath(new URL("./session-loop.ts", import.meta.url)), [ANGLE_FILE, `${SECONDS}`]);
    child.once("message", (rate) => resolve(Number(rate)));
    child.once("error", reject);
  });

const binaryRequest = async (): Promise<{ body: Buffer; headerBytes: number }> => {
  const { upright } = await question(192);
  const header = Buffer.from(
    JSON.stringify({
      inputs: [
        {
          ...{ name: INPUT, shape: upright.shape, datatype: "FP32" },
          parameters: { binary_data_size: upright.data.byteLength },
        },
      ],
      parameters: { binary_data_output: true },
    }),
  );
  const tensor = Buffer.from(upright.data.buffer, upright.data.byteOffset, upright.data.byteLength);
  return { body: Buffer.concat([header, tensor]), headerBytes: header.length };
};

const run: Bench["run"] = async (report) => {
  const { body, headerBytes } = await binaryRequest();
  const server = spawn(
    process.execPath,
    [
      ...[join(ROOT, "runtime/main.ts"), "serve", "--model", ANGLE_FILE, "--name", "angle"],
      ...["--http-port", `${PORT}`, "--admin-port", `${PORT + 1}`],
    ],
    { stdio: ["ignore", "ignore", "inherit"] },
  );
  try {
    const rounds: Round[] = [];
    await untilReady(`http://127.0.0.1:${PORT}/v2/health/ready`);
    await rateOfServer(body, headerBytes); // not counted: compilers warm up
    for (let round = 1; round <= ROUNDS; round++) {
      const ours = await rateOfServer(body, headerBytes);
      const limit = await rateOfSession();
      report(`round ${round} of ${ROUNDS}: ${ours.toFixed(0)} /s over HTTP, ${limit.toFixed(0)} /s in process`);
      rounds.push({ ours, limit });
    }
    return rounds;
  } finally {
    server.kill("SIGTERM");
  }
};

export const serveBench: Bench = {
  summary: "inference over HTTP against onnxruntime alone (angle classifier, batch of 1)",
  ours: `npm run serve, binary tensors, ${CONCURRENCY} requests in flight`,
  limit: "session.run() in a loop, one process",
  run,
};
