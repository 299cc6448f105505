import { after as afterMs } from "../../event-loop/after.ts";
import { createSlot, fail, type PoolEvents, type PoolOptions, type PoolState, stop } from "./pool-state.ts";
import { prepare } from "./preparation.ts";
import { onPrepared, start } from "./slots.ts";

export type { PoolEvents, PoolModel, PoolOptions } from "./pool-state.ts";

export type Pool = {
  /** Ends all processes; no event follows. Resolves when they are gone. */
  stop(): Promise<void>;
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
  const state: PoolState = {
    ...{ options, events, after, intraOpThreads, slots, preparation },
    ...{ prepared: undefined, digest: undefined, everReady: false, startMs: 0, stopped: false },
    onAllGone: () => undefined,
  };
  const [first] = slots;
  if (first !== undefined) start(state, first);
  return { stop: () => stop(state) };
};
