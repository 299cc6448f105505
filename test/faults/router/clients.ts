/** Clients of the router: bystanders whose requests must be answered, and others. */
import { request } from "node:http";
import { connect, type Socket } from "node:net";
import { callFields, FRAME, type RawHttp2, rawHttp2 } from "../../world/raw-http2.ts";

/** The status, or the error's code where there was no whole answer. */
export const post = (port: number, body: Uint8Array, headers: Record<string, string> = {}): Promise<string> =>
  new Promise((resolve) => {
    const sent = request(
      { port, host: "127.0.0.1", path: "/x", method: "POST", agent: false, headers, maxHeaderSize: 2 ** 17 },
      (answer) => {
        answer.resume();
        answer.on("end", () => resolve(String(answer.statusCode)));
        answer.on("error", () => resolve("cut"));
      },
    );
    sent.on("error", (error) => resolve("code" in error ? String(error.code) : "failed")).end(body);
  });

const END_STREAM = 1;

/** A message as gRPC frames it. */
export const MESSAGE = Buffer.from([0, 0, 0, 0, 1, 7]);

/** Opens a unary call; it is over when `isOver` says so. */
export const call = (client: RawHttp2, ...more: readonly (readonly [string, string])[]): number => {
  // in one piece: a call whose end comes later than its message is taken for a stream
  client.socket.cork();
  const stream = client.open(callFields("/inference.GRPCInferenceService/ModelInfer", ...more), false);
  client.send({ type: FRAME.data, flags: END_STREAM, stream, payload: MESSAGE });
  client.socket.uncork();
  return stream;
};

/** Opens a call that says one thing, and then nothing more. */
export const openStream = (client: RawHttp2): number => {
  const stream = client.open(callFields("/inference.GRPCInferenceService/ModelStreamInfer"), false);
  client.send({ type: FRAME.data, stream, payload: MESSAGE });
  return stream;
};

export const grpcConnection = (port: number): Promise<RawHttp2> => rawHttp2(port);

/** Sends bytes and leaves at once, or does not read. */
export const throwAt = (port: number, bytes: Uint8Array): Promise<void> =>
  new Promise((resolve) => {
    const socket: Socket = connect(port, "127.0.0.1", () => {
      socket.write(bytes, () => {
        socket.destroy();
        resolve();
      });
    });
    socket.on("error", () => resolve());
  });
