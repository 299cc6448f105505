/** What scaling goes by: one look at a revision, taken once a second. */

/**
 * How long a run of the model takes on one pod: `each` + items × `perItem` seconds, with up to `maxBatch` items in a run and
 * `parallel` runs side by side. A model that cannot be batched has `maxBatch` 1.
 */
export type RunCurve = { each: number; perItem: number; maxBatch: number; parallel: number };

export type Signals = {
  /** Requests that came since the look before. */
  arrivals: number;
  /** The most of them that came within a tenth of a second. */
  crowd: number;
  /** Requests now: those that wait in the routers, and those that pods have. */
  waiting: number;
  inFlight: number;
  /** Pods that take requests. */
  ready: number;
  /** Pods that have their node and are not ready yet: for how long (seconds). A pod without a node is none of them: it may wait for ever. */
  starting: readonly number[];
};

/** What a revision is like that nobody asks for anything, and that has no pods. */
export const SILENCE: Signals = {
  arrivals: 0,
  crowd: 0,
  waiting: 0,
  inFlight: 0,
  ready: 0,
  starting: [],
};
