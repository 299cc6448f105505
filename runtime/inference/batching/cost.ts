/**
 * What a run of n items takes: a + b·n milliseconds, learned while serving.
 *
 * Sizes are kept in buckets (1, 2, 3–4, 5–8 …), each with its own running mean, and the line is fitted through the buckets.
 * A single recursive fit would forget what large batches cost while only small ones run, and then could not say
 * whether batching gains; a bucket keeps its last figure until that size runs again.
 */
export type Cost = {
  /** Runs that were seen. */
  runs: number;
  /** Milliseconds: for any run, and for each item in it. Meaningless while `runs` is 0. */
  a: number;
  b: number;
  /** The most items that one run had. */
  largest: number;
  /** Whether two sizes were seen, so that a and b are known apart. */
  apart: boolean;
  readonly sizes: Float64Array;
  readonly times: Float64Array;
  readonly counts: Float64Array;
};

/** Up to 2^15 items; what is larger shares the last bucket. */
const BUCKETS = 16;
/** The weight of a new figure: about the last ten runs count. */
const WEIGHT = 0.1;
/** A run that took more than so many times the mean is a hiccup of the machine: it counts as this much only. */
const OUTLIER = 3;

export const newCost = (): Cost => ({
  runs: 0,
  a: 0,
  b: 0,
  largest: 0,
  apart: false,
  sizes: new Float64Array(BUCKETS),
  times: new Float64Array(BUCKETS),
  counts: new Float64Array(BUCKETS),
});

/** `items` ≥ 1, `ms` ≥ 0. */
export const observe = (cost: Cost, items: number, ms: number): void => {
  const bucket = Math.min(32 - Math.clz32(items - 1), BUCKETS - 1);
  const count = cost.counts[bucket] ?? 0;
  const mean = cost.times[bucket] ?? 0;
  // the first runs of a size are averaged; the very first is often slow (memory is taken), so it loses its weight soon
  const weight = Math.max(WEIGHT, 1 / (count + 1));
  const seen = count >= 2 ? Math.min(ms, OUTLIER * mean) : count === 1 ? Math.min(ms, mean) : ms;
  cost.times[bucket] = mean + weight * (seen - mean);
  const size = cost.sizes[bucket] ?? 0;
  cost.sizes[bucket] = size + weight * (items - size);
  cost.counts[bucket] = count + 1;
  cost.runs += 1;
  cost.largest = Math.max(cost.largest, items);
  fit(cost);
};

/** Milliseconds that a run of `items` will take; 0 where nothing is known. */
export const estimate = (cost: Cost, items: number): number => cost.a + cost.b * items;

/** Least squares of the relative errors, so that a run of 1 item counts as much as one of 32. */
const fit = (cost: Cost): void => {
  let w = 0;
  let wn = 0;
  let wt = 0;
  let wnn = 0;
  let wnt = 0;
  for (let i = 0; i < BUCKETS; i++) {
    const count = cost.counts[i] ?? 0;
    if (count === 0) continue;
    const n = cost.sizes[i] ?? 1;
    const t = Math.max(cost.times[i] ?? 0, 1e-6);
    const weight = Math.min(count, 8) / (t * t);
    w += weight;
    wn += weight * n;
    wt += weight * t;
    wnn += weight * n * n;
    wnt += weight * n * t;
  }
  const spread = w * wnn - wn * wn;
  cost.apart = spread > 0.01 * wn * wn;
  if (!cost.apart) {
    // one size only: how it divides is unknown, so all is charged to the items, which never promises a gain
    cost.a = 0;
    cost.b = wnt / wnn;
    return;
  }
  const b = (w * wnt - wn * wt) / spread;
  const a = (wt - b * wn) / w;
  // a line that falls, or begins below 0, is noise or caches: the nearest that makes sense
  if (a < 0) {
    cost.a = 0;
    cost.b = wnt / wnn;
  } else if (b < 0) {
    cost.a = wt / w;
    cost.b = 0;
  } else {
    cost.a = a;
    cost.b = b;
  }
};
