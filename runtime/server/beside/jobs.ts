/** What the thread beside the door has to do, one thing at a time, and how each request ends. */
import type { Worker } from "node:worker_threads";
import { RequestError } from "../../errors/request-error.ts";
import type { After } from "../../event-loop/after.ts";
import type { Infer, Inference } from "../../inference/index.ts";
import type { Memory } from "../../memory/shares.ts";
import type { Asked, Outputs, Response, ThreadStart, ToThread } from "./messages.ts";

export type BesideOptions = ThreadStart & {
  /** Of the thread's own heap: a request that takes more to read is refused. */
  heapMib: number;
  infer: Infer;
  /** Answers are charged to it from their inference to their last byte of text. */
  memory: Pick<Memory, "admit" | "give" | "unread">;
  after?: After;
};

export type Job = {
  id: number;
  asked: Asked;
  charged: number;
  resolve(response: Response): void;
  reject(error: Error): void;
  runs: Map<number, Inference>;
  posted: boolean;
  /** It waits no more to be read. */
  begun(): void;
};

export type BesideState = {
  readonly options: BesideOptions;
  readonly jobs: Map<number, Job>;
  /**
   * What the thread is to do next: one thing at a time, so that no more is read than has been admitted. What follows from a request
   * that was read goes first, refusals too: until it is done the request holds memory, for want of which those behind it would be refused.
   */
  replies: { job: Job; post(): void }[];
  readonly asks: Map<Job, () => void>;
  /** What the thread has in hand. */
  busy: Job | undefined;
  thread: Worker | undefined;
  nextId: number;
  /** Ends the thread when there was nothing for it to do for some time. */
  readonly idle: ReturnType<After>;
};

/** The text of a tensor of floats is about three times its bytes. */
const TEXT_FACTOR = 3;

export const post = ({ thread }: BesideState, message: ToThread, list: ArrayBuffer[] = []): void =>
  thread?.postMessage(message, list);

/** Has the thread do the next thing, if it has nothing in hand. */
export const advance = (state: BesideState): void => {
  const { asks, jobs } = state;
  while (state.busy === undefined) {
    const reply = state.replies.shift();
    if (reply !== undefined) {
      if (!jobs.has(reply.job.id)) continue;
      state.busy = reply.job;
      reply.post();
      return;
    }
    const [first] = asks;
    if (first === undefined) return;
    const [job, begin] = first;
    asks.delete(job);
    state.busy = job;
    begin();
  }
};

export const replyTo = (state: BesideState, job: Job, reply: () => void): void => {
  state.replies.push({ job, post: reply });
  advance(state);
};

/** False where it was over. */
export const finish = ({ asks, idle, jobs, options }: BesideState, job: Job): boolean => {
  if (!jobs.delete(job.id)) return false;
  asks.delete(job);
  job.begun();
  options.memory.give(job.charged);
  for (const { cancel } of job.runs.values()) cancel();
  if (jobs.size === 0) idle.refresh();
  return true;
};

export const refuse = (state: BesideState, job: Job, error: Error): void => {
  if (finish(state, job)) job.reject(error);
};

/** Counts what an answer takes until its last byte of text; false where there is no memory for it. */
export const charge = ({ options }: BesideState, job: Job, outputs: Outputs): boolean => {
  let bytes = 0;
  for (const tensor of outputs.values()) bytes += TEXT_FACTOR * tensor.bytes.length;
  if (!options.memory.admit(bytes)) return false;
  job.charged += bytes;
  return true;
};

export const tooMany = (): RequestError =>
  new RequestError("Overloaded", "the memory for answers is full; try again", 1);
