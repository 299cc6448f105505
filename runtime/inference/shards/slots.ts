/** One shard after the other: started, loaded, warmed up, and started again when it ends. */
import { MAX_FRAME_BYTES } from "./frames.ts";
import type { LoadMessage } from "./load-message.ts";
import type { ShardMessage } from "./messages.ts";
import { fail, failed, type PoolState, type Slot } from "./pool-state.ts";
import type { Prepared } from "./preparation.ts";
import { type ProcessEnd, startShardProcess } from "./process.ts";
import { decideRestart, describeGiveUp, type Ends } from "./restart.ts";
import type { Shard } from "./types.ts";

export const onPrepared = (state: PoolState, what: Prepared, warning: string | undefined): void => {
  state.prepared = what;
  if (warning !== undefined) state.events.onWarning(warning);
  for (const slot of state.slots) load(state, slot);
};

export const start = (state: PoolState, slot: Slot): void => {
  slot.step = "waiting";
  slot.startedAt = performance.now();
  slot.process = startShardProcess(
    state.options.requestTimeoutMs,
    { onMessage: (message) => onMessage(state, slot, message), onEnd: (end) => onEnd(state, slot, end) },
    state.after,
  );
  load(state, slot);
};

const load = (state: PoolState, slot: Slot): void => {
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

const messageOf = ({ digest, intraOpThreads, options, preparation }: PoolState, prepared: Prepared): LoadMessage => {
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
const dropCopy = (state: PoolState, why: string): void => {
  if (state.prepared?.optimized !== true) return;
  state.prepared = state.preparation.dropCopy();
  state.events.onCopyDropped(`the shards do not share the weights, each holds its own: ${why}`);
};

const onMessage = (state: PoolState, slot: Slot, message: ShardMessage): void => {
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

const onLoaded = (state: PoolState, slot: Slot, loaded: Slot["loaded"]): void => {
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
  state: PoolState,
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
const startIdle = (state: PoolState): void => {
  for (const slot of state.slots)
    if (slot.process === undefined && slot.timer === undefined && !state.stopped) start(state, slot);
};

const onEnd = (state: PoolState, slot: Slot, end: ProcessEnd): void => {
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

const decide = (
  state: PoolState,
  slot: Slot,
  end: ProcessEnd,
  step: Slot["step"],
): ReturnType<typeof decideRestart> => {
  // Runs that hang are killed as often as they come: that is no fault of the process.
  const now = performance.now();
  if (!end.timedOut) slot.ends.push(now);
  slot.ends = slot.ends.slice(-10);
  return end.timedOut ? { delayMs: 0 } : decideRestart(slot.ends, now, step === "serving", othersOf(state, slot));
};

const othersOf = ({ everReady, slots }: PoolState, slot: Slot): Ends[] =>
  everReady
    ? slots
        .filter((other) => other !== slot)
        .map(({ ends, step, process }) => ({ ends, serving: step === "serving" && process !== undefined }))
    : [];

const giveUp = (state: PoolState, end: ProcessEnd, step: Slot["step"]): void => {
  const { code, message } = describeGiveUp({ ...end, step: step === "waiting" ? "load" : step }, state.everReady);
  fail(state, step === "waiting" ? undefined : code, message);
};

/** @param shard that was ready and is lost; undefined where the process never was */
const restart = (
  state: PoolState,
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
