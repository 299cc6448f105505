/** In milliseconds. */
export type Times = {
  /** From the first byte of a header to its end. */
  headerMs: number;
  /** A body or an answer may take this long, and longer as long as it moves with MIN_BYTES_PER_MS on the average. */
  transferMs: number;
  /** Between two requests. */
  idleMs: number;
  /** A connection that is to be closed and whose client says nothing. */
  lingerMs: number;
  /** How often these are looked at. */
  sweepMs: number;
};

/** 100 kB/s. */
export const MIN_BYTES_PER_MS = 100;

export const TIMES: Times = {
  headerMs: 10_000,
  transferMs: 60_000,
  // Longer than the 60 s after which usual load balancers drop an idle connection, so that it is never the server that does.
  idleMs: 75_000,
  lingerMs: 2000,
  sweepMs: 1000,
};
