import type { RequestErrorCode } from "../../errors/request-error.ts";
import type { Duration, ModelStatistics } from "../index.ts";

/** Upper bounds of the histograms' buckets in milliseconds; a last bucket takes what is above. */
export const LATENCY_BOUNDS_MS: readonly number[] = [
  0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000,
];

export type Histogram = { counts: number[]; sumMs: number };
/** Milliseconds; turned into nanoseconds only where somebody asks. */
type Sum = { count: number; ms: number };
type BatchSums = { runs: number; inputMs: number; inferMs: number; outputMs: number };

export type Counters = {
  lastInferenceMs: number;
  inferences: number;
  executions: number;
  success: Sum;
  fail: Sum;
  queue: Sum;
  /** `count` is that of the requests, and each is charged with its whole batch's time, as Triton does. */
  computeInput: Sum;
  computeInfer: Sum;
  computeOutput: Sum;
  batches: Map<number, BatchSums>;
  errors: Partial<Record<RequestErrorCode, number>>;
  requestMs: Histogram;
  queueMs: Histogram;
  retried: number;
  shardsLost: number;
};

export const newCounters = (): Counters => ({
  lastInferenceMs: 0,
  inferences: 0,
  executions: 0,
  success: { count: 0, ms: 0 },
  fail: { count: 0, ms: 0 },
  queue: { count: 0, ms: 0 },
  computeInput: { count: 0, ms: 0 },
  computeInfer: { count: 0, ms: 0 },
  computeOutput: { count: 0, ms: 0 },
  batches: new Map(),
  errors: {},
  requestMs: newHistogram(),
  queueMs: newHistogram(),
  retried: 0,
  shardsLost: 0,
});

const newHistogram = (): Histogram => ({ counts: new Array<number>(LATENCY_BOUNDS_MS.length + 1).fill(0), sumMs: 0 });

export const add = (sum: Sum, count: number, ms: number): void => {
  sum.count += count;
  sum.ms += ms;
};

export const record = (histogram: Histogram, ms: number): void => {
  let bucket = 0;
  while (ms > (LATENCY_BOUNDS_MS[bucket] ?? Number.POSITIVE_INFINITY)) bucket++;
  histogram.counts[bucket] = (histogram.counts[bucket] ?? 0) + 1;
  histogram.sumMs += ms;
};

/** A run of `items` for `requests` that succeeded. */
export const countRun = (
  counters: Counters,
  requests: number,
  items: number,
  inputMs: number,
  inferMs: number,
  outputMs: number,
): void => {
  counters.executions += 1;
  counters.inferences += items;
  add(counters.computeInput, requests, requests * inputMs);
  add(counters.computeInfer, requests, requests * inferMs);
  add(counters.computeOutput, requests, requests * outputMs);
  let sums = counters.batches.get(items);
  if (sums === undefined) {
    sums = { runs: 0, inputMs: 0, inferMs: 0, outputMs: 0 };
    // a client chooses how many items its request has: sizes beyond the first thousand are not told apart
    if (counters.batches.size < MAX_SIZES) counters.batches.set(items, sums);
  }
  sums.runs += 1;
  sums.inputMs += inputMs;
  sums.inferMs += inferMs;
  sums.outputMs += outputMs;
};

const MAX_SIZES = 1024;

export const statisticsOf = (counters: Counters): ModelStatistics => ({
  lastInferenceMs: counters.lastInferenceMs,
  inferenceCount: counters.inferences,
  executionCount: counters.executions,
  success: duration(counters.success),
  fail: duration(counters.fail),
  queue: duration(counters.queue),
  computeInput: duration(counters.computeInput),
  computeInfer: duration(counters.computeInfer),
  computeOutput: duration(counters.computeOutput),
  batches: [...counters.batches]
    .sort(([one], [other]) => one - other)
    .map(([size, { runs, inputMs, inferMs, outputMs }]) => ({
      size,
      computeInput: duration({ count: runs, ms: inputMs }),
      computeInfer: duration({ count: runs, ms: inferMs }),
      computeOutput: duration({ count: runs, ms: outputMs }),
    })),
});

const duration = ({ count, ms }: Sum): Duration => ({ count, ns: Math.round(ms * 1e6) });
