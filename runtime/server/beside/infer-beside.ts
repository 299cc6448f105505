/** Inferences of the door's handlers, whose outputs may be too large for the door to write. */
import type { Infer, InferenceCall } from "../../inference/index.ts";
import type { Done, Outputs } from "./messages.ts";

/** Rejects an inference whose answer is to be written beside: the same request is asked there, with the outputs. */
export class AnswerBeside extends Error {
  readonly done: Done;
  constructor(done: Done) {
    super("the answer is too large to be written by the door");
    this.done = done;
  }
}

/**
 * `infer` for handlers of the door: outputs that take more than `mostMs` to write are not given to them.
 *
 * @param costMs of what is written of the outputs
 */
export const inferBeside =
  (
    infer: Infer,
    mostMs: number,
    turn: (ms: number) => Promise<void> | undefined,
    costMs: (outputs: Outputs, classes: InferenceCall["classes"]) => number,
  ): Infer =>
  (call) => {
    const { result, cancel } = infer(call);
    const checked = result.then((outputs): Outputs | Promise<Outputs> => {
      const ms = costMs(outputs, call.classes);
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
