import { RequestError } from "../../errors/request-error.ts";
import type { Lease } from "../../memory/shares.ts";
import { createChunks } from "./chunks.ts";
import { findEnd, type Head, parseHead, type Scan } from "./head.ts";
import { Refusal } from "./refusal.ts";
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
  /** What has come; up to `at` it is dealt with. */
  let input: Buffer = EMPTY;
  let at = 0;
  const scan: Scan = { at: 0, line: 0 };
  let skippedLine = false;

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
    // one empty line before the request: some clients end a body with it (RFC 9112, 2.2)
    if (!skippedLine && input.length - at >= 2 && input[at] === 13 && input[at + 1] === 10) {
      at += 2;
      skippedLine = true;
      scan.at = scan.line = at;
    }
    const limit = Math.min(input.length, at + SERVER_LIMITS.bytes);
    const end = findEnd(input, scan, limit);
    if (end < 0) {
      if (input.length - at >= SERVER_LIMITS.bytes)
        throw new Refusal(431, `the header is larger than ${SERVER_LIMITS.bytes} bytes`);
      return undefined;
    }
    const parsed = parseHead(input.toString("latin1", at, end), SERVER_LIMITS.fields);
    at = end;
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
    input.copy(body, received, from, to);
    received += to - from;
  };

  const finish = (): Buffer => {
    const whole = body.subarray(0, received);
    body = EMPTY;
    skippedLine = false;
    scan.at = scan.line = at;
    return whole;
  };

  /** A connection that waits must not keep the last piece that it has read, which may be 64 KiB. */
  const forget = (): void => {
    if (at !== input.length) return;
    input = EMPTY;
    at = 0;
  };

  const readLength = (total: number): Buffer | undefined => {
    const available = Math.min(input.length - at, total - received);
    if (received === 0 && available === total) {
      if (total >= UNCOUNTED_BYTES) lease.take(total);
      body = input.subarray(at, at + total);
      at += total;
      received = total;
      forget();
      return finish();
    }
    // A factor of 16: a sixteenth is copied twice, and whoever holds much of the budget has sent much.
    grow(received + available, total, FIRST_BYTES, 16);
    append(at, at + available);
    at += available;
    forget();
    return received === total ? finish() : undefined;
  };

  const readChunks = (): Buffer | undefined => {
    at = chunks.read(input, at);
    forget();
    return chunks.isWhole() ? finish() : undefined;
  };

  return {
    feed(chunk) {
      if (at === input.length) {
        input = chunk;
        at = scan.at = scan.line = 0;
        return;
      }
      input = Buffer.concat([input.subarray(at), chunk]);
      scan.at -= at;
      scan.line -= at;
      at = 0;
    },
    head,
    body: () => (length === undefined ? readChunks() : readLength(length)),
    skipBody() {
      if (length === undefined || input.length - at < length) return false;
      at += length;
      finish();
      return true;
    },
    drop() {
      input = body = EMPTY;
      at = 0;
    },
    pending: () => input.length - at,
    received: () => received,
  };
};

export const tooLarge = (maxBodyBytes: number) =>
  new RequestError("TooLarge", `the body is larger than ${maxBodyBytes} bytes (--max-body)`);
