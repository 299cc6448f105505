/** `input`: these tensors do not fit this model, others may. `internal`: everything else. */
export class InferenceError extends Error {
  readonly blame: "input" | "internal";
  constructor(blame: "input" | "internal", message: string) {
    super(message);
    this.blame = blame;
  }
}
