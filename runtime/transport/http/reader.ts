import { RequestError } from "../../errors/request-error.ts";
import type { Lease } from "../../memory/shares.ts";
import { createChunks } from "./chunks.ts";
import type { Head } from "./head.ts";
import { createInput } from "./input.ts";
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

export const createReader = (maxBodyBytes: number, lease: Lease): Reader => {
  const input = createInput(SERVER_LIMITS);
  let length: number | undefined;
  let body: Buffer = EMPTY;
  let received = 0;

  const chunks = createChunks({
    size(bytes) {
      if (received + bytes > maxBodyBytes) throw tooLarge(maxBodyBytes);
    },
    data(from, start, end) {
      grow(received + end - start, maxBodyBytes, received + from.length - start, 2);
      append(start, end);
    },
    trailers: checkTrailers,
  });

  const head = (): Head | undefined => {
    const parsed = input.head();
    if (parsed === undefined) return undefined;
    length = parsed.length;
    received = 0;
    chunks.begin();
    return parsed;
  };

  const grow = (bytes: number, most: number, least: number, factor: number): void => {
    if (bytes <= body.length) return;
    const wanted = Math.min(most, Math.max(bytes, least, body.length * factor));
    lease.take(wanted - body.length);
    const larger = Buffer.allocUnsafeSlow(wanted);
    body.copy(larger, 0, 0, received);
    body = larger;
  };

  const append = (from: number, to: number): void => {
    input.bytes.copy(body, received, from, to);
    received += to - from;
  };

  const finish = (): Buffer => {
    const whole = body.subarray(0, received);
    body = EMPTY;
    input.next();
    return whole;
  };

  const readLength = (total: number): Buffer | undefined => {
    const { at } = input;
    const available = Math.min(input.pending(), total - received);
    if (received === 0 && available === total) {
      if (total >= UNCOUNTED_BYTES) lease.take(total);
      body = input.bytes.subarray(at, at + total);
      input.at = at + total;
      received = total;
      input.forget();
      return finish();
    }
    // A factor of 16: a sixteenth is copied twice, and whoever holds much of the budget has sent much.
    grow(received + available, total, FIRST_BYTES, 16);
    append(at, at + available);
    input.at = at + available;
    input.forget();
    return received === total ? finish() : undefined;
  };

  const readChunks = (): Buffer | undefined => {
    input.at = chunks.read(input.bytes, input.at);
    input.forget();
    return chunks.isWhole() ? finish() : undefined;
  };

  return {
    feed: input.feed,
    head,
    body: () => (length === undefined ? readChunks() : readLength(length)),
    skipBody() {
      if (length === undefined || input.pending() < length) return false;
      input.at += length;
      finish();
      return true;
    },
    drop() {
      input.drop();
      body = EMPTY;
    },
    pending: input.pending,
    received: () => received,
  };
};

export const tooLarge = (maxBodyBytes: number) =>
  new RequestError("TooLarge", `the body is larger than ${maxBodyBytes} bytes (--max-body)`);
