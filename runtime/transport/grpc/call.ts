/** What calls have in common, however many messages they take: their deadline, their bytes, and that they end once. */

import { evicted, isBrisk, type Share } from "../../memory/shares.ts";
import { decompress, type Encoding } from "../http/encoding.ts";
import { CANCEL, type Stream } from "../http2/index.ts";
import { createAnswer } from "./answer.ts";
import { type Calls, countCall } from "./count.ts";
import { startDeadline } from "./deadline.ts";
import { createMessageReader, type Received } from "./message-reader.ts";
import { CallError, type CallStatus, STATUS, statusOf } from "./status.ts";
import type { Codec, LongCalls, Method } from "./types.ts";

/** A method, ready to be called. */
export type Bound<Kind = Method> = {
  method: Kind;
  calls: Calls;
  /** undefined until `loadCodec` was called, for methods that have none of their own. */
  codec(): Codec | undefined;
  loadCodec(): Promise<Codec>;
};

export type CallOptions = {
  /** How what takes long is done. Default: at once. */
  long?: LongCalls;
  /** The largest message, each way, before and after its compression. */
  maxMessageBytes: number;
  /** Milliseconds, never going back. */
  now(): number;
  /** Is told of failures of handlers that are no refusals. */
  report(error: unknown): void;
};

/** What the headers of a call tell, and where it came from. */
export type CallHead = {
  /** The connection's, of the memory for messages. */
  share: Share;
  /** On the clock of CallOptions.now; Infinity for none. */
  deadline: number;
  /** Of messages that say that they are compressed. */
  encoding: Encoding | undefined;
};

export type Call = {
  isOver(): boolean;
  /** Takes bytes of the client's messages. */
  feed(bytes: Buffer): void;
  /** Bytes of a message that is not whole. */
  pending(): number;
  /** A message as it was before its compression. Throws what statusOf knows. */
  plain(message: Received): Buffer | Promise<Buffer>;
  /** A copy, counted until `release`, of a message that has to wait: what it came with is not kept for it. */
  kept(message: Received): Received;
  /** What has come may be forgotten. */
  release(): void;
  /** Sends a message. Throws what statusOf knows, and has sent nothing then. */
  send(bytes: Buffer): void;
  /** Ends it well. */
  end(): void;
  fail(status: CallStatus): void;
  /** Ends it with the status of what a handler has thrown; then the handler is told that it was cancelled. */
  failWith(error: unknown): void;
  /** For the StreamHandler of its stream. */
  closed(): void;
  drained(): void;
  /** @param isReady whether it is the client that is waited for */
  sweep(now: number, isReady: boolean): void;
};

/** A message may take this long each way, and longer as long as it moves with MIN_BYTES_PER_MS on the average. */
const TRANSFER_MS = 60_000;
const MIN_BYTES_PER_MS = 100;
/** What a message counts, besides its bytes, that waits for its turn. */
const WAITING_BYTES = 256;

/**
 * @param onMessage may throw what statusOf knows: that ends the call
 * @param onCancelled the call is over, and its handler has not ended it
 */
export const beginCall = (
  stream: Stream,
  calls: Calls,
  { deadline, encoding, share }: CallHead,
  { maxMessageBytes, now, report }: CallOptions,
  onMessage: (message: Received) => void,
  onCancelled: () => void,
): Call => {
  const counted = countCall(calls);
  const incoming = share.lease((heldMs) => {
    // what a handler works on cannot be freed
    if (over || (reader.pending() === 0 && !keeps) || isBrisk(reader.pending(), heldMs)) return false;
    failWith(evicted());
    return true;
  });
  const outgoing = share.lease(() => {
    outgoing.end();
    stream.reset(CANCEL);
    return true;
  });
  const answer = createAnswer(stream, maxMessageBytes, outgoing);
  const reader = createMessageReader(maxMessageBytes, incoming, (message) => {
    came = now();
    onMessage(message);
  });
  let over = false;
  let keeps = false;
  // when something of a message has last come, and gone
  let came = now();
  let went = came;

  /** False where it was over. */
  const finish = (code: number): boolean => {
    if (over) return false;
    over = true;
    stopDeadline();
    incoming.end();
    counted(code);
    return true;
  };
  const fail = (status: CallStatus): void => {
    if (finish(status.code)) answer.fail(status);
  };
  const failWith = (error: unknown): void => {
    if (over) return;
    fail(statusOf(error, report));
    cancelled();
  };
  const cancelled = (): void => {
    try {
      onCancelled();
    } catch (error) {
      report(error);
    }
  };
  const stopDeadline = startDeadline(deadline - came, () =>
    failWith(new CallError(STATUS.DEADLINE_EXCEEDED, "the deadline has passed")),
  );

  return {
    isOver: () => over,
    feed: (bytes) => {
      if (over) return;
      if (reader.pending() === 0) came = now();
      try {
        reader.feed(bytes);
      } catch (error) {
        failWith(error);
      }
    },
    pending: reader.pending,
    plain: ({ bytes, compressed }) => {
      if (!compressed) return bytes;
      if (encoding === undefined) {
        throw new CallError(STATUS.INTERNAL, "the message is compressed, but the call has no grpc-encoding");
      }
      return decompress(bytes, encoding, maxMessageBytes, incoming).then((plain) =>
        Buffer.from(plain.buffer, plain.byteOffset, plain.byteLength),
      );
    },
    kept: (message) => {
      incoming.take(WAITING_BYTES + (message.gathered ? 0 : message.bytes.length));
      keeps = true;
      if (message.gathered) return message;
      const bytes = Buffer.allocUnsafeSlow(message.bytes.length);
      bytes.set(message.bytes);
      return { ...message, bytes, gathered: true };
    },
    release: () => {
      keeps = false;
      incoming.release();
      // the next one has begun; there is room for it, as it had it just now
      if (!over && reader.held() > 0) incoming.take(reader.held());
    },
    send: (bytes) => {
      if (stream.queued() === 0) went = now();
      answer.message(bytes);
      if (stream.queued() === 0) outgoing.release();
    },
    end: () => {
      if (finish(STATUS.OK)) answer.end();
    },
    fail,
    failWith,
    closed: () => {
      outgoing.end();
      if (finish(STATUS.CANCELLED)) cancelled();
    },
    drained: () => {
      went = now();
      outgoing.release();
    },
    sweep: (time, isReady) => {
      const unsent = stream.queued();
      if (unsent > 0 && time - went > TRANSFER_MS + unsent / MIN_BYTES_PER_MS) {
        stream.reset(CANCEL);
        return;
      }
      if (!isReady) came = time;
      const pending = reader.pending();
      if ((pending === 0 && !keeps) || time - came < TRANSFER_MS + pending / MIN_BYTES_PER_MS) return;
      failWith(new CallError(STATUS.DEADLINE_EXCEEDED, "the message took too long to arrive"));
    },
  };
};

/** What a message says. Throws a CallError where it says nothing. */
export const decoded = (codec: Codec, method: string, message: Buffer): unknown => {
  try {
    return codec.requestDeserialize(message);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new CallError(STATUS.INVALID_ARGUMENT, `${method}: the message cannot be decoded: ${why}`);
  }
};
