/** Where pairs of answers are judged: small ones on the event loop, others in a thread, which is there while there are such pairs. */
import { Worker } from "node:worker_threads";
import { type After, after as afterMs } from "../../event-loop/after.ts";
import { firstFieldOf } from "../../transport/http/fields.ts";
import type { Judgement } from "./judge.ts";
import { type AnswerPair, judged } from "./judged.ts";
import type { Answer } from "./read-answer.ts";

export type ToThread = { id: number; pair: AnswerPair };
export type FromThread = { id: number; judgement: Judgement } | { id: number; failed: string };

/** Rejects where the pair could not be judged, with a reason for people. */
export type Judging = (pair: AnswerPair) => Promise<Judgement>;

/** Both answers together. Whatever is in them, reading less takes some milliseconds at most. */
const SMALL_BYTES = 16 * 1024;
/** The thread takes 20 MB, so that it is not kept for what may come. */
const IDLE_MS = 10_000;
/** Of its heap: an answer of 4 MiB takes at most some 40 MB to read. */
const HEAP_MIB = { maxOldGenerationSizeMb: 96, maxYoungGenerationSizeMb: 16 };

type Waiting = { resolve(judgement: Judgement): void; reject(error: Error): void };
type State = { readonly waiting: Map<number, Waiting>; thread: Worker | undefined; nextId: number };

/** @param here judges what is small */
export const createJudging = (here: Judging = judged, after: After = afterMs): Judging => {
  const state: State = { waiting: new Map(), thread: undefined, nextId: 0 };
  const idle = after(IDLE_MS, () => {
    if (state.waiting.size > 0) return;
    void state.thread?.terminate();
    state.thread = undefined;
  });
  return (pair) => {
    if (isSmall(pair)) return here(pair);
    state.thread ??= startThread(state);
    const { thread } = state;
    const { promise, resolve, reject } = Promise.withResolvers<Judgement>();
    const id = state.nextId++;
    state.waiting.set(id, { resolve, reject });
    // whoever waits keeps the process, and an idle thread does not
    thread.ref();
    const message: ToThread = { id, pair };
    thread.postMessage(message);
    return promise.finally(() => {
      if (state.waiting.size > 0) return;
      state.thread?.unref();
      idle.refresh();
    });
  };
};

/** What is compressed may be large. */
const isSmall = ({ ours, theirs }: AnswerPair): boolean =>
  ours.bytes.length + theirs.bytes.length <= SMALL_BYTES && isPlain(ours) && isPlain(theirs);

const isPlain = ({ head }: Answer): boolean =>
  ["content-encoding", "grpc-encoding"].every((name) => (firstFieldOf(head.fields, name) ?? "identity") === "identity");

const startThread = (state: State): Worker => {
  const started = new Worker(new URL("./judge-thread.ts", import.meta.url), { resourceLimits: HEAP_MIB });
  let failure: Error | undefined;
  started.on("message", (message: FromThread) => {
    const one = state.waiting.get(message.id);
    state.waiting.delete(message.id);
    if ("judgement" in message) one?.resolve(message.judgement);
    else one?.reject(new Error(message.failed));
  });
  started.on("error", (error) => {
    failure = error instanceof Error ? error : new Error(String(error));
  });
  started.on("exit", () => {
    if (state.thread !== started) return;
    state.thread = undefined;
    const outOfMemory = failure !== undefined && "code" in failure && failure.code === "ERR_WORKER_OUT_OF_MEMORY";
    const reason = outOfMemory
      ? "the answers take more memory to compare than the router has for it"
      : "the thread that compares answers has ended";
    for (const one of state.waiting.values()) one.reject(new Error(reason));
    state.waiting.clear();
  });
  return started;
};
