import { LATENCY_EDGES } from "../../contract/pod.ts";
import type { Failure } from "./message.ts";

/** What became of requests, in plain numbers: counting costs next to nothing, and whoever wants to know takes a snapshot. */

export const OUTCOMES = [
  /** Answered with a status below 400. */
  "ok",
  /** 4xx: the request's fault; of a canary, it is the canary's if stable answers the same request. */
  "clientError",
  /** 5xx. */
  "serverError",
  /** No pod of the revision could be reached, or was ready in time. */
  "unreachable",
  /** The connection to the pod ended before the answer did. */
  "broken",
  /** No first byte in time. */
  "late",
  /** The client left before the end, or its deadline passed, or it sent nothing for too long. */
  "gone",
  /** A stream on which neither side said anything for too long. */
  "idle",
] as const;
export type Outcome = (typeof OUTCOMES)[number];

/** Why tries of requests never came to anything that says something about a revision. */
export const TRANSPORT_FAILURES = ["unreachable", "unseen", "stale"] as const satisfies readonly Failure[];
export type TransportFailure = (typeof TRANSPORT_FAILURES)[number];

/** Errors of the version, not of the client: what the evidence counts. */
const FAULTS: ReadonlySet<Outcome> = new Set(["serverError", "unreachable", "broken", "late"]);

export const outcomeOf = (status: number): Outcome =>
  status < 400 ? "ok" : status < 500 ? "clientError" : "serverError";

/**
 * The evidence of one pod, or of an arm where no pod could be reached: requests that were chosen at random, could have been
 * replayed, and were no replays themselves.
 */
export type Evidence = {
  requests: number;
  errors: number;
  /** Answered requests that were not held, by time to the first byte: one more than LATENCY_EDGES. */
  buckets: Float64Array;
};

/** Of a revision, all of its requests. Only ever grows. */
export type ArmCounters = {
  /** Of each request, once; and as `unreachable` besides, where it found no pod first and came back. */
  outcomes: Record<Outcome, number>;
  buckets: Float64Array;
  seconds: number;
  /** Requests that went on to stable after this arm had failed. */
  replayed: number;
  held: number;
  /** Requests that were turned away, since too many waited or they had waited too long. */
  refused: number;
  heldSeconds: number;
  /** Of tries. */
  transport: Record<TransportFailure, number>;
};

export const createEvidence = (): Evidence => ({
  requests: 0,
  errors: 0,
  buckets: new Float64Array(LATENCY_EDGES.length + 1),
});

export const createArmCounters = (): ArmCounters => ({
  outcomes: { ok: 0, clientError: 0, serverError: 0, unreachable: 0, broken: 0, late: 0, gone: 0, idle: 0 },
  buckets: new Float64Array(LATENCY_EDGES.length + 1),
  seconds: 0,
  replayed: 0,
  held: 0,
  refused: 0,
  heldSeconds: 0,
  transport: { unreachable: 0, unseen: 0, stale: 0 },
});

/** The bucket of a time: the first whose edge is not below it. */
const bucketOf = (seconds: number): number => {
  let low = 0;
  let high = LATENCY_EDGES.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (seconds > (LATENCY_EDGES[middle] ?? 0)) low = middle + 1;
    else high = middle;
  }
  return low;
};

/** @param seconds to the first byte; undefined where there was none */
export const countOutcome = (arm: ArmCounters, outcome: Outcome, seconds: number | undefined): void => {
  arm.outcomes[outcome]++;
  if (seconds === undefined) return;
  const bucket = bucketOf(seconds);
  arm.buckets[bucket] = (arm.buckets[bucket] ?? 0) + 1;
  arm.seconds += seconds;
};

/** A client that has left, or is silent, says nothing about the version. @param seconds undefined where the request was held, too */
export const countEvidence = (evidence: Evidence, outcome: Outcome, seconds: number | undefined): void => {
  if (outcome === "gone" || outcome === "idle") return;
  evidence.requests++;
  if (FAULTS.has(outcome)) evidence.errors++;
  else if (seconds !== undefined) {
    const bucket = bucketOf(seconds);
    evidence.buckets[bucket] = (evidence.buckets[bucket] ?? 0) + 1;
  }
};

/** An upper bound of the quantile `share` of what `buckets` counts, in milliseconds; undefined below `least` requests. */
export const quantileMs = (buckets: Float64Array, share: number, least: number): number | undefined => {
  const total = buckets.reduce((sum, count) => sum + count, 0);
  if (total < least) return undefined;
  let above = total * (1 - share);
  for (let i = buckets.length - 1; i >= 0; i--) {
    above -= buckets[i] ?? 0;
    if (above < 0) return (LATENCY_EDGES[i] ?? Number.POSITIVE_INFINITY) * 1000;
  }
  return undefined;
};
