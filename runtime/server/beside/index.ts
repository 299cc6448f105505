/** What would hold the door's event loop is done in a thread beside it, which is there while there is such work. */
import { Worker } from "node:worker_threads";
import { RequestError } from "../../errors/request-error.ts";
import { after as afterMs } from "../../event-loop/after.ts";
import type { Inference, InferenceCall } from "../../inference/index.ts";
import { isWhole } from "../../inference/whole.ts";
import { crowdedOut } from "../../memory/shares.ts";
import { errorOf, tellable } from "./errors.ts";
import {
  advance,
  type BesideOptions,
  type BesideState,
  charge,
  finish,
  type Job,
  post,
  refuse,
  replyTo,
  tooMany,
} from "./jobs.ts";
import type { Asked, FromThread, Response, ThreadStart } from "./messages.ts";
import { createParcel } from "./transfer.ts";

export type { BesideOptions } from "./jobs.ts";

/** `cancel`: nobody waits for the answer any more. */
export type Pending<T> = { answer: Promise<T>; cancel(): void };

export type Beside = {
  /** @param forget gives back at once what the request is counted for */
  ask(asked: Asked, forget?: () => void): Pending<Response>;
  /** Ends the thread, and with it what is on its way. */
  close(): void;
};

/** The thread takes 40 MB, so that it is not kept for what may come. */
const IDLE_MS = 3000;

export const createBeside = (options: BesideOptions): Beside => {
  const { after = afterMs } = options;
  const idle = after(IDLE_MS, () => onIdle(state));
  const state: BesideState = {
    ...{ options, idle, jobs: new Map(), replies: [], asks: new Map() },
    ...{ busy: undefined, thread: undefined, nextId: 0 },
  };
  return {
    ask: (asked, forget) => ask(state, asked, forget),
    close() {
      idle.close();
      void state.thread?.terminate();
    },
  };
};

const ask = (state: BesideState, asked: Asked, forget?: () => void): Pending<Response> => {
  const { jobs, options } = state;
  const { promise, resolve, reject } = Promise.withResolvers<Response>();
  const job: Job = {
    ...{ id: state.nextId++, asked, charged: 0, resolve, reject },
    ...{ runs: new Map(), posted: false, begun: nothing },
  };
  if (asked.done !== undefined && !charge(state, job, asked.done.outputs)) {
    reject(tooMany());
    return { answer: promise, cancel: nothing };
  }
  jobs.set(job.id, job);
  if (state.thread === undefined) startThread(state);
  state.asks.set(job, () => begin(state, job));
  if (asked.done === undefined && forget !== undefined)
    job.begun = options.memory.unread(sizeOf(asked), () => {
      refuse(state, job, crowdedOut());
      forget();
    });
  advance(state);
  return { answer: promise, cancel: () => cancel(state, job) };
};

/** Gives it to the thread to read. */
const begin = (state: BesideState, job: Job): void => {
  job.posted = true;
  job.begun();
  const [asked, list] = packed(job.asked);
  post(state, { type: "ask", id: job.id, asked }, list);
};

const cancel = (state: BesideState, job: Job): void => {
  if (!state.jobs.has(job.id)) return;
  if (job.posted) post(state, { type: "gone", id: job.id });
  else refuse(state, job, new RequestError("Cancelled", "the client closed the connection"));
};

const startThread = (state: BesideState): void => {
  const { heapMib, model, serverVersion, maxTensorBytes, timeOrigin } = state.options;
  const workerData: ThreadStart = { model, serverVersion, maxTensorBytes, timeOrigin };
  const started = new Worker(new URL("./thread.ts", import.meta.url), {
    workerData,
    resourceLimits: { maxOldGenerationSizeMb: heapMib, maxYoungGenerationSizeMb: 16 },
  });
  let failure: Error | undefined;
  started.on("message", (message: FromThread) => onMessage(state, message));
  started.on("error", (error) => {
    failure = error instanceof Error ? error : new Error(String(error));
  });
  started.on("exit", () => onEnd(state, started, failure));
  state.thread = started;
};

const onMessage = (state: BesideState, message: FromThread): void => {
  const job = state.jobs.get(message.id);
  switch (message.type) {
    case "infer":
      if (job !== undefined) run(state, job, message.run, message.call);
      return;
    case "cancel":
      job?.runs.get(message.run)?.cancel();
      return;
    case "response":
      if (job !== undefined && finish(state, job)) job.resolve(message.response);
      return;
    case "refused":
      if (job !== undefined) refuse(state, job, errorOf(message.error));
      return;
    case "turned":
      state.busy = undefined;
      advance(state);
  }
};

/** Does what the thread asks of the model for a request. */
const run = (state: BesideState, job: Job, index: number, call: InferenceCall): void => {
  const { id } = job;
  const fail = (error: unknown): void => {
    replyTo(state, job, () => post(state, { type: "failed", id, run: index, error: tellable(error) }));
  };
  let inference: Inference;
  try {
    inference = state.options.infer(call);
  } catch (error) {
    fail(error);
    return;
  }
  job.runs.set(index, inference);
  inference.result.then((outputs) => {
    job.runs.delete(index);
    if (!state.jobs.has(id)) return;
    if (!charge(state, job, outputs)) {
      fail(tooMany());
      return;
    }
    replyTo(state, job, () => {
      const parcel = createParcel(isWhole(outputs));
      post(state, { type: "outputs", id, run: index, outputs: parcel.tensors(outputs) }, parcel.list());
    });
  }, fail);
};

const onIdle = (state: BesideState): void => {
  if (state.jobs.size > 0) return;
  void state.thread?.terminate();
  state.thread = undefined;
  state.busy = undefined;
};

/** What the thread had in hand is to blame for its end; the others have lost what they had there. */
const onEnd = (state: BesideState, ended: Worker, error: Error | undefined): void => {
  if (state.thread !== ended) return;
  state.thread = undefined;
  const outOfMemory = error !== undefined && "code" in error && error.code === "ERR_WORKER_OUT_OF_MEMORY";
  const culprit = state.busy;
  state.busy = undefined;
  state.replies = [];
  for (const job of [...state.jobs.values()])
    refuse(state, job, job === culprit && outOfMemory ? tooLarge() : threadEnded());
};

const nothing = (): void => undefined;

const sizeOf = (asked: Asked): number => (asked.kind === "http" ? asked.body : asked.message).length;

/** The body is the request's own, and goes over; what was inferred is copied where it is a part of a batch's. */
const packed = (asked: Asked): [Asked, ArrayBuffer[]] => {
  const given = createParcel(asked.done !== undefined && isWhole(asked.done.outputs));
  // the inputs may be views of the body
  const inputs = createParcel(false);
  const done = asked.done && {
    call: { ...asked.done.call, inputs: inputs.tensors(asked.done.call.inputs) },
    outputs: given.tensors(asked.done.outputs),
  };
  const body = createParcel(true);
  const message: Asked =
    asked.kind === "http"
      ? { ...asked, body: body.view(asked.body), done }
      : { ...asked, message: body.view(asked.message), done };
  return [message, [...given.list(), ...inputs.list(), ...body.list()]];
};

const threadEnded = (): RequestError =>
  new RequestError("Unavailable", "the thread that read or wrote this request has ended; try again", 1);

const tooLarge = (): RequestError =>
  new RequestError(
    "TooLarge",
    "reading the request needs more memory than the memory limit leaves; send less at once, or raise spec.resources.limits.memory",
  );
