import type { Stream, StreamHandler } from "../http2/index.ts";
import { type Bound, beginCall, type CallHead, type CallOptions, decoded } from "./call.ts";
import type { Received } from "./message-reader.ts";
import { CallError, STATUS } from "./status.ts";
import type { Codec, StreamCall, StreamListener, StreamMethod } from "./types.ts";

/** A call that has so much to send should not be given more. */
const ENOUGH_BYTES = 64 * 1024;

/** Serves a call of any number of messages each way. Those that its handler is not ready for wait, and then the client. */
export const serveStreamed = (
  stream: Stream,
  { method, calls, codec, loadCodec }: Bound<StreamMethod>,
  head: CallHead,
  options: CallOptions,
): StreamHandler => {
  let listener: StreamListener | undefined;
  let by: Codec | undefined = codec();
  /** From `taken` on; to take one from its front would move all others. */
  let inbox: Received[] = [];
  let taken = 0;
  let missed = false;
  let paused = false;
  let preparing = false;
  let ended = false;
  const take = (message: Received): void => {
    inbox.push(message);
    next();
    if (inbox.at(-1) !== message || call.isOver()) return;
    inbox[inbox.length - 1] = call.kept(message);
    stream.pause();
  };
  const call = beginCall(stream, calls, head, options, take, () => {
    inbox = [];
    taken = 0;
    missed = listener === undefined;
    listener?.cancelled?.();
  });

  const guarded = (run: () => void): void => {
    if (call.isOver()) return;
    try {
      run();
    } catch (error) {
      call.failWith(error);
    }
  };
  const deliver = (message: Buffer, from: Codec): void => {
    if (taken === inbox.length) call.release();
    listener?.message(decoded(from, calls.method, message));
  };
  const deliverLater = async (plain: Buffer | Promise<Buffer>): Promise<void> => {
    const message = await plain;
    const from = await loadCodec();
    by = from;
    preparing = false;
    guarded(() => deliver(message, from));
    next();
  };
  const next = (): void =>
    guarded(() => {
      while (!paused && !preparing && !call.isOver()) {
        const first = inbox[taken++];
        if (first === undefined) {
          inbox = [];
          taken = 0;
          stream.resume();
          if (!ended) return;
          ended = false;
          listener?.end?.();
          return;
        }
        const plain = call.plain(first);
        if (by === undefined || plain instanceof Promise) {
          preparing = true;
          deliverLater(plain).catch(call.failWith);
        } else deliver(plain, by);
      }
    });

  const told: StreamCall = {
    deadline: head.deadline,
    write: (response) => {
      guarded(() => {
        by ??= codec();
        if (by === undefined) throw new Error(`${calls.method} has written before it was asked`);
        call.send(by.responseSerialize(response));
      });
      return stream.queued() < ENOUGH_BYTES;
    },
    end: call.end,
    fail: call.fail,
    pause: () => {
      paused = true;
      stream.pause();
    },
    resume: () => {
      if (!paused) return;
      paused = false;
      next();
    },
  };
  guarded(() => {
    listener = method.open(told);
    if (missed) listener.cancelled?.();
  });

  return {
    data: call.feed,
    end: () => {
      if (call.pending() > 0) {
        call.failWith(new CallError(STATUS.INTERNAL, "the call ended in its last message"));
        return;
      }
      ended = true;
      next();
    },
    closed: call.closed,
    drained: () => {
      call.drained();
      guarded(() => listener?.drained?.());
    },
    sweep: (now) => call.sweep(now, !paused && !preparing),
  };
};
