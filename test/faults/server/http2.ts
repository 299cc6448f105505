/** gRPC as bytes over node:http2, and the few protobuf fields that the tests need: for what no gRPC client would send. */
import { type ClientHttp2Session, connect, type SecureClientSessionOptions } from "node:http2";

const varint = (value: number | bigint): number[] => {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  return [...bytes, Number(rest)];
};

/** A length-delimited field. */
export const field = (number: number, content: string | Uint8Array): Buffer => {
  const bytes = Buffer.from(content);
  return Buffer.concat([Uint8Array.from([...varint(number * 8 + 2), ...varint(bytes.length)]), bytes]);
};
export const varintField = (number: number, value: number | bigint): Buffer =>
  Buffer.from([...varint(number * 8), ...varint(value)]);

/** @param address host:port */
export const grpcSession = async (
  address: string,
  options: SecureClientSessionOptions = {},
): Promise<ClientHttp2Session> => {
  const session = connect(`http://${address}`, { maxSessionMemory: 4000, ...options });
  session.on("error", () => undefined);
  await new Promise((resolve, reject) => {
    session.once("connect", resolve);
    session.once("error", reject);
  });
  return session;
};

export const HEADERS = { ":method": "POST", "content-type": "application/grpc", te: "trailers" } as const;

/** A message as gRPC frames it; `length`: what the frame says, where that is not the truth. */
export const framed = (message: Uint8Array, length = message.length, flag = 0): Buffer => {
  const head = Buffer.alloc(5);
  head[0] = flag;
  head.writeUInt32BE(length, 1);
  return Buffer.concat([head, message]);
};

/** One call; `status` is gRPC's. Rejects where the stream ends without one. */
export const callFramed = (
  session: ClientHttp2Session,
  path: string,
  bytes: Uint8Array,
  headers: Record<string, string> = {},
): Promise<{ status: number; message: string; answer: Buffer }> =>
  new Promise((resolve, reject) => {
    const stream = session.request({ ...HEADERS, ...headers, ":path": path });
    const pieces: Buffer[] = [];
    let status: number | undefined;
    let message = "";
    const note = (headers: Record<string, unknown>): void => {
      if (headers["grpc-status"] === undefined) return;
      status = Number(headers["grpc-status"]);
      message = decodeURIComponent(String(headers["grpc-message"] ?? ""));
    };
    stream.on("response", note).on("trailers", note);
    stream.on("data", (piece: Buffer) => pieces.push(piece));
    stream.on("error", (error) => (status === undefined ? reject(error) : undefined));
    stream.on("close", () => {
      if (status === undefined) reject(new Error("the stream ended without a status"));
      else resolve({ status, message, answer: Buffer.concat(pieces) });
    });
    stream.end(bytes);
  });

export const callOnce = (session: ClientHttp2Session, path: string, message: Uint8Array) =>
  callFramed(session, path, framed(message));
