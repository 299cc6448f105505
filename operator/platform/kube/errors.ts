/**
 * What a caller can do about a failed call:
 * `conflict`: the object changed, or exists already: observe again; `notFound`: there is no such object or kind;
 * `retryable`: the same call may succeed later (server, network, quota, permissions); `terminal`: the request
 * itself is wrong, and sending it again cannot help.
 */
export type KubeErrorKind = "conflict" | "notFound" | "retryable" | "terminal";

export class KubeError extends Error {
  readonly code = "KUBE_REQUEST_FAILED";
  readonly kind: KubeErrorKind;
  /** The API's own reason (`AlreadyExists`, `Forbidden`, …), or ours for a call without an answer (`Timeout`, `Unreachable`, …). */
  readonly reason: string;
  /** HTTP status; absent when there was no answer. */
  readonly status: number | undefined;
  /** How long the server asked us to stay away, in milliseconds. */
  readonly retryAfterMs: number | undefined;

  constructor(
    message: string,
    details: {
      kind: KubeErrorKind;
      reason: string;
      status?: number;
      retryAfterMs?: number | undefined;
      cause?: unknown;
    },
  ) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = "KubeError";
    this.kind = details.kind;
    this.reason = details.reason;
    this.status = details.status;
    this.retryAfterMs = details.retryAfterMs;
  }
}

/** The reason of a write that this process has kept back, because it does not hold the lease. */
export const NOT_LEADING = "NotLeading";

/** Whether this resourceVersion or continue token is too old for the server: list again from the start. */
export const isExpired = (error: KubeError): boolean => error.status === 410;

const record = (value: unknown): Record<string, unknown> =>
  typeof value === "object" && value !== null ? { ...value } : {};

/**
 * The error for an answer of the API server that is not a success.
 * `operation` reads like `apply Deployment default/digits`; `body` is a `Status` object, or whatever came instead.
 */
export const errorFromStatus = (operation: string, status: number, body: unknown, retryAfterMs?: number): KubeError => {
  const { reason, message, details } = record(body);
  const detailSeconds = record(details).retryAfterSeconds;
  const said = typeof message === "string" && message !== "" ? message : `HTTP ${status}`;
  const name = typeof reason === "string" && reason !== "" ? reason : `HTTP${status}`;
  return new KubeError(`${operation}: ${said}`, {
    kind: kindOf(status),
    reason: name,
    status,
    retryAfterMs: retryAfterMs ?? (typeof detailSeconds === "number" ? detailSeconds * 1000 : undefined),
  });
};

/** 401 and 403 are retryable: credentials rotate, and quota and RBAC are mended without our object changing. */
const kindOf = (status: number): KubeErrorKind => {
  if (status === 409) return "conflict";
  if (status === 404) return "notFound";
  const mayPass = [401, 403, 408, 410, 429];
  return status >= 500 || mayPass.includes(status) ? "retryable" : "terminal";
};

/** The error for a call that got no whole answer: refused, reset, timed out, aborted, or not JSON. */
export const errorWithoutAnswer = (operation: string, reason: string, cause: unknown): KubeError => {
  const said = cause instanceof Error ? cause.message || cause.name : String(cause);
  return new KubeError(`${operation}: ${said}`, { kind: "retryable", reason, cause });
};
