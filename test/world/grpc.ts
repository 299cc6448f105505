/** gRPC from inside the cluster's network: node:http2 in the client pod, which has no packages; messages are made and read here. */
import { fileURLToPath } from "node:url";
import { loadSync } from "@grpc/proto-loader";
import { z } from "zod";
import type { Cluster } from "../cluster/index.ts";
import { runInside } from "./client.ts";
import { PATIENCE_MS } from "./patience.ts";

const PROTO = fileURLToPath(new URL("../../runtime/protocols/open-inference/grpc/inference.proto", import.meta.url));
const SERVICE = "inference.GRPCInferenceService";

const replies = z.array(z.object({ status: z.string(), message: z.string(), body: z.string() }));
const inferResponse = z.object({ raw_output_contents: z.array(z.instanceof(Buffer)).min(1) });

export const modelInfer = () => {
  const service = loadSync(PROTO, { keepCase: true, longs: String, enums: String, defaults: true })[SERVICE];
  const method = service === undefined || "format" in service ? undefined : service.ModelInfer;
  if (method === undefined) throw new Error(`${PROTO} has no ModelInfer`);
  return method;
};

export type FloatInput = { name: string; shape: readonly number[]; data: Float32Array };

/** A ModelInfer request with one float32 input, as it goes over the wire. */
export const framed = (model: string, { data, name, shape }: FloatInput): Buffer => {
  const message = modelInfer().requestSerialize({
    model_name: model,
    inputs: [{ name, datatype: "FP32", shape }],
    raw_input_contents: [Buffer.from(data.buffer, data.byteOffset, data.byteLength)],
  });
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
};

/**
 * `count` calls of ModelInfer at once on one connection, each with one float32 input. Resolves with the first output's values of
 * each; rejects where one fails.
 */
export const inferOverGrpc = async (
  cluster: Cluster,
  at: { address: string; model: string },
  input: FloatInput,
  count: number,
): Promise<Float32Array[]> => {
  const method = modelInfer();
  const body = framed(at.model, input).toString("base64");
  const told = replies.parse(
    await runInside(cluster, SCRIPT, {
      url: `http://${at.address}`,
      path: method.path,
      body,
      count,
      patienceMs: PATIENCE_MS,
    }),
  );
  return told.map(({ status, message: why, body: answer }) => {
    if (status !== "0") throw new Error(`ModelInfer at ${at.address}: ${status} ${why}`);
    const [first = Buffer.alloc(0)] = inferResponse.parse(
      method.responseDeserialize(Buffer.from(answer, "base64").subarray(5)),
    ).raw_output_contents;
    return new Float32Array(Uint8Array.from(first).buffer);
  });
};

const SCRIPT = `
import { connect } from "node:http2";
const session = connect(input.url);
session.setTimeout(input.patienceMs, () => session.destroy(new Error("no answer in " + input.patienceMs + " ms")));
const ask = () => new Promise((resolve, reject) => {
  const stream = session.request({ ":method": "POST", ":path": input.path, "content-type": "application/grpc", te: "trailers" });
  const pieces = [];
  let status = "", message = "";
  const note = (headers) => { status = headers["grpc-status"] ?? status; message = headers["grpc-message"] ?? message; };
  stream.on("response", note).on("trailers", note).on("data", (piece) => pieces.push(piece)).on("error", reject);
  stream.on("close", () => resolve({ status, message, body: Buffer.concat(pieces).toString("base64") }));
  stream.end(Buffer.from(input.body, "base64"));
});
console.log(JSON.stringify(await Promise.all(Array.from({ length: input.count }, ask))));
session.close();
`;
