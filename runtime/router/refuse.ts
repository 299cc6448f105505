/** The router's own answers, each in the way that its client understands: JSON over HTTP, a status over gRPC. */
import { percentEncoded } from "../transport/grpc/answer.ts";
import { STATUS } from "../transport/grpc/status.ts";
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

/** @param status as over HTTP */
export const grpcStatusOf = (status: number): number => STATUS_OF.get(status) ?? STATUS.UNAVAILABLE;

const STATUS_OF: ReadonlyMap<number, number> = new Map([
  [400, STATUS.INVALID_ARGUMENT],
  [404, STATUS.NOT_FOUND],
  [429, STATUS.RESOURCE_EXHAUSTED],
  [504, STATUS.DEADLINE_EXCEEDED],
]);
