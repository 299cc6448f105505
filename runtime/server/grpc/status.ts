import { Metadata, status } from "@grpc/grpc-js";
import { RequestError } from "../../inference/errors.ts";

export type CallStatus = { code: number; details: string; metadata?: Metadata };

/**
 * The status that tells a client of a failure. When to come back goes into `retry-after` (whole seconds) and gRPC's own
 * `grpc-retry-pushback-ms`. What is not a RequestError is reported, and the client learns only that it happened.
 */
export const statusOf = (error: unknown, report: (error: unknown) => void): CallStatus => {
  if (!(error instanceof RequestError)) {
    report(error);
    return { code: status.INTERNAL, details: "the server failed to answer; its log says why" };
  }
  const { grpcStatus: code, message: details, retryAfterSeconds } = error;
  if (retryAfterSeconds === undefined) return { code, details };
  const metadata = new Metadata();
  metadata.set("retry-after", String(Math.ceil(retryAfterSeconds)));
  metadata.set("grpc-retry-pushback-ms", String(Math.ceil(retryAfterSeconds * 1000)));
  return { code, details, metadata };
};
