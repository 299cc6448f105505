import type { Memory } from "../../memory/shares.ts";
import type { Infer, ModelStatistics } from "../index.ts";
import type { Shard } from "../shards/types.ts";
import type { Counters } from "./counters.ts";

/** Times in milliseconds. */
export type SchedulerOptions = {
  /** 1: never batch. */
  maxBatchSize: number;
  maxDelayMs: number;
  requestTimeoutMs: number;
  /** What waits and runs may take together (see `charge.ts`). */
  maxQueuedBytes: number;
  /** What is taken from it stays until the request is answered. Default: nothing but `maxQueuedBytes` bounds it. */
  memory?: Pick<Memory, "admit" | "take" | "give"> & Partial<Pick<Memory, "passed">>;
  /** Requests that wait. */
  maxQueued: number;
  /** Whether a run refuses an index beyond its table, as it does on the CPU: a device may read what is there. */
  indicesChecked: boolean;
  /** What a job costs besides its run (see Policy). */
  hopMs?: number;
};

/**
 * `disabled`: by --max-batch-size. `unproved`: requests run apart, for `reason`. `proving`: they do until it is shown that
 * their answers do not change. `on`: they share runs. `paused`: they could, but at present it gains nothing
 * or batches fail. `ended`: they run apart for good, since one was answered otherwise in a batch than alone.
 */
export type BatchingState = "disabled" | "proving" | "unproved" | "on" | "paused" | "ended";

export type SchedulerSnapshot = {
  /** Requests that wait, and what all that were not answered yet are charged for, in bytes. */
  queued: number;
  queuedBytes: number;
  /** Requests that are in a run. */
  inFlight: number;
  /** Runs. */
  running: number;
  shards: number;
  batching: { state: BatchingState; reason: string; dimension: string | undefined; size: number };
  /** Requests of batches that were run again alone. */
  checks: Readonly<CheckCounts>;
  /** Of the shape that ran last: milliseconds for any run, and for each item in it. Undefined before the first run. */
  serviceTime: { a: number; b: number } | undefined;
  counters: Readonly<Counters>;
};

export type Scheduler = {
  infer: Infer;
  addShard(shard: Shard): void;
  /** It gets no more jobs. One that it runs goes on. */
  removeShard(shard: Shard): void;
  /** Somebody else has found that an answer in a batch is another one than alone: `found` says where, and what. */
  endBatching(found: string): void;
  /** When the next shard is expected, on the clock's `now`. */
  expectShard(at: number): void;
  statistics(): ModelStatistics;
  snapshot(): SchedulerSnapshot;
  /** Refuses all that is unanswered and stops the timers. */
  close(): void;
};

/** What came of the checks, in numbers. `rounding`: a run of another size has rounded otherwise. */
export type CheckCounts = { same: number; rounding: number; different: number };
