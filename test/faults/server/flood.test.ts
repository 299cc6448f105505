import assert from "node:assert/strict";
import { connect } from "node:net";
import { test } from "node:test";
import { identityModel } from "../../runtime/models.ts";
import { CLUSTER_PATIENCE_S, until } from "../../world/patience.ts";
import { callFields, FRAME, literal } from "../../world/raw-http2.ts";
import { field, framed, varintField } from "./http2.ts";
import { startPod } from "./pod.ts";

const CLIENTS = 1000;
/** 200 KB. */
const FLOATS = 50_000;
const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const FRAME_BYTES = 16_384;
const END_STREAM = 1;
const INITIAL_WINDOW = 4;
/** 1 MiB. */
const WINDOW = Buffer.from([0, 16, 0, 0]);
const END_HEADERS = 4;

const frame = (type: number, flags: number, stream: number, payload: Uint8Array): Buffer => {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
};

/** A whole connection of one call, as bytes. */
const callBytes = (message: Buffer): Buffer => {
  const fields = Buffer.concat(callFields("/inference.GRPCInferenceService/ModelInfer").flatMap(literal));
  const frames = [
    frame(FRAME.settings, 0, 0, Buffer.from([0, INITIAL_WINDOW, ...WINDOW])),
    frame(FRAME.windowUpdate, 0, 0, WINDOW),
    frame(FRAME.headers, END_HEADERS, 1, fields),
  ];
  for (let at = 0; at < message.length; at += FRAME_BYTES) {
    const flags = at + FRAME_BYTES >= message.length ? END_STREAM : 0;
    frames.push(frame(FRAME.data, flags, 1, message.subarray(at, at + FRAME_BYTES)));
  }
  return Buffer.concat([Buffer.from(PREFACE), ...frames]);
};

/** What an answer so far says, or undefined. */
type Told = (answer: string) => string | undefined;
const overHttp: Told = (answer) => {
  const status = /^HTTP\/1\.1 (\d+)/.exec(answer)?.[1];
  if (status === undefined) return undefined;
  return /^retry-after: /im.test(answer) ? `${status}, to be tried again` : status;
};
const overGrpc: Told = (answer) => {
  const status = /grpc-status.(\d+)/s.exec(answer)?.[1];
  return status === undefined ? undefined : `status ${status}`;
};

/**
 * How often each outcome was that many clients get who connect from one address in one moment: what they are told, or what went wrong.
 * @param first they all are connected before one of them says a thing
 */
const atOnce = async (port: number, bytes: Uint8Array, told: Told, first = false): Promise<Map<string, number>> => {
  const outcomes = new Map<string, number>();
  let connected = 0;
  const clients = Array.from({ length: CLIENTS }, () => {
    const socket = connect({ port, host: "127.0.0.1" }, () => connected++);
    const outcome = new Promise<string>((resolve) => {
      let answer = "";
      socket.on("error", (error) => resolve("code" in error ? String(error.code) : error.message));
      socket.on("close", () => resolve("hung up"));
      socket.on("data", (piece: Buffer) => {
        answer += piece.toString("latin1");
        // the beginning says it, or the end
        if (answer.length > 8192) answer = answer.slice(0, 4096) + answer.slice(-4096);
        const found = told(answer);
        if (found === undefined) return;
        resolve(found);
        socket.destroy();
      });
    });
    return { socket, outcome };
  });
  if (first) await until("all connections", () => connected === CLIENTS);
  for (const { socket } of clients) socket.write(bytes);
  for (const { outcome } of clients) {
    const one = await outcome;
    outcomes.set(one, (outcomes.get(one) ?? 0) + 1);
  }
  return outcomes;
};

test("a thousand clients in one moment, in a pod of 512 MiB", { timeout: 3 * CLUSTER_PATIENCE_S * 1000 }, async (t) => {
  const model = identityModel({ x: { type: "FP32", shape: ["n"] } });
  const pod = await startPod(t, model, '{"inputs":[{"name":"x","shape":[1],"datatype":"FP32","data":[1]}]}');
  const { server } = pod;
  const check = (outcomes: Map<string, number>, good: string, others: readonly string[]): void => {
    t.diagnostic(JSON.stringify([...outcomes]));
    assert.deepEqual(
      [...outcomes.keys()].filter((outcome) => outcome !== good && !others.includes(outcome)),
      [],
    );
    assert.ok((outcomes.get(good) ?? 0) > 0);
  };
  const json = JSON.stringify({
    inputs: [{ name: "x", shape: [FLOATS], datatype: "FP32", parameters: { binary_data_size: 4 * FLOATS } }],
  });
  const body = Buffer.concat([Buffer.from(json), Buffer.alloc(4 * FLOATS)]);
  const head = `POST /v2/models/m/infer HTTP/1.1\r\nHost: h\r\nInference-Header-Content-Length: ${json.length}\r\nContent-Length: ${body.length}\r\n\r\n`;
  const request = Buffer.concat([Buffer.from(head), body]);
  // a busy machine does not come to all of them in time
  const later = ["429, to be tried again", "503, to be tried again", "504"];
  for (const first of [false, true])
    await pod.bears(`with 200 KB each over HTTP${first ? ", which all are connected" : ""}`, async () =>
      check(await atOnce(server.httpPort(), request, overHttp, first), "200", later),
    );
  await pod.bears("with 200 KB each over gRPC", async () => {
    const input = field(5, Buffer.concat([field(1, "x"), field(2, "FP32"), varintField(3, FLOATS)]));
    const message = framed(Buffer.concat([field(1, "m"), input, field(7, Buffer.alloc(4 * FLOATS))]));
    const port = Number(server.grpc().split(":")[1]);
    check(await atOnce(port, callBytes(message), overGrpc), "status 0", ["status 4", "status 8", "status 14"]);
  });
  await pod.end();
});
