/** What the protocols ask of the server: one model, and a way to run it. */
import type { Tensor, TensorInfo } from "../tensors/index.ts";

export type Model = {
  name: string;
  version: string;
  inputs: readonly TensorInfo[];
  outputs: readonly TensorInfo[];
};

/** One inference. The protocol has checked it against the model: every input once, its type, shape and number of bytes. */
export type InferenceCall = {
  inputs: ReadonlyMap<string, Tensor>;
  /** The outputs to compute, by name. */
  outputs: readonly string[];
  /** When nobody waits for the answer any more, in milliseconds on `performance.now`'s clock. */
  deadline?: number;
  /** As Triton counts: 1 is the highest; 0 or none is the default, the middle. */
  priority?: number;
  /** Of outputs whose greatest values alone are answered, how many: what the answer takes to write depends on it. */
  classes?: ReadonlyMap<string, number>;
};

export type Inference = {
  /** The outputs by name. Rejects with a RequestError. */
  result: Promise<ReadonlyMap<string, Tensor>>;
  /** The client has gone: a request that is not running yet never will. `result` then rejects with the code Cancelled. */
  cancel(): void;
};

/** Takes a request into the queue. Throws a RequestError at once where it is not admitted. */
export type Infer = (call: InferenceCall) => Inference;

export type Service = {
  model: Model;
  serverVersion: string;
  /** Whether new requests are wanted: false while the server drains or no shard is there, though they may be answered. */
  ready(): boolean;
  infer: Infer;
  statistics(): ModelStatistics;
};

/** A number of events and the nanoseconds that they took together. */
export type Duration = { count: number; ns: number };

/** The Open Inference Protocol's statistics extension. Counters since the start; they never fall. */
export type ModelStatistics = {
  /** Milliseconds since 1970; 0 where there was none. */
  lastInferenceMs: number;
  /** Items: a batch of three counts three. */
  inferenceCount: number;
  /** Runs of the model. */
  executionCount: number;
  success: Duration;
  fail: Duration;
  queue: Duration;
  /** Assembling batches, running the model, taking its outputs apart. */
  computeInput: Duration;
  computeInfer: Duration;
  computeOutput: Duration;
  /** By size of the batch, ascending. */
  batches: { size: number; computeInput: Duration; computeInfer: Duration; computeOutput: Duration }[];
};
