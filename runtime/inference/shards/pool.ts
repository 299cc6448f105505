import type { FailureCode } from "../../../contract/pod.ts";
import type { ExecutionProvider } from "../../engine/execution-provider.ts";
import type { WarmUp } from "../../engine/first-run.ts";
import { type After, after as afterMs } from "../../event-loop/after.ts";
import type { GraphFindings } from "../graph/findings.ts";
import { MAX_FRAME_BYTES } from "./frames.ts";
import type { LoadMessage } from "./load-message.ts";
import type { ShardMessage } from "./messages.ts";
import { type Preparation, type Prepared, prepare } from "./preparation.ts";
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

/** All shards, and what they have in common. */
type State = {
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

/** Starts the shards and keeps them running. */
export const startPool = (options: PoolOptions, events: PoolEvents): Pool => {
  const { after = afterMs, cpus, executionProvider, loadMs, model, shards } = options;
  const intraOpThreads = Math.max(1, Math.floor(cpus / shards));
  const share = shards > 1 && executionProvider === "cpu";
  const slots = Array.from({ length: shards }, (_, id) => createSlot(id));
  const preparation = prepare(
    model,
    { share, intraOpThreads, timeoutMs: loadMs, after },
    {
      onPrepared: (what, warning) => onPrepared(state, what, warning),
      onFailed: ({ code, message }) => fail(state, code, message),
      onGraph: (graph) => {
        if (!state.stopped) events.onGraph(graph);
      },
      onDigest: (sha256) => {
        state.digest = sha256;
        if (!state.stopped) events.onDigest(sha256);
      },
    },
  );
  const state: State = {
    ...{ options, events, after, intraOpThreads, slots, preparation },
    ...{ prepared: undefined, digest: undefined, everReady: false, startMs: 0, stopped: false },
    onAllGone: () => undefined,
  };
  const [first] = slots;
  if (first !== undefined) start(state, first);
  return { stop: () => stop(state) };
};

const createSlot = (id: number): Slot => ({
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

const stop = (state: State): Promise<void> => {
  const { preparation, slots } = state;
  state.stopped = true;
  preparation.stop();
  for (const slot of slots) {
    slot.timer?.close();
    slot.process?.kill("the server is ending");
  }
  return new Promise((resolve) => {
    state.onAllGone = () => {
      if (slots.every((slot) => slot.process === undefined)) resolve();
    };
    state.onAllGone();
  });
};

const fail = (state: State, code: FailureCode | undefined, message: string): void => {
  if (state.stopped) return;
  void stop(state);
  state.events.onFailed(code, message);
};

/** Until a shard was ready the model is to blame, and is given up; after that it is this process, and another is tried. */
const failed = (state: State, slot: Slot, code: FailureCode | undefined, message: string): void => {
  if (state.everReady) slot.process?.kill(message);
  else fail(state, code, message);
};

const onPrepared = (state: State, what: Prepared, warning: string | undefined): void => {
  state.prepared = what;
  if (warning !== undefined) state.events.onWarning(warning);
  for (const slot of state.slots) load(state, slot);
};

const start = (state: State, slot: Slot): void => {
  slot.step = "waiting";
  slot.startedAt = performance.now();
  slot.process = startShardProcess(
    state.options.requestTimeoutMs,
    { onMessage: (message) => onMessage(state, slot, message), onEnd: (end) => onEnd(state, slot, end) },
    state.after,
  );
  load(state, slot);
};

const load = (state: State, slot: Slot): void => {
  const { after, options, prepared } = state;
  if (prepared === undefined || slot.process === undefined || slot.step !== "waiting") return;
  slot.step = "load";
  slot.usesCopy = prepared.optimized;
  slot.process.load(messageOf(state, prepared));
  const { loadMs } = options;
  slot.timer = after(loadMs, () =>
    failed(state, slot, "ModelInvalid", `the model did not load within ${loadMs / 1000} s`),
  );
};

const messageOf = ({ digest, intraOpThreads, options, preparation }: State, prepared: Prepared): LoadMessage => {
  const copy = prepared.optimized ? preparation.directory() : undefined;
  const [file, ...weights] = prepared.files;
  return {
    ...prepared,
    files: file === undefined || prepared.optimized ? prepared.files : [{ ...file, sha256: digest }, ...weights],
    executionProvider: options.executionProvider,
    intraOpThreads,
    givesBack: options.givesBack === true,
    maxAnswerBytes: options.maxAnswerBytes ?? MAX_FRAME_BYTES,
    ...(copy === undefined ? {} : { copy }),
  };
};

/** A copy that does not load must not keep the model from being served. */
const dropCopy = (state: State, why: string): void => {
  if (state.prepared?.optimized !== true) return;
  state.prepared = state.preparation.dropCopy();
  state.events.onCopyDropped(`the shards do not share the weights, each holds its own: ${why}`);
};

const onMessage = (state: State, slot: Slot, message: ShardMessage): void => {
  if (state.stopped) return;
  switch (message.type) {
    case "loaded":
      onLoaded(state, slot, message);
      return;
    case "ready":
      slot.timer?.close();
      onReady(state, slot, message);
      return;
    case "failed":
      slot.timer?.close();
      if (slot.usesCopy) {
        dropCopy(state, message.message);
        slot.process?.kill(message.message);
      } else failed(state, slot, message.code, message.message);
  }
};

const onLoaded = (state: State, slot: Slot, loaded: Slot["loaded"]): void => {
  const { warmUpMs } = state.options;
  slot.loaded = loaded;
  slot.step = "warm-up";
  slot.timer?.close();
  slot.timer = state.after(warmUpMs, () =>
    failed(
      state,
      slot,
      "WarmUpFailed",
      `the model loads, but its first inference did not end within ${warmUpMs / 1000} s`,
    ),
  );
};

const onReady = (
  state: State,
  slot: Slot,
  { outputs, warmUp, warmUpSeconds }: Extract<ShardMessage, { type: "ready" }>,
): void => {
  const { events, options } = state;
  const { process, loaded } = slot;
  if (process === undefined || loaded === undefined) return;
  slot.step = "serving";
  state.startMs = performance.now() - slot.startedAt;
  const { inputs, loadSeconds } = loaded;
  if (!state.everReady) {
    state.everReady = true;
    const { executionProvider } = options;
    const sharedWeights = slot.usesCopy;
    events.onReady({ inputs, outputs, warmUp, warmUpSeconds, loadSeconds, executionProvider, sharedWeights });
  }
  const shard: Shard = { id: slot.id, run: process.run };
  slot.shard = shard;
  events.onShard(shard);
  startIdle(state);
};

/** The others are started after the first is ready, which is so ready sooner. */
const startIdle = (state: State): void => {
  for (const slot of state.slots)
    if (slot.process === undefined && slot.timer === undefined && !state.stopped) start(state, slot);
};

const onEnd = (state: State, slot: Slot, end: ProcessEnd): void => {
  const { step, shard } = slot;
  slot.timer?.close();
  slot.timer = undefined;
  slot.process = undefined;
  slot.shard = undefined;
  slot.loaded = undefined;
  if (state.stopped) {
    state.onAllGone();
    return;
  }
  if (step !== "serving" && slot.usesCopy) {
    dropCopy(state, end.how);
    slot.usesCopy = false;
    start(state, slot);
    return;
  }
  const decision = decide(state, slot, end, step);
  if (decision === "give-up") giveUp(state, end, step);
  else restart(state, slot, { how: end.how, shard, delayMs: decision.delayMs });
};

const decide = (state: State, slot: Slot, end: ProcessEnd, step: Slot["step"]): ReturnType<typeof decideRestart> => {
  // Runs that hang are killed as often as they come: that is no fault of the process.
  const now = performance.now();
  if (!end.timedOut) slot.ends.push(now);
  slot.ends = slot.ends.slice(-10);
  return end.timedOut ? { delayMs: 0 } : decideRestart(slot.ends, now, step === "serving", othersOf(state, slot));
};

const othersOf = ({ everReady, slots }: State, slot: Slot): Ends[] =>
  everReady
    ? slots
        .filter((other) => other !== slot)
        .map(({ ends, step, process }) => ({ ends, serving: step === "serving" && process !== undefined }))
    : [];

const giveUp = (state: State, end: ProcessEnd, step: Slot["step"]): void => {
  const { code, message } = describeGiveUp({ ...end, step: step === "waiting" ? "load" : step }, state.everReady);
  fail(state, step === "waiting" ? undefined : code, message);
};

/** @param shard that was ready and is lost; undefined where the process never was */
const restart = (
  state: State,
  slot: Slot,
  { delayMs, how, shard }: { delayMs: number; how: string; shard: Shard | undefined },
): void => {
  const backInMs = delayMs + state.startMs;
  if (shard === undefined) state.events.onRetry(how, delayMs, backInMs);
  else state.events.onLost(shard, how, backInMs);
  if (delayMs === 0) {
    start(state, slot);
    return;
  }
  slot.timer = setTimeout(() => {
    slot.timer = undefined;
    start(state, slot);
  }, delayMs);
};
