import type { Stream, StreamHandler } from "../http2/index.ts";
import { answerMessage } from "./answering.ts";
import { type Bound, beginCall, type Call, type CallHead, type CallOptions } from "./call.ts";
import type { Received } from "./message-reader.ts";
import { CallError, STATUS } from "./status.ts";
import type { Codec, LongCalls, UnaryCall, UnaryMethod } from "./types.ts";

type UnaryState = {
  readonly bound: Bound<UnaryMethod>;
  readonly long: LongCalls | undefined;
  readonly told: UnaryCall;
  readonly call: Call;
  /** Whole, and not dealt with: the client may not have said that it is all. */
  request: Received | undefined;
};

/** Serves a call of one message that is answered by one. */
export const serveUnary = (
  stream: Stream,
  bound: Bound<UnaryMethod>,
  head: CallHead,
  options: CallOptions,
): StreamHandler => {
  const told: UnaryCall = { deadline: head.deadline, onCancelled: undefined };
  const take = (message: Received): void => {
    if (state.request !== undefined)
      throw new CallError(STATUS.UNIMPLEMENTED, "this method takes one message, and the call has more");
    state.request = message;
  };
  const call = beginCall(stream, bound.calls, head, options, take, () => told.onCancelled?.());
  const state: UnaryState = { bound, long: options.long, told, call, request: undefined };
  return {
    data: call.feed,
    end: () => end(state),
    closed: call.closed,
    drained: call.drained,
    sweep: (now) => sweep(state, now),
  };
};

/** The client has said that its message is all. */
const end = (state: UnaryState): void => {
  const { bound, call, request } = state;
  if (call.isOver()) return;
  try {
    if (request === undefined || call.pending() > 0) {
      throw new CallError(STATUS.INTERNAL, "the call ended before its message was complete");
    }
    const plain = call.plain(request);
    const by = bound.codec();
    state.request = undefined;
    if (plain instanceof Promise || by === undefined)
      answerLater(state, plain).catch((error: unknown) => failWith(state, error));
    else answer(state, plain, by);
  } catch (error) {
    failWith(state, error);
  }
};

/** Where the message must be inflated, or nobody has called this method before. */
const answerLater = async (state: UnaryState, plain: Buffer | Promise<Buffer>): Promise<void> => {
  const message = await plain;
  const by = await state.bound.loadCodec();
  if (!state.call.isOver()) answer(state, message, by);
};

const answer = (state: UnaryState, message: Buffer, by: Codec): void => {
  const { bound, call, long, told } = state;
  const answered = answerMessage({ bound, message, long, told, forget: call.release, isOver: call.isOver }, by);
  if (answered instanceof Promise)
    answered.then((bytes) => send(call, bytes)).catch((error: unknown) => failWith(state, error));
  else send(call, answered);
};

const send = (call: Call, bytes: Buffer): void => {
  if (call.isOver()) return;
  call.send(bytes);
  call.end();
};

/** A handler that has failed needs not be told that nobody waits for it. */
const failWith = ({ call, told }: UnaryState, error: unknown): void => {
  told.onCancelled = undefined;
  call.failWith(error);
};

const sweep = (state: UnaryState, now: number): void => {
  const { call, request } = state;
  try {
    // the client has not said that it is all: it must not hold what its message came with for nothing
    if (request?.gathered === false) state.request = call.kept(request);
  } catch (error) {
    failWith(state, error);
  }
  call.sweep(now, true);
};
