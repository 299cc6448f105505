import { AMPLE_BYTES, MIB, waitingBytes } from "../memory/limit.ts";

/** What the supervisor and the door take together at rest (measured 118 MB) and grow by under load within the heaps below. */
const DOOR_BYTES = 160 * MIB;
/** A shard without its model: 74 MB measured. */
const SHARD_BYTES = 80 * MIB;
/** A model's weights are in memory about twice: as they were read, and as they are laid out for the processor. */
const WEIGHT_COPIES = 2;
const LARGEST_BODY = 64 * MIB;
/** What waits is never more than so many of the largest bodies, or this: a machine's memory is not there for one client. */
const MOST_BODIES = 16;
const ENOUGH_BYTES = 256 * MIB;
/** Less is read before the pieces are collected only where this would be much: a collection takes some milliseconds. */
const LEAST_READ_BYTES = 4 * MIB;

/** What is known before the first shard has loaded. `shards`, `maxBodyBytes`: as they were asked for; undefined: not. */
export type Known = {
  limitBytes: number;
  modelBytes: number;
  /** As many shards as make sense for the processors. */
  wantedShards: number;
  shards: number | undefined;
  maxBodyBytes: number | undefined;
};

export type Budgets = {
  shards: number;
  /** For all that waits together: bodies, queued requests, answers that are not taken. */
  waitingBytes: number;
  /** Of those, for requests that were admitted. */
  queuedBytes: number;
  maxBodyBytes: number;
  /** Of one run's outputs, before they are written for the client. */
  maxAnswerBytes: number;
  /** What may be left in the door by requests and answers that are over, until it is collected. */
  mostLeftBytes: number;
  /** So much may be read from connections until the pieces are collected; undefined: as V8 thinks best. */
  mostReadBytes: number | undefined;
  /** Whether shards give back at once what a large run has taken, rather than keep it for the next. */
  givesBack: boolean;
  /**
   * Of the door's heap: what is collected as a whole no sooner, and what is young (undefined: V8's own default); and the most
   * of the thread beside it.
   */
  heap: { oldMib: number; youngMib: number | undefined; besideMib: number };
};

/**
 * Divides the pod's memory limit. Worked for a small model, two processors and no options:
 *
 *   limit     shards   waits     queued    body      answer    heap (old, young)
 *   256 MiB   1        12 MiB    8 MiB     4 MiB     4 MiB     16, 8
 *   512 MiB   2        72 MiB    48 MiB    24 MiB    24 MiB    32, 16
 *   1 GiB     2        264 MiB   176 MiB   64 MiB    88 MiB    64, 32
 *   2 GiB     2        864 MiB   432 MiB   64 MiB    216 MiB   256, V8's
 *   8 GiB     2        1 GiB     512 MiB   64 MiB    256 MiB   256, V8's
 *
 * What was asked for is kept: for a larger --max-body what waits has room for two of them, whatever else that costs.
 */
export const serverBudgets = (known: Known): Budgets => {
  const { limitBytes, modelBytes, wantedShards } = known;
  const ample = limitBytes >= AMPLE_BYTES;
  const beside = DOOR_BYTES + WEIGHT_COPIES * modelBytes;
  // a quarter is left for requests
  const fitting = Math.max(1, Math.floor((0.75 * limitBytes - beside) / SHARD_BYTES));
  const shards = known.shards ?? Math.min(wantedShards, fitting);
  const half = waitingBytes(limitBytes, beside + shards * SHARD_BYTES);
  // under a small limit a burst leaves more behind than is collected in time: the fourth quarter is for that
  const quarter = Math.floor(half / 4);
  const room = ample ? half : 3 * quarter;
  const maxBodyBytes = known.maxBodyBytes ?? Math.min(LARGEST_BODY, quarter);
  const most = Math.max(ENOUGH_BYTES, MOST_BODIES * maxBodyBytes);
  const waiting = Math.max(Math.min(room, most), 2 * maxBodyBytes);
  return {
    shards,
    waitingBytes: waiting,
    queuedBytes: Math.floor(ample ? waiting / 2 : waiting / 1.5),
    maxBodyBytes,
    maxAnswerBytes: Math.floor(ample ? waiting / 4 : waiting / 3),
    givesBack: !ample,
    mostLeftBytes: ample ? Number.MAX_SAFE_INTEGER : Math.floor(waiting / 4),
    mostReadBytes: ample ? undefined : Math.max(LEAST_READ_BYTES, Math.floor(waiting / 6)),
    heap: ample
      ? { oldMib: 256, youngMib: undefined, besideMib: 512 }
      : {
          oldMib: Math.max(16, Math.floor(limitBytes / 16 / MIB)),
          youngMib: Math.max(8, Math.floor(limitBytes / 32 / MIB)),
          besideMib: Math.max(48, Math.floor(limitBytes / 5 / MIB)),
        },
  };
};
