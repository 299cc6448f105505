/** How one message is answered by one: here at once, here in its turn, or elsewhere. Of calls of one message, and of many. */

import { type Bound, decoded } from "./call.ts";
import type { Codec, LongCalls, PendingAnswer, UnaryCall, UnaryMethod } from "./types.ts";

/** Whatever is in it, less takes a tenth of a millisecond at most. */
export const SHORT_BYTES = 1024;
const NONE = Buffer.alloc(0);

export type Asking = {
  readonly bound: Bound<UnaryMethod>;
  readonly message: Buffer;
  readonly long: LongCalls | undefined;
  /** What the handler is told; `onCancelled` is what is to be called where nobody waits for the answer any more. */
  readonly told: UnaryCall;
  /** Gives back at once what the message is counted for. */
  forget(): void;
  /** Nobody waits for the answer. */
  isOver(): boolean;
};

/**
 * The encoded answer. Throws, or rejects with, what statusOf knows. Where it is cancelled it may never settle, or say nothing.
 *
 * @param by the codec of the method
 */
export const answerMessage = (asking: Asking, by: Codec): Buffer | Promise<Buffer> => {
  const { bound, forget, long, message, told } = asking;
  const { method } = bound.calls;
  const asked = message.length > SHORT_BYTES ? long?.ask(method, message, told.deadline, forget) : undefined;
  if (asked === undefined) return answerHere(asking, by);
  if (!("turn" in asked)) return relay(told, asked);
  told.onCancelled = asked.cancel;
  return asked.turn.then(() => {
    if (asking.isOver()) return NONE;
    told.onCancelled = undefined;
    return answerHere(asking, by);
  });
};

const answerHere = (asking: Asking, by: Codec): Buffer | Promise<Buffer> => {
  const { bound, isOver, long, message, told } = asking;
  const { method } = bound.calls;
  const result = bound.method.answer(decoded(by, method, message), told);
  if (!(result instanceof Promise)) return by.responseSerialize(result);
  return result.then(
    (response) => (isOver() ? NONE : by.responseSerialize(response)),
    (error: unknown) => {
      const resumed = isOver() ? undefined : long?.resume(method, message, told.deadline, error);
      if (resumed === undefined) throw error;
      return relay(told, resumed);
    },
  );
};

/** What is answered elsewhere. */
const relay = (told: UnaryCall, { answer, cancel }: PendingAnswer): Promise<Buffer> => {
  told.onCancelled = cancel;
  return answer;
};
