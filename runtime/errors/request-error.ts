/**
 * Why a request is not answered with a result. The code is stable and decides the status in each protocol (HTTP as Triton
 * maps it, gRPC by its standard codes); the message names the tensor or option, what was expected and what came.
 */
export type RequestErrorCode = keyof typeof STATUS;

/** HTTP status and gRPC code of each. */
const STATUS = {
  InvalidArgument: { http: 400, grpc: 3 },
  NotFound: { http: 404, grpc: 5 },
  MethodNotAllowed: { http: 405, grpc: 12 },
  TooLarge: { http: 413, grpc: 8 },
  UnsupportedMediaType: { http: 415, grpc: 12 },
  /** More work is waiting than can be done in time: come back after `retryAfterSeconds`. */
  Overloaded: { http: 429, grpc: 8 },
  Cancelled: { http: 499, grpc: 1 },
  Internal: { http: 500, grpc: 13 },
  Unsupported: { http: 501, grpc: 12 },
  /** Nothing can run now, for instance while a shard is restarted: come back after `retryAfterSeconds`. */
  Unavailable: { http: 503, grpc: 14 },
  DeadlineExceeded: { http: 504, grpc: 4 },
} as const;

export class RequestError extends Error {
  readonly code: RequestErrorCode;
  readonly retryAfterSeconds: number | undefined;
  constructor(code: RequestErrorCode, message: string, retryAfterSeconds?: number) {
    super(message);
    this.code = code;
    this.retryAfterSeconds = retryAfterSeconds;
  }
  get httpStatus(): number {
    return STATUS[this.code].http;
  }
  get grpcStatus(): number {
    return STATUS[this.code].grpc;
  }
}

export const invalid = (message: string): RequestError => new RequestError("InvalidArgument", message);
