/** Whether a request is sent once more, and where to. Pure. No byte of an answer has reached the client when this is asked. */
import type { Failure } from "./message.ts";
import type { Request } from "./split.ts";
import type { Route } from "./table.ts";

/** A try of a request on one pod. */
export type Attempt = Request & {
  role: Route["role"];
  /** By its method: to do it twice is to do it once (RFC 9110, 9.2.1). */
  isSafe: boolean;
  /** Tries before this one that found no connection, since it was last held. */
  missed: number;
  /** It was sent again already, after a pod had it or may have had it. */
  wasRepeated: boolean;
};

/** How a try ended, or what has come of it so far. */
export type Outcome =
  | { kind: "answered"; status: number }
  | { kind: Failure }
  /** No first byte within `patienceMs`. */
  | { kind: "late" };

export type Next =
  /** The answer goes to the client. */
  | { kind: "pass" }
  /** Once more, on a pod of stable (of the same revision where it is pinned); of another address where there is one. */
  | { kind: "again"; on: "stable" | "same" }
  /** It waits before it is tried again. */
  | { kind: "hold" }
  /** 400 where it cannot be sent at all; 502, or 504 where it was late: nobody is left to ask, or nobody may be asked. */
  | { kind: "fail"; status: 400 | 502 | 504 };

/** Pods that are tried for one request without a pause; each that takes no connection is about to leave the endpoints. */
const TRIES = 3;

/**
 * A tester who asked for a revision gets that one's answer or none: another one's would be a lie.
 *
 * Of the canary, whatever a client would not have seen of stable: a 5xx, a connection that broke, no answer in time; and a refusal of
 * what was asked, for a model whose inputs are others refuses what stable takes. Stable has kept the capacity for all requests, so that there is no budget to be spent here. It is no risk either: an inference changes nothing.
 *
 * Of stable, what has not reached a pod; and once what a pod has not begun with, or what may be done twice where a connection that had
 * been idle ended. Not a 5xx: to repeat it would double the load on a stable that fails because of its load. Nor what a pod may have
 * died of: it would kill one after the other.
 */
export const afterOutcome = (attempt: Attempt, outcome: Outcome): Next => {
  const again: Next = { kind: "again", on: "same" };
  if (outcome.kind === "invalid") return { kind: "fail", status: 400 };
  if (outcome.kind === "unreachable" && attempt.missed + 1 < TRIES) return again;
  if (outcome.kind === "unseen" && !attempt.wasRepeated) return again;
  if (mayGoToStable(attempt) && isFault(outcome)) return { kind: "again", on: "stable" };
  switch (outcome.kind) {
    case "answered":
      return { kind: "pass" };
    case "unreachable":
      return { kind: "hold" };
    case "stale":
      return attempt.isSafe && attempt.isReplayable && !attempt.wasRepeated ? again : { kind: "fail", status: 502 };
    case "unseen":
    case "broken":
      return { kind: "fail", status: 502 };
    case "late":
      return { kind: "fail", status: 504 };
  }
};

/** Methods whose requests change nothing. */
export const isSafe = (method: string): boolean => SAFE.has(method);
const SAFE: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS", "TRACE"]);

/** Stable may answer in its place, and nobody is told another revision's answer than the one that was asked for. */
export const mayGoToStable = ({
  isReplayable,
  pinned,
  role,
}: Pick<Attempt, "isReplayable" | "pinned" | "role">): boolean =>
  role === "canary" && isReplayable && pinned === undefined;

/** Of these, one cannot tell by itself whether it is the request that is wrong, or the model that is another. */
export const isRefusal = (status: number): boolean => REFUSALS.has(status);

/** Not among them: who may ask (401, 403), and how much or how fast (408, 413, 429). */
const REFUSALS: ReadonlySet<number> = new Set([400, 404, 405, 406, 415, 422]);

const isFault = (outcome: Outcome): boolean =>
  outcome.kind !== "answered" || outcome.status >= 500 || isRefusal(outcome.status);

/**
 * How long a canary may take to its first byte, in milliseconds, so that stable can still answer within the time the client was
 * promised: all but twice what stable needs as a rule (its p99; twice, since the replay finds a stable that is busier than
 * before). Never less than half of the time: a canary that is only slow must be seen as slow, and not be cut short, or the
 * latency evidence would end at the cut. With 30 s and a p99 of 400 ms: 29.2 s. With 1 s and a p99 of 400 ms: 500 ms.
 *
 * @param timeoutMs of the request; `spec.server.requestTimeout`
 * @param stableP99Ms undefined while too few requests were seen to say
 */
export const patienceMs = (timeoutMs: number, stableP99Ms: number | undefined): number =>
  stableP99Ms === undefined ? timeoutMs / 2 : Math.max(timeoutMs / 2, timeoutMs - 2 * stableP99Ms);
