export { InferenceError } from "../../engine/errors.ts";

import type { Datatype, Tensor, TensorInfo } from "../../tensors/index.ts";

/** An input of a batch: the parts follow each other in memory, `shape` is that of the whole. */
export type JobInput = { name: string; datatype: Datatype; shape: readonly number[]; parts: readonly Uint8Array[] };
export type Job = { inputs: readonly JobInput[]; outputs: readonly string[] };
/** `runMs`: what the run of the model alone took, in the shard. */
export type JobResult = { outputs: ReadonlyMap<string, Tensor>; runMs: number };

/** A loaded and warm model in a process of its own. One job at a time: the caller waits before it sends the next. */
export type Shard = {
  readonly id: number;
  /**
   * Rejects with InferenceError where the model refuses or fails (the shard lives), or with ShardLost where the process is
   * gone or had to be killed.
   */
  run(job: Job): Promise<JobResult>;
};

/** `timeout`: the run took longer than --request-timeout and was killed. `crash`: the process ended by itself. */
export class ShardLost extends Error {
  readonly how: "timeout" | "crash";
  /** It was ended by SIGKILL, which may have come from anybody: the kernel, for want of memory, or a person. */
  readonly killed: boolean;
  constructor(how: "timeout" | "crash", message: string, killed = false) {
    super(message);
    this.how = how;
    this.killed = killed;
  }
}

export type LoadedModel = { inputs: TensorInfo[]; outputs: TensorInfo[] };
