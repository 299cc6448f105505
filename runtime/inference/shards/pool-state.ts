/** The shards of a model as they are now, and how all of them end. */
import type { FailureCode } from "../../../contract/pod.ts";
import type { ExecutionProvider } from "../../engine/execution-provider.ts";
import type { WarmUp } from "../../engine/first-run.ts";
import type { After } from "../../event-loop/after.ts";
import type { GraphFindings } from "../graph/findings.ts";
import type { ShardMessage } from "./messages.ts";
import type { Preparation, Prepared } from "./preparation.ts";
import type { ShardProcess } from "./process.ts";
import type { End } from "./restart.ts";
import type { LoadedModel, Shard } from "./types.ts";

export type PoolOptions = {
  /** The model's file. */
  model: string;
  executionProvider: ExecutionProvider;
  shards: number;
  /** The processors to divide among the shards: `cpuLimit()`. */
  cpus: number;
  /** A run that takes longer ends its shard. */
  requestTimeoutMs: number;
  /** Loading may take this long, and so may the check of the file and making the copy that the shards share. */
  loadMs: number;
  /** The first inference may take this long. */
  warmUpMs: number;
  /** Whether shards give back what a large run has taken (see `LoadOptions`). Default: they keep it. */
  givesBack?: boolean;
  /** Of the outputs of one run. Default: what fits into a frame. */
  maxAnswerBytes?: number;
  /** For those times. */
  after?: After;
};

/** What the first shard that was ready has shown. */
export type PoolModel = LoadedModel & {
  warmUp: WarmUp;
  warmUpSeconds: number;
  loadSeconds: number;
  executionProvider: ExecutionProvider;
  /** Whether the shards map one copy of the weights. */
  sharedWeights: boolean;
};

export type PoolEvents = {
  /** Once, before the first `onShard`. */
  onReady(model: PoolModel): void;
  /** A shard has loaded the model, has run it once, and may be given jobs. */
  onShard(shard: Shard): void;
  /**
   * A shard that was ready is gone, for the reason that `message` gives. `onShard` tells when another is there, which is
   * expected after `backInMs`.
   */
  onLost(shard: Shard, message: string, backInMs: number): void;
  /** A process that was not ready yet has ended, and another is started after `delayMs` and ready after `backInMs`. */
  onRetry(message: string, delayMs: number, backInMs: number): void;
  onWarning(message: string): void;
  /** From now on each shard that starts holds weights of its own. */
  onCopyDropped(message: string): void;
  /** What the model's graph says of batching; once, before or after `onReady`. */
  onGraph(graph: GraphFindings): void;
  /** The SHA-256 of the model's file, in hexadecimal. */
  onDigest(sha256: string): void;
  /** Once: the pool has given up and has ended its shards. Without a code the model is not to blame. */
  onFailed(code: FailureCode | undefined, message: string): void;
};

export type Slot = {
  readonly id: number;
  process: ShardProcess | undefined;
  shard: Shard | undefined;
  step: "waiting" | End["step"];
  usesCopy: boolean;
  loaded: Extract<ShardMessage, { type: "loaded" }> | undefined;
  timer: ReturnType<After> | undefined;
  /** When its process was started; like all times here in milliseconds of `performance.now`. */
  startedAt: number;
  /** When its processes ended by themselves. */
  ends: number[];
};

/** All shards, and what they have in common. */
export type PoolState = {
  readonly options: PoolOptions;
  readonly events: PoolEvents;
  readonly after: After;
  readonly intraOpThreads: number;
  readonly slots: readonly Slot[];
  readonly preparation: Preparation;
  /** What shards load; undefined until the file is checked. */
  prepared: Prepared | undefined;
  /** Of the model's file, once it is known. */
  digest: string | undefined;
  /** A shard was ready once. */
  everReady: boolean;
  /** What the last shard that became ready took from its start. */
  startMs: number;
  stopped: boolean;
  onAllGone: () => void;
};

export const createSlot = (id: number): Slot => ({
  id,
  process: undefined,
  shard: undefined,
  step: "waiting",
  usesCopy: false,
  loaded: undefined,
  timer: undefined,
  startedAt: 0,
  ends: [],
});

export const stop = (state: PoolState): Promise<void> => {
  const { preparation, slots } = state;
  state.stopped = true;
  preparation.stop();
  for (const slot of slots) {
    slot.timer?.close();
    slot.process?.kill("the server is shutting down");
  }
  return new Promise((resolve) => {
    state.onAllGone = () => {
      if (slots.every((slot) => slot.process === undefined)) resolve();
    };
    state.onAllGone();
  });
};

export const fail = (state: PoolState, code: FailureCode | undefined, message: string): void => {
  if (state.stopped) return;
  void stop(state);
  state.events.onFailed(code, message);
};

/** Until a shard was ready the model is to blame, and is given up; after that it is this process, and another is tried. */
export const failed = (state: PoolState, slot: Slot, code: FailureCode | undefined, message: string): void => {
  if (state.everReady) slot.process?.kill(message);
  else fail(state, code, message);
};
