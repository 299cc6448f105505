/** The router's own answers, each in the way that its client understands: JSON over HTTP, a status over gRPC. */
import { percentEncoded } from "../server/grpc/answer.ts";
import { STATUS } from "../server/grpc/status.ts";
import type { Message, Reply } from "./message.ts";

/** `retryAfter` in seconds. */
export type RouterRefusal = { status: number; error: string; retryAfter?: number | undefined };

export const refuseWith = (reply: Reply, { protocol, method }: Message, refusal: RouterRefusal): void => {
  const { status, error, retryAfter } = refusal;
  const again = retryAfter === undefined ? [] : ["retry-after", String(retryAfter)];
  if (protocol === "grpc") {
    const fields = ["content-type", "application/grpc", "grpc-status", String(grpcStatusOf(status))];
    fields.push("grpc-message", percentEncoded(error), ...again);
    if (retryAfter !== undefined) fields.push("grpc-retry-pushback-ms", String(retryAfter * 1000));
    reply.head({ status: 200, fields, length: 0, hasBody: false, outcome: status });
    reply.end([]);
    return;
  }
  const body = Buffer.from(JSON.stringify({ error }));
  const fields = ["content-type", "application/json", ...again];
  const hasBody = method !== "HEAD";
  reply.head({ status, fields, length: body.length, hasBody, outcome: status });
  if (hasBody) reply.data(body);
  reply.end([]);
};

const grpcStatusOf = (status: number): number => {
  if (status === 404) return STATUS.NOT_FOUND;
  return status === 504 ? STATUS.DEADLINE_EXCEEDED : STATUS.UNAVAILABLE;
};
