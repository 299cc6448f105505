import type { Stream, StreamHandler } from "../http2/index.ts";
import { type Bound, beginCall, type CallHead, type CallOptions, decoded } from "./call.ts";
import type { Received } from "./message-reader.ts";
import { CallError, STATUS } from "./status.ts";
import type { Codec, PendingAnswer, PendingTurn, UnaryCall, UnaryMethod } from "./types.ts";

/** Whatever is in it, less takes some milliseconds at most. */
const SHORT_BYTES = 16 * 1024;

/** Serves a call of one message that is answered by one. */
export const serveUnary = (
  stream: Stream,
  { method, calls, codec, loadCodec }: Bound<UnaryMethod>,
  head: CallHead,
  options: CallOptions,
): StreamHandler => {
  const told: UnaryCall = { deadline: head.deadline, onCancelled: undefined };
  let request: Received | undefined;
  const take = (message: Received): void => {
    if (request !== undefined)
      throw new CallError(STATUS.UNIMPLEMENTED, "this method takes one message, and the call has more");
    request = message;
  };
  const call = beginCall(stream, calls, head, options, take, () => told.onCancelled?.());

  const send = (response: unknown, { responseSerialize }: Codec): void => {
    if (call.isOver()) return;
    call.send(responseSerialize(response));
    call.end();
  };
  /** What is answered elsewhere. */
  const relay = ({ answer, cancel }: PendingAnswer): void => {
    told.onCancelled = cancel;
    answer
      .then((response) => {
        if (call.isOver()) return;
        call.send(response);
        call.end();
      })
      .catch(failWith);
  };
  const { long } = options;
  const answer = (message: Buffer, by: Codec): void => {
    const asked =
      message.length > SHORT_BYTES ? long?.ask(calls.method, message, head.deadline, call.release) : undefined;
    if (asked === undefined) answerHere(message, by);
    else if ("turn" in asked) answerIn(asked, message, by);
    else relay(asked);
  };
  /** What would hold the others up waits for its turn. */
  const answerIn = ({ cancel, turn }: PendingTurn, message: Buffer, by: Codec): void => {
    told.onCancelled = cancel;
    turn
      .then(() => {
        if (call.isOver()) return;
        told.onCancelled = undefined;
        answerHere(message, by);
      })
      .catch(failWith);
  };
  const answerHere = (message: Buffer, by: Codec): void => {
    const failed = (error: unknown): void => {
      const resumed = call.isOver() ? undefined : long?.resume(calls.method, message, head.deadline, error);
      if (resumed === undefined) failWith(error);
      else relay(resumed);
    };
    const result = method.answer(decoded(by, calls.method, message), told);
    if (result instanceof Promise) result.then((response) => send(response, by)).catch(failed);
    else send(result, by);
  };
  /** Where the message must be inflated, or nobody has called this method before. */
  const answerLater = async (plain: Buffer | Promise<Buffer>): Promise<void> => {
    const message = await plain;
    const by = await loadCodec();
    if (!call.isOver()) answer(message, by);
  };
  const failWith = (error: unknown): void => {
    // a handler that has failed needs not be told that nobody waits for it
    told.onCancelled = undefined;
    call.failWith(error);
  };

  return {
    data: call.feed,
    end: () => {
      if (call.isOver()) return;
      try {
        if (request === undefined || call.pending() > 0) {
          throw new CallError(STATUS.INTERNAL, "the call ended in its message");
        }
        const plain = call.plain(request);
        const by = codec();
        request = undefined;
        if (plain instanceof Promise || by === undefined) answerLater(plain).catch(failWith);
        else answer(plain, by);
      } catch (error) {
        failWith(error);
      }
    },
    closed: call.closed,
    drained: call.drained,
    sweep: (now) => {
      try {
        // whole, and the client has not said that it is all: it must not hold what its message came with for nothing
        if (request?.gathered === false) request = call.kept(request);
      } catch (error) {
        failWith(error);
      }
      call.sweep(now, true);
    },
  };
};
