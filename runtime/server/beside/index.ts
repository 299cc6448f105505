/** What would hold the door's event loop is done in a thread beside it, which is there while there is such work. */
import { Worker } from "node:worker_threads";
import { RequestError } from "../../errors/request-error.ts";
import { type After, after as afterMs } from "../../event-loop/after.ts";
import type { Infer, Inference, InferenceCall } from "../../inference/index.ts";
import { isWhole } from "../../inference/whole.ts";
import { crowdedOut, type Memory } from "../../memory/shares.ts";
import { writingAllMs } from "./cost.ts";
import { errorOf, tellable } from "./errors.ts";
import type { Asked, Done, FromThread, Outputs, Response, ThreadStart, ToThread } from "./messages.ts";
import { createParcel } from "./transfer.ts";

export type BesideOptions = ThreadStart & {
  /** Of the thread's own heap: a request that takes more to read is refused. */
  heapMib: number;
  infer: Infer;
  /** Answers are charged to it from their inference to their last byte of text. */
  memory: Pick<Memory, "admit" | "give" | "unread">;
  after?: After;
};

/** `cancel`: nobody waits for the answer any more. */
export type Pending<T> = { answer: Promise<T>; cancel(): void };

export type Beside = {
  /** @param forget gives back at once what the request is counted for */
  ask(asked: Asked, forget?: () => void): Pending<Response>;
  /** Ends the thread, and with it what is on its way. */
  close(): void;
};

/** The text of a tensor of floats is about three times its bytes. */
const TEXT_FACTOR = 3;
/** The thread takes 40 MB, so that it is not kept for what may come. */
const IDLE_MS = 3000;

/** Rejects an inference whose answer is to be written beside: the same request is asked there, with the outputs. */
export class AnswerBeside extends Error {
  readonly done: Done;
  constructor(done: Done) {
    super("the answer is too large to be written by the door");
    this.done = done;
  }
}

/** `infer` for handlers of the door: outputs that take more than `mostMs` to write are not given to them. */
export const inferBeside =
  (infer: Infer, mostMs: number, turn: (ms: number) => Promise<void> | undefined): Infer =>
  (call) => {
    const { result, cancel } = infer(call);
    const checked = result.then((outputs): Outputs | Promise<Outputs> => {
      const ms = writingAllMs(outputs);
      if (ms > mostMs) throw new AnswerBeside({ call, outputs });
      const wait = ms > 1 ? turn(ms) : undefined;
      return wait === undefined ? outputs : wait.then(() => outputs);
    });
    const leave = (): void => {
      checked.catch(() => undefined);
      cancel();
    };
    return { result: checked, cancel: leave };
  };

type Job = {
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

export const createBeside = (options: BesideOptions): Beside => {
  const { infer, memory, after = afterMs } = options;
  const jobs = new Map<number, Job>();
  /**
   * What the thread is to do next: one thing at a time, so that no more is read than has been admitted. What follows from a request
   * that was read goes first, refusals too: until it is done the request holds memory, for want of which those behind it would be refused.
   */
  let replies: { job: Job; post(): void }[] = [];
  const asks = new Map<Job, () => void>();
  let busy: Job | undefined;
  let thread: Worker | undefined;
  let nextId = 0;

  const post = (message: ToThread, list: ArrayBuffer[] = []): void => thread?.postMessage(message, list);
  const idle = after(IDLE_MS, () => {
    if (jobs.size > 0) return;
    void thread?.terminate();
    thread = undefined;
    busy = undefined;
  });

  const finish = (job: Job): boolean => {
    if (!jobs.delete(job.id)) return false;
    asks.delete(job);
    job.begun();
    memory.give(job.charged);
    for (const { cancel } of job.runs.values()) cancel();
    if (jobs.size === 0) idle.refresh();
    return true;
  };
  const refuse = (job: Job, error: Error): void => {
    if (finish(job)) job.reject(error);
  };
  const advance = (): void => {
    while (busy === undefined) {
      const reply = replies.shift();
      if (reply !== undefined) {
        if (!jobs.has(reply.job.id)) continue;
        busy = reply.job;
        reply.post();
        return;
      }
      const [first] = asks;
      if (first === undefined) return;
      const [job, post] = first;
      asks.delete(job);
      busy = job;
      post();
    }
  };
  const replyTo = (job: Job, post: () => void): void => {
    replies.push({ job, post });
    advance();
  };
  const run = (job: Job, index: number, call: InferenceCall): void => {
    const fail = (error: unknown): void => {
      replyTo(job, () => post({ type: "failed", id: job.id, run: index, error: tellable(error) }));
    };
    let inference: Inference;
    try {
      inference = infer(call);
    } catch (error) {
      fail(error);
      return;
    }
    job.runs.set(index, inference);
    inference.result.then((outputs) => {
      job.runs.delete(index);
      if (!jobs.has(job.id)) return;
      if (!charge(job, outputs)) {
        fail(tooMany());
        return;
      }
      replyTo(job, () => {
        const parcel = createParcel(isWhole(outputs));
        post({ type: "outputs", id: job.id, run: index, outputs: parcel.tensors(outputs) }, parcel.list());
      });
    }, fail);
  };
  const charge = (job: Job, outputs: Outputs): boolean => {
    let bytes = 0;
    for (const tensor of outputs.values()) bytes += TEXT_FACTOR * tensor.bytes.length;
    if (!memory.admit(bytes)) return false;
    job.charged += bytes;
    return true;
  };

  const onMessage = (message: FromThread): void => {
    const job = jobs.get(message.id);
    switch (message.type) {
      case "infer":
        if (job !== undefined) run(job, message.run, message.call);
        return;
      case "cancel":
        job?.runs.get(message.run)?.cancel();
        return;
      case "response":
        if (job !== undefined && finish(job)) job.resolve(message.response);
        return;
      case "refused":
        if (job !== undefined) refuse(job, errorOf(message.error));
        return;
      case "turned":
        busy = undefined;
        advance();
    }
  };
  /** What the thread had in hand is to blame for its end; the others have lost what they had there. */
  const onEnd = (ended: Worker, error: Error | undefined): void => {
    if (thread !== ended) return;
    thread = undefined;
    const outOfMemory = error !== undefined && "code" in error && error.code === "ERR_WORKER_OUT_OF_MEMORY";
    const culprit = busy;
    busy = undefined;
    replies = [];
    for (const job of [...jobs.values()]) {
      if (job === culprit && outOfMemory) refuse(job, tooLarge());
      else
        refuse(
          job,
          new RequestError("Unavailable", "the thread that read or wrote this request has ended; try again", 1),
        );
    }
  };
  const startThread = (): void => {
    const { model, serverVersion, maxTensorBytes, timeOrigin } = options;
    const workerData: ThreadStart = { model, serverVersion, maxTensorBytes, timeOrigin };
    const started = new Worker(new URL("./thread.ts", import.meta.url), {
      workerData,
      resourceLimits: { maxOldGenerationSizeMb: options.heapMib, maxYoungGenerationSizeMb: 16 },
    });
    let failure: Error | undefined;
    started.on("message", onMessage);
    started.on("error", (error) => {
      failure = error instanceof Error ? error : new Error(String(error));
    });
    started.on("exit", () => onEnd(started, failure));
    thread = started;
  };

  const ask = (asked: Asked, forget?: () => void): Pending<Response> => {
    const { promise, resolve, reject } = Promise.withResolvers<Response>();
    const job: Job = {
      id: nextId++,
      asked,
      charged: 0,
      resolve,
      reject,
      runs: new Map(),
      posted: false,
      begun: nothing,
    };
    if (asked.done !== undefined && !charge(job, asked.done.outputs)) {
      reject(tooMany());
      return { answer: promise, cancel: nothing };
    }
    jobs.set(job.id, job);
    if (thread === undefined) startThread();
    asks.set(job, () => {
      job.posted = true;
      job.begun();
      const [message, list] = packed(asked);
      post({ type: "ask", id: job.id, asked: message }, list);
    });
    if (asked.done === undefined && forget !== undefined)
      job.begun = memory.unread(sizeOf(asked), () => {
        refuse(job, crowdedOut());
        forget();
      });
    advance();
    const cancel = (): void => {
      if (!jobs.has(job.id)) return;
      if (job.posted) post({ type: "gone", id: job.id });
      else refuse(job, new RequestError("Cancelled", "the client closed the connection"));
    };
    return { answer: promise, cancel };
  };

  return {
    ask,
    close() {
      idle.close();
      void thread?.terminate();
    },
  };
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

const tooMany = (): RequestError => new RequestError("Overloaded", "the memory for answers is full; try again", 1);
const tooLarge = (): RequestError =>
  new RequestError(
    "TooLarge",
    "reading the request needs more memory than the memory limit leaves; send less at once, or raise spec.resources.limits.memory",
  );
