import type { FailureCode } from "../../../contract/pod.ts";
import type { ExecutionProvider } from "../../engine/execution-provider.ts";
import type { WarmUp } from "../../engine/first-run.ts";
import { type After, after as afterMs } from "../../event-loop/after.ts";
import type { GraphFindings } from "../graph/findings.ts";
import { MAX_FRAME_BYTES } from "./frames.ts";
import type { LoadMessage } from "./load-message.ts";
import type { ShardMessage } from "./messages.ts";
import { type Prepared, prepare } from "./preparation.ts";
import { type ProcessEnd, type ShardProcess, startShardProcess } from "./process.ts";
import { decideRestart, describeGiveUp, type End, type Ends } from "./restart.ts";
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

export type Pool = {
  /** Ends all processes; no event follows. Resolves when they are gone. */
  stop(): Promise<void>;
};

type Slot = {
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

/** Starts the shards and keeps them running. */
export const startPool = (options: PoolOptions, events: PoolEvents): Pool => {
  const { model, executionProvider, requestTimeoutMs, loadMs, warmUpMs, after = afterMs } = options;
  const intraOpThreads = Math.max(1, Math.floor(options.cpus / options.shards));
  const slots = Array.from(
    { length: options.shards },
    (_, id): Slot => ({
      id,
      process: undefined,
      shard: undefined,
      step: "waiting",
      usesCopy: false,
      loaded: undefined,
      timer: undefined,
      startedAt: 0,
      ends: [],
    }),
  );
  let prepared: Prepared | undefined;
  /** Of the model's file, once it is known. */
  let digest: string | undefined;
  let everReady = false;
  /** What the last shard that became ready took from its start. */
  let startMs = 0;
  let stopped = false;
  let onAllGone = (): void => undefined;

  const stop = (): Promise<void> => {
    stopped = true;
    preparation.stop();
    for (const slot of slots) {
      slot.timer?.close();
      slot.process?.kill("the server is ending");
    }
    return new Promise((resolve) => {
      onAllGone = () => {
        if (slots.every((slot) => slot.process === undefined)) resolve();
      };
      onAllGone();
    });
  };
  const fail = (code: FailureCode | undefined, message: string): void => {
    if (stopped) return;
    void stop();
    events.onFailed(code, message);
  };

  /** Until a shard was ready the model is to blame, and is given up; after that it is this process, and another is tried. */
  const failed = (slot: Slot, code: FailureCode | undefined, message: string): void => {
    if (everReady) slot.process?.kill(message);
    else fail(code, message);
  };

  const load = (slot: Slot): void => {
    if (prepared === undefined || slot.process === undefined || slot.step !== "waiting") return;
    slot.step = "load";
    slot.usesCopy = prepared.optimized;
    const copy = prepared.optimized ? preparation.directory() : undefined;
    const [file, ...weights] = prepared.files;
    const message: LoadMessage = {
      ...prepared,
      files: file === undefined || prepared.optimized ? prepared.files : [{ ...file, sha256: digest }, ...weights],
      executionProvider,
      intraOpThreads,
      givesBack: options.givesBack === true,
      maxAnswerBytes: options.maxAnswerBytes ?? MAX_FRAME_BYTES,
      ...(copy === undefined ? {} : { copy }),
    };
    slot.process.load(message);
    slot.timer = after(loadMs, () => failed(slot, "ModelInvalid", `the model did not load within ${loadMs / 1000} s`));
  };
  const start = (slot: Slot): void => {
    slot.step = "waiting";
    slot.startedAt = performance.now();
    slot.process = startShardProcess(
      requestTimeoutMs,
      { onMessage: (message) => onMessage(slot, message), onEnd: (end) => onEnd(slot, end) },
      after,
    );
    load(slot);
  };
  /** A copy that does not load must not keep the model from being served. */
  const dropCopy = (why: string): void => {
    if (prepared?.optimized !== true) return;
    prepared = preparation.dropCopy();
    events.onCopyDropped(`the shards do not share the weights, each holds its own: ${why}`);
  };

  const onMessage = (slot: Slot, message: ShardMessage): void => {
    if (stopped) return;
    switch (message.type) {
      case "loaded":
        slot.loaded = message;
        slot.step = "warm-up";
        slot.timer?.close();
        slot.timer = after(warmUpMs, () =>
          failed(
            slot,
            "WarmUpFailed",
            `the model loads, but its first inference did not end within ${warmUpMs / 1000} s`,
          ),
        );
        return;
      case "ready":
        slot.timer?.close();
        onReady(slot, message);
        return;
      case "failed":
        slot.timer?.close();
        if (slot.usesCopy) {
          dropCopy(message.message);
          slot.process?.kill(message.message);
        } else failed(slot, message.code, message.message);
    }
  };
  const onReady = (slot: Slot, { outputs, warmUp, warmUpSeconds }: Extract<ShardMessage, { type: "ready" }>): void => {
    const { process, loaded } = slot;
    if (process === undefined || loaded === undefined) return;
    slot.step = "serving";
    startMs = performance.now() - slot.startedAt;
    const { inputs, loadSeconds } = loaded;
    if (!everReady) {
      everReady = true;
      const sharedWeights = slot.usesCopy;
      events.onReady({ inputs, outputs, warmUp, warmUpSeconds, loadSeconds, executionProvider, sharedWeights });
    }
    const shard: Shard = { id: slot.id, run: process.run };
    slot.shard = shard;
    events.onShard(shard);
    startIdle();
  };
  /** The others are started after the first is ready, which is so ready sooner. */
  const startIdle = (): void => {
    for (const slot of slots) if (slot.process === undefined && slot.timer === undefined && !stopped) start(slot);
  };

  const onEnd = (slot: Slot, end: ProcessEnd): void => {
    const { step, shard } = slot;
    slot.timer?.close();
    slot.timer = undefined;
    slot.process = undefined;
    slot.shard = undefined;
    slot.loaded = undefined;
    if (stopped) {
      onAllGone();
      return;
    }
    if (step !== "serving" && slot.usesCopy) {
      dropCopy(end.how);
      slot.usesCopy = false;
      start(slot);
      return;
    }
    // Runs that hang are killed as often as they come: that is no fault of the process.
    const now = performance.now();
    if (!end.timedOut) slot.ends.push(now);
    slot.ends = slot.ends.slice(-10);
    const decision = end.timedOut ? { delayMs: 0 } : decideRestart(slot.ends, now, step === "serving", othersOf(slot));
    if (decision === "give-up") {
      const { code, message } = describeGiveUp({ ...end, step: step === "waiting" ? "load" : step }, everReady);
      fail(step === "waiting" ? undefined : code, message);
      return;
    }
    const backInMs = decision.delayMs + startMs;
    if (shard === undefined) events.onRetry(end.how, decision.delayMs, backInMs);
    else events.onLost(shard, end.how, backInMs);
    if (decision.delayMs === 0) start(slot);
    else {
      slot.timer = setTimeout(() => {
        slot.timer = undefined;
        start(slot);
      }, decision.delayMs);
    }
  };

  const othersOf = (slot: Slot): Ends[] =>
    everReady
      ? slots
          .filter((other) => other !== slot)
          .map(({ ends, step, process }) => ({ ends, serving: step === "serving" && process !== undefined }))
      : [];

  const share = options.shards > 1 && executionProvider === "cpu";
  const preparation = prepare(
    model,
    { share, intraOpThreads, timeoutMs: loadMs, after },
    {
      onPrepared(what, warning) {
        prepared = what;
        if (warning !== undefined) events.onWarning(warning);
        for (const slot of slots) load(slot);
      },
      onFailed: ({ code, message }) => fail(code, message),
      onGraph: (graph) => {
        if (!stopped) events.onGraph(graph);
      },
      onDigest: (sha256) => {
        digest = sha256;
        if (!stopped) events.onDigest(sha256);
      },
    },
  );
  const [first] = slots;
  if (first !== undefined) start(first);
  return { stop };
};
