import { RequestError } from "../../errors/request-error.ts";
import { Refusal } from "../http/refusal.ts";

/** gRPC's statuses, by their names. */
export const STATUS = {
  OK: 0,
  CANCELLED: 1,
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  RESOURCE_EXHAUSTED: 8,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
} as const;

/** How a call ended that did not go well; `trailers` go with it, their names in lower case. */
export type CallStatus = {
  code: number;
  details: string;
  trailers?: readonly (readonly [name: string, value: string])[];
};

/** What a handler throws to end its call with a status of its own. */
export class CallError extends Error {
  readonly status: CallStatus;
  constructor(code: number, details: string) {
    super(details);
    this.status = { code, details };
  }
}

/**
 * The status that tells a client of a failure. When to come back goes into `retry-after` (whole seconds) and gRPC's own
 * `grpc-retry-pushback-ms`. What is no error of ours is reported, and the client learns only that it happened.
 */
export const statusOf = (error: unknown, report: (error: unknown) => void): CallStatus => {
  if (error instanceof CallError) return error.status;
  // of decompression, which HTTP has too
  if (error instanceof Refusal) {
    const code = error.status === 413 ? STATUS.RESOURCE_EXHAUSTED : STATUS.INVALID_ARGUMENT;
    return { code, details: error.message };
  }
  if (!(error instanceof RequestError)) {
    report(error);
    return { code: STATUS.INTERNAL, details: "the server failed to answer; its log says why" };
  }
  const { grpcStatus: code, message: details, retryAfterSeconds } = error;
  if (retryAfterSeconds === undefined) return { code, details };
  return {
    code,
    details,
    trailers: [
      ["retry-after", String(Math.ceil(retryAfterSeconds))],
      ["grpc-retry-pushback-ms", String(Math.ceil(retryAfterSeconds * 1000))],
    ],
  };
};
