/** Calls of any number of messages, of which each is answered by one, in their order. */

import type { Lease } from "../../memory/shares.ts";
import type { Stream, StreamHandler } from "../http2/index.ts";
import { answerMessage, SHORT_BYTES } from "./answering.ts";
import type { Bound, CallHead, CallOptions } from "./call.ts";
import { type Side, serveStreamed, type Taker } from "./streamed.ts";
import type { Codec, EachMethod, UnaryCall } from "./types.ts";

/** So many messages of one call are worked on at a time; then no more are read, and the client has to wait. */
const MAX_IN_FLIGHT = 8;

/** A message, until its answer is written. */
type Work = { readonly told: UnaryCall; readonly lease: Lease; readonly refuse: (error: unknown) => Buffer };

type EachState = {
  readonly bound: Bound<EachMethod>;
  readonly head: CallHead;
  readonly options: CallOptions;
  readonly side: Side;
  readonly works: Set<Work>;
  /** The client has sent its last message. */
  ended: boolean;
  /** Settles once the last answer was written that is due so far. */
  written: Promise<void>;
  onRoom: (() => void) | undefined;
};

export const serveEach = (
  stream: Stream,
  bound: Bound<EachMethod>,
  head: CallHead,
  options: CallOptions,
): StreamHandler =>
  serveStreamed(stream, bound, head, options, (side): Taker => {
    const state: EachState = {
      ...{ bound, head, options, side, works: new Set() },
      ...{ ended: false, written: Promise.resolve(), onRoom: undefined },
    };
    return {
      message: (plain, by) => take(state, plain, by),
      end: () => {
        state.ended = true;
        if (state.works.size === 0) side.end();
      },
      drained: () => state.onRoom?.(),
      cancelled: () => cancelled(state),
    };
  });

const take = (state: EachState, message: Buffer, by: Codec): void => {
  const { bound, head, side, works } = state;
  const refusal = bound.method.refusal(message);
  const work: Work = {
    told: { deadline: head.deadline, onCancelled: undefined },
    // what a handler works on cannot be freed
    lease: head.share.lease(() => false),
    refuse: (error) => by.responseSerialize(refusal(error)),
  };
  works.add(work);
  if (works.size >= MAX_IN_FLIGHT) side.pause();
  const answered = answer(state, work, message, by);
  answered.catch(side.failWith);
  state.written = state.written.then(async () => write(state, work, await answered)).catch(side.failWith);
};

const answer = async (state: EachState, work: Work, message: Buffer, by: Codec): Promise<Buffer> => {
  const { bound, options, side } = state;
  const { lease, refuse, told } = work;
  const { isOver } = side;
  try {
    if (message.length > SHORT_BYTES) lease.take(message.length);
    const bytes = await answerMessage({ bound, message, long: options.long, told, forget: lease.release, isOver }, by);
    // those before it may take long, and so may the client
    lease.release();
    if (bytes.length > SHORT_BYTES) lease.take(bytes.length);
    return bytes;
  } catch (error) {
    lease.release();
    return refuse(error);
  } finally {
    told.onCancelled = undefined;
  }
};

/** Writes an answer, and waits until the client has taken enough of it for the next one. */
const write = async (state: EachState, work: Work, bytes: Buffer): Promise<void> => {
  const { side, works } = state;
  if (!send(side, work, bytes) && !side.isOver()) {
    await new Promise<void>((resolve) => {
      state.onRoom = resolve;
    });
  }
  works.delete(work);
  if (state.ended && works.size === 0) side.end();
  else side.resume();
};

/** An answer that is too large, or has no room, is refused as any other that cannot be given. */
const send = (side: Side, { lease, refuse }: Work, bytes: Buffer): boolean => {
  lease.release();
  try {
    return side.send(bytes);
  } catch (error) {
    return side.send(refuse(error));
  }
};

const cancelled = (state: EachState): void => {
  for (const { lease, told } of state.works) {
    told.onCancelled?.();
    lease.end();
  }
  state.onRoom?.();
};
