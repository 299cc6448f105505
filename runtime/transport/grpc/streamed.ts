import type { Stream, StreamHandler } from "../http2/index.ts";
import { type Bound, beginCall, type Call, type CallHead, type CallOptions, decoded } from "./call.ts";
import type { Received } from "./message-reader.ts";
import { CallError, STATUS } from "./status.ts";
import type { Codec, StreamCall, StreamListener, StreamMethod } from "./types.ts";

/** A call that has so much to send should not be given more. */
const ENOUGH_BYTES = 64 * 1024;

/** Is told of one call's messages, as they came. What it throws ends the call. */
export type Taker = Omit<StreamListener, "message"> & { message(plain: Buffer, by: Codec): void };

export type Side = StreamCall &
  Pick<Call, "isOver" | "failWith"> & {
    /** As `write`, for what is encoded. Throws what statusOf knows, and has sent nothing then. */
    send(bytes: Buffer): boolean;
  };

type StreamedState = {
  readonly bound: Bound;
  readonly stream: Stream;
  readonly call: Call;
  listener: Taker | undefined;
  /** Undefined until it was loaded. */
  codec: Codec | undefined;
  /** From `taken` on; to take one from its front would move all others. */
  inbox: Received[];
  taken: number;
  /** It was cancelled before there was a listener. */
  missed: boolean;
  paused: boolean;
  /** A message is inflated, or the codec is loaded. */
  preparing: boolean;
  /** The client has sent its last message, and the listener does not know. */
  ended: boolean;
};

/** Serves a call of any number of messages each way. */
export const serveStreams = (
  stream: Stream,
  bound: Bound<StreamMethod>,
  head: CallHead,
  options: CallOptions,
): StreamHandler =>
  serveStreamed(stream, bound, head, options, (side) => {
    const { method } = bound.calls;
    const listener = bound.method.open(side);
    return {
      message: (plain, by) => listener.message(decoded(by, method, plain)),
      end: () => listener.end?.(),
      drained: () => listener.drained?.(),
      cancelled: () => listener.cancelled?.(),
    };
  });

/** Messages that `open`'s taker is not ready for wait, and then the client. */
export const serveStreamed = (
  stream: Stream,
  bound: Bound,
  head: CallHead,
  options: CallOptions,
  open: (side: Side) => Taker,
): StreamHandler => {
  const onMessage = (message: Received): void => take(state, message);
  const call = beginCall(stream, bound.calls, head, options, onMessage, () => onCancelled(state));
  const state: StreamedState = {
    ...{ bound, stream, call, listener: undefined, codec: bound.codec(), inbox: [], taken: 0 },
    ...{ missed: false, paused: false, preparing: false, ended: false },
  };
  guarded(call, () => {
    state.listener = open(sideOf(state, head));
    if (state.missed) state.listener.cancelled?.();
  });
  return {
    data: call.feed,
    end: () => end(state),
    closed: call.closed,
    drained: () => {
      call.drained();
      guarded(call, () => state.listener?.drained?.());
    },
    sweep: (now) => call.sweep(now, !state.paused && !state.preparing),
  };
};

/** What is thrown ends the call. */
const guarded = (call: Call, run: () => void): void => {
  if (call.isOver()) return;
  try {
    run();
  } catch (error) {
    call.failWith(error);
  }
};

const onCancelled = (state: StreamedState): void => {
  state.inbox = [];
  state.taken = 0;
  state.missed = state.listener === undefined;
  state.listener?.cancelled?.();
};

/** A message has come. */
const take = (state: StreamedState, message: Received): void => {
  const { call, inbox, stream } = state;
  inbox.push(message);
  next(state);
  if (state.inbox.at(-1) !== message || call.isOver()) return;
  state.inbox[state.inbox.length - 1] = call.kept(message);
  stream.pause();
};

const end = (state: StreamedState): void => {
  const { call } = state;
  if (call.pending() > 0) {
    call.failWith(new CallError(STATUS.INTERNAL, "the call ended before its last message was complete"));
    return;
  }
  state.ended = true;
  next(state);
};

/** Gives the listener what has come, as far as it is ready for it. */
const next = (state: StreamedState): void =>
  guarded(state.call, () => {
    const { call } = state;
    while (!state.paused && !state.preparing && !call.isOver()) {
      const first = state.inbox[state.taken++];
      if (first === undefined) {
        wait(state);
        return;
      }
      const plain = call.plain(first);
      if (state.codec === undefined || plain instanceof Promise) {
        state.preparing = true;
        deliverLater(state, plain).catch(call.failWith);
      } else deliver(state, plain, state.codec);
    }
  });

/** All that has come was given. */
const wait = (state: StreamedState): void => {
  state.inbox = [];
  state.taken = 0;
  state.stream.resume();
  if (!state.ended) return;
  state.ended = false;
  state.listener?.end?.();
};

const deliver = ({ call, inbox, listener, taken }: StreamedState, message: Buffer, by: Codec): void => {
  if (taken === inbox.length) call.release();
  listener?.message(message, by);
};

const deliverLater = async (state: StreamedState, plain: Buffer | Promise<Buffer>): Promise<void> => {
  const message = await plain;
  const by = await state.bound.loadCodec();
  state.codec = by;
  state.preparing = false;
  guarded(state.call, () => deliver(state, message, by));
  next(state);
};

/** The handler's side of it. */
const sideOf = (state: StreamedState, { deadline }: CallHead): Side => {
  const { call, stream } = state;
  return {
    deadline,
    isOver: call.isOver,
    failWith: call.failWith,
    send: (bytes) => {
      if (!call.isOver()) call.send(bytes);
      return stream.queued() < ENOUGH_BYTES;
    },
    write: (response) => {
      guarded(call, () => write(state, response));
      return stream.queued() < ENOUGH_BYTES;
    },
    end: call.end,
    fail: call.fail,
    pause: () => {
      state.paused = true;
      stream.pause();
    },
    resume: () => {
      if (!state.paused) return;
      state.paused = false;
      next(state);
    },
  };
};

const write = (state: StreamedState, response: unknown): void => {
  const { bound, call } = state;
  state.codec ??= bound.codec();
  if (state.codec === undefined) throw new Error(`${bound.calls.method} has written before it was asked`);
  call.send(state.codec.responseSerialize(response));
};
