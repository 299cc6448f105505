/** What calls have in common, however many messages they take: their deadline, their bytes, and that they end once. */

import { isBrisk } from "../../memory/room.ts";
import { evicted, type Lease, type Share } from "../../memory/shares.ts";
import { decompress, type Encoding } from "../http/encoding.ts";
import { CANCEL, type Stream } from "../http2/index.ts";
import { type Answer, createAnswer } from "./answer.ts";
import { type Calls, countCall } from "./count.ts";
import { startDeadline } from "./deadline.ts";
import { createMessageReader, type MessageReader, type Received } from "./message-reader.ts";
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

type CallState = {
  readonly stream: Stream;
  readonly head: CallHead;
  readonly options: CallOptions;
  readonly onCancelled: () => void;
  /** Counts how it has ended. */
  readonly counted: (code: number) => void;
  readonly incoming: Lease;
  readonly outgoing: Lease;
  readonly answer: Answer;
  readonly reader: MessageReader;
  readonly stopDeadline: () => void;
  over: boolean;
  /** A whole message waits. */
  keeps: boolean;
  /** When something of a message has last come, and gone. */
  came: number;
  went: number;
};

/**
 * @param onMessage may throw what statusOf knows: that ends the call
 * @param onCancelled the call is over, and its handler has not ended it
 */
export const beginCall = (
  stream: Stream,
  calls: Calls,
  head: CallHead,
  options: CallOptions,
  onMessage: (message: Received) => void,
  onCancelled: () => void,
): Call => {
  const state = createState(stream, calls, head, options, onMessage, onCancelled);
  const { answer, outgoing, reader } = state;
  return {
    isOver: () => state.over,
    feed: (bytes) => feed(state, bytes),
    pending: reader.pending,
    plain: (message) => plain(state, message),
    kept: (message) => keep(state, message),
    release: () => release(state),
    send: (bytes) => send(state, bytes),
    end: () => {
      if (finish(state, STATUS.OK)) answer.end();
    },
    fail: (status) => fail(state, status),
    failWith: (error) => failWith(state, error),
    closed: () => {
      outgoing.end();
      if (finish(state, STATUS.CANCELLED)) cancelled(state);
    },
    drained: () => {
      state.went = options.now();
      outgoing.release();
    },
    sweep: (now, isReady) => sweep(state, now, isReady),
  };
};

const createState = (
  stream: Stream,
  calls: Calls,
  head: CallHead,
  options: CallOptions,
  onMessage: (message: Received) => void,
  onCancelled: () => void,
): CallState => {
  const { maxMessageBytes, now } = options;
  const incoming = head.share.lease((heldMs) => evict(state, heldMs));
  const outgoing = head.share.lease(() => {
    outgoing.end();
    stream.reset(CANCEL);
    return true;
  });
  const began = now();
  const state: CallState = {
    stream,
    head,
    options,
    onCancelled,
    counted: countCall(calls),
    incoming,
    outgoing,
    answer: createAnswer(stream, maxMessageBytes, outgoing),
    reader: createMessageReader(maxMessageBytes, incoming, (message) => {
      state.came = now();
      onMessage(message);
    }),
    stopDeadline: startDeadline(head.deadline - began, () =>
      failWith(state, new CallError(STATUS.DEADLINE_EXCEEDED, "the deadline has passed")),
    ),
    over: false,
    keeps: false,
    came: began,
    went: began,
  };
  return state;
};

/** Makes room for others; what a handler works on cannot be freed. */
const evict = (state: CallState, heldMs: number): boolean => {
  const { keeps, over, reader } = state;
  if (over || (reader.pending() === 0 && !keeps) || isBrisk(reader.pending(), heldMs)) return false;
  failWith(state, evicted());
  return true;
};

const feed = (state: CallState, bytes: Buffer): void => {
  const { options, over, reader } = state;
  if (over) return;
  if (reader.pending() === 0) state.came = options.now();
  try {
    reader.feed(bytes);
  } catch (error) {
    failWith(state, error);
  }
};

const plain = ({ head, incoming, options }: CallState, { bytes, compressed }: Received): Buffer | Promise<Buffer> => {
  const { encoding } = head;
  if (!compressed) return bytes;
  if (encoding === undefined) {
    throw new CallError(STATUS.INTERNAL, "the message is compressed, but the call has no grpc-encoding");
  }
  return decompress(bytes, encoding, options.maxMessageBytes, incoming).then((plain) =>
    Buffer.from(plain.buffer, plain.byteOffset, plain.byteLength),
  );
};

const keep = (state: CallState, message: Received): Received => {
  state.incoming.take(WAITING_BYTES + (message.gathered ? 0 : message.bytes.length));
  state.keeps = true;
  if (message.gathered) return message;
  const bytes = Buffer.allocUnsafeSlow(message.bytes.length);
  bytes.set(message.bytes);
  return { ...message, bytes, gathered: true };
};

const release = (state: CallState): void => {
  const { incoming, over, reader } = state;
  state.keeps = false;
  incoming.release();
  // the next one has begun; there is room for it, as it had it just now
  if (!over && reader.held() > 0) incoming.take(reader.held());
};

const send = (state: CallState, bytes: Buffer): void => {
  const { answer, options, outgoing, stream } = state;
  if (stream.queued() === 0) state.went = options.now();
  answer.message(bytes);
  if (stream.queued() === 0) outgoing.release();
};

/** False where it was over. */
const finish = (state: CallState, code: number): boolean => {
  if (state.over) return false;
  state.over = true;
  state.stopDeadline();
  state.incoming.end();
  state.counted(code);
  return true;
};

const fail = (state: CallState, status: CallStatus): void => {
  if (finish(state, status.code)) state.answer.fail(status);
};

const failWith = (state: CallState, error: unknown): void => {
  if (state.over) return;
  fail(state, statusOf(error, state.options.report));
  cancelled(state);
};

const cancelled = ({ onCancelled, options }: CallState): void => {
  try {
    onCancelled();
  } catch (error) {
    options.report(error);
  }
};

/** Ends what does not move. */
const sweep = (state: CallState, now: number, isReady: boolean): void => {
  const { keeps, reader, stream, went } = state;
  const unsent = stream.queued();
  if (unsent > 0 && now - went > TRANSFER_MS + unsent / MIN_BYTES_PER_MS) {
    stream.reset(CANCEL);
    return;
  }
  if (!isReady) state.came = now;
  const pending = reader.pending();
  if ((pending === 0 && !keeps) || now - state.came < TRANSFER_MS + pending / MIN_BYTES_PER_MS) return;
  failWith(state, new CallError(STATUS.DEADLINE_EXCEEDED, "the message took too long to arrive"));
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
