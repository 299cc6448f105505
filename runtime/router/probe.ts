/** Answers to probes of a model that has no pod, since none is wanted until somebody asks for more than that. */
import type { Message, Reply } from "./message.ts";

/** Field 1 is 1: `live`, `ready` or `SERVING`, in the answers of all of these methods. A frame that is not compressed. */
const GRPC_YES = Buffer.from([0, 0, 0, 0, 2, 0x08, 0x01]);

export const answerProbe = (reply: Reply, { method, protocol, target }: Message): void => {
  if (protocol === "grpc") {
    const fields = ["content-type", "application/grpc"];
    reply.head({ status: 200, fields, length: undefined, hasBody: true, outcome: 200 });
    reply.data(GRPC_YES);
    reply.end(["grpc-status", "0"]);
    return;
  }
  const body = Buffer.from(JSON.stringify(target.startsWith("/v2/health/live") ? { live: true } : { ready: true }));
  const hasBody = method !== "HEAD";
  reply.head({ status: 200, fields: ["content-type", "application/json"], length: body.length, hasBody, outcome: 200 });
  if (hasBody) reply.data(body);
  reply.end([]);
};
