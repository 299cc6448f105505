/** Ends an answer that has begun: over gRPC with a status, over HTTP by the end of the connection, for nothing else can be said any more. */
import { percentEncoded } from "../transport/grpc/answer.ts";
import type { Message, Reply } from "./message.ts";
import { grpcStatusOf } from "./refuse.ts";

/** @param status as over HTTP */
export const cutShort = (reply: Reply, { protocol }: Message, status: number, error: string): void => {
  if (protocol === "http") reply.abort();
  else reply.end(["grpc-status", String(grpcStatusOf(status)), "grpc-message", percentEncoded(error)]);
};
