import { RequestError } from "../../errors/request-error.ts";
import type { Lease } from "../../memory/shares.ts";
import { type Chunks, createChunks } from "./chunks.ts";
import type { Head } from "./head.ts";
import { createInput, type Input } from "./input.ts";
import { checkTrailers, SERVER_LIMITS } from "./request-rules.ts";

/** A buffer begins with no more than this, so that a length that is declared but never sent costs little. */
const FIRST_BYTES = 64 * 1024;
/** A smaller body that came with its head in one piece is not counted: it is read, and gone, in the turn in which it came. */
const UNCOUNTED_BYTES = 16 * 1024;

/**
 * Takes the bytes of a connection apart. First `head()` until it is there, then `body()` until it is there, then again.
 * How the bytes were divided when they came makes no difference. Each throws a Refusal or a RequestError; after that
 * nothing more can be read. That a declared length is within bounds is for the caller to see before `body()`.
 */
export type Reader = {
  feed(chunk: Buffer): void;
  head(): Head | undefined;
  /** Where it came with its head in one piece it is a part of that, without a copy. */
  body(): Buffer | undefined;
  /** Instead of `body()`: whether the whole body has come already (it is dropped), or there is none. */
  skipBody(): boolean;
  /** Forgets what has come: nothing more is read. */
  drop(): void;
  /** Bytes that have come and are not part of what was returned yet. */
  pending(): number;
  /** Bytes of the body so far. */
  received(): number;
};

const EMPTY = Buffer.alloc(0);

type State = {
  readonly maxBodyBytes: number;
  readonly lease: Lease;
  readonly input: Input;
  readonly chunks: Chunks;
  /** As the head declares it; undefined where the body comes in chunks. */
  length: number | undefined;
  /** What has come of the body, in `received` bytes. */
  body: Buffer;
  received: number;
};

export const createReader = (maxBodyBytes: number, lease: Lease): Reader => {
  const input = createInput(SERVER_LIMITS);
  const state: State = {
    ...{ maxBodyBytes, lease, input },
    chunks: createChunks({
      size(bytes) {
        if (state.received + bytes > maxBodyBytes) throw tooLarge(maxBodyBytes);
      },
      data(from, start, end) {
        const { received } = state;
        grow(state, received + end - start, maxBodyBytes, received + from.length - start, 2);
        append(state, start, end);
      },
      trailers: checkTrailers,
    }),
    length: undefined,
    body: EMPTY,
    received: 0,
  };
  return {
    feed: input.feed,
    head: () => readHead(state),
    body: () => (state.length === undefined ? readChunks(state) : readLength(state, state.length)),
    skipBody() {
      if (state.length === undefined || input.pending() < state.length) return false;
      input.at += state.length;
      finish(state);
      return true;
    },
    drop() {
      input.drop();
      state.body = EMPTY;
    },
    pending: input.pending,
    received: () => state.received,
  };
};

const readHead = (state: State): Head | undefined => {
  const parsed = state.input.head();
  if (parsed === undefined) return undefined;
  state.length = parsed.length;
  state.received = 0;
  state.chunks.begin();
  return parsed;
};

const readLength = (state: State, total: number): Buffer | undefined => {
  const { input, lease, received } = state;
  const { at } = input;
  const available = Math.min(input.pending(), total - received);
  if (received === 0 && available === total) {
    if (total >= UNCOUNTED_BYTES) lease.take(total);
    state.body = input.bytes.subarray(at, at + total);
    input.at = at + total;
    state.received = total;
    input.forget();
    return finish(state);
  }
  // A factor of 16: a sixteenth is copied twice, and whoever holds much of the budget has sent much.
  grow(state, received + available, total, FIRST_BYTES, 16);
  append(state, at, at + available);
  input.at = at + available;
  input.forget();
  return state.received === total ? finish(state) : undefined;
};

const readChunks = (state: State): Buffer | undefined => {
  const { chunks, input } = state;
  input.at = chunks.read(input.bytes, input.at);
  input.forget();
  return chunks.isWhole() ? finish(state) : undefined;
};

/** Makes room for `bytes` of the body: `least` at least, `most` at most, and else `factor` times what there is. */
const grow = (state: State, bytes: number, most: number, least: number, factor: number): void => {
  const { body } = state;
  if (bytes <= body.length) return;
  const wanted = Math.min(most, Math.max(bytes, least, body.length * factor));
  state.lease.take(wanted - body.length);
  const larger = Buffer.allocUnsafeSlow(wanted);
  body.copy(larger, 0, 0, state.received);
  state.body = larger;
};

const append = (state: State, from: number, to: number): void => {
  state.input.bytes.copy(state.body, state.received, from, to);
  state.received += to - from;
};

const finish = (state: State): Buffer => {
  const whole = state.body.subarray(0, state.received);
  state.body = EMPTY;
  state.input.next();
  return whole;
};

export const tooLarge = (maxBodyBytes: number) =>
  new RequestError("TooLarge", `the body is larger than ${maxBodyBytes} bytes (--max-body)`);
