import type { Datatype, TensorData } from "./tensors.ts";

/** What a model declares of one input or output. `null` is a dimension that may have any size. */
export type TensorInfo = { name: string; datatype: Datatype; shape: (number | null)[] };

/** A value of `shape` (row-major), its product being `data.length`. FP16 data are the raw 16 bits. */
export type Tensor = { datatype: Datatype; shape: number[]; data: TensorData };

/** A loaded model. Runs are not concurrent: the caller waits for one before it starts the next. */
export type Engine = {
  readonly inputs: readonly TensorInfo[];
  readonly outputs: readonly TensorInfo[];
  /**
   * One inference. Computes only what `outputs` names.
   * Rejects with an InferenceError. Blocks the event loop while it runs.
   */
  run(inputs: ReadonlyMap<string, Tensor>, outputs: readonly string[]): Promise<Map<string, Tensor>>;
};

/** `input`: these tensors do not fit this model, others may. `internal`: everything else. */
export class InferenceError extends Error {
  readonly blame: "input" | "internal";
  constructor(blame: "input" | "internal", message: string) {
    super(message);
    this.blame = blame;
  }
}
