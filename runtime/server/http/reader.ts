import { RequestError } from "../../inference/errors.ts";
import type { Lease } from "../shares.ts";
import { findEnd, type Head, MAX_HEAD_BYTES, parseFields, parseHead, type Scan } from "./head.ts";
import { Refusal } from "./refusal.ts";

/** A buffer begins with no more than this, so that a length that is declared but never sent costs little. */
const FIRST_BYTES = 64 * 1024;
const MAX_TRAILER_BYTES = 8 * 1024;
/** Of all chunks of a body together: nobody needs them, and without a bound they could be sent for ever. */
const MAX_EXTENSION_BYTES = 4 * 1024;
/** 16^8 is 4 GiB. */
const MAX_SIZE_DIGITS = 8;

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

/** The steps of a chunked body. */
type Step = "size" | "extension" | "size-lf" | "data" | "data-cr" | "data-lf" | "trailers";

export const createReader = (maxBodyBytes: number, lease: Lease): Reader => {
  /** What has come; up to `at` it is dealt with. */
  let input: Buffer = EMPTY;
  let at = 0;
  const scan: Scan = { at: 0, line: 0 };
  let skippedLine = false;

  let length: number | undefined;
  let body: Buffer = EMPTY;
  let received = 0;

  let step: Step = "size";
  let size = 0;
  let digits = 0;
  let extensionBytes = 0;

  const head = (): Head | undefined => {
    // one empty line before the request: some clients end a body with it (RFC 9112, 2.2)
    if (!skippedLine && input.length - at >= 2 && input[at] === 13 && input[at + 1] === 10) {
      at += 2;
      skippedLine = true;
      scan.at = scan.line = at;
    }
    const end = section(MAX_HEAD_BYTES, "the header is");
    if (end < 0) return undefined;
    const parsed = parseHead(input.toString("latin1", at, end));
    at = end;
    length = parsed.length;
    received = 0;
    step = "size";
    digits = size = extensionBytes = 0;
    return parsed;
  };

  /** The end of a section of lines that begins at `at`, or -1. */
  const section = (most: number, what: string): number => {
    const limit = Math.min(input.length, at + most);
    const end = findEnd(input, scan, limit);
    if (end < 0 && input.length - at >= most) throw new Refusal(431, `${what} larger than ${most} bytes`);
    return end;
  };

  const grow = (bytes: number, most: number, least: number, factor: number): void => {
    if (bytes <= body.length) return;
    const wanted = Math.min(most, Math.max(bytes, least, body.length * factor));
    lease.take(wanted - body.length);
    const larger = Buffer.allocUnsafeSlow(wanted);
    body.copy(larger, 0, 0, received);
    body = larger;
  };

  const append = (count: number): void => {
    input.copy(body, received, at, at + count);
    received += count;
    at += count;
  };

  const finish = (): Buffer => {
    const whole = body.subarray(0, received);
    body = EMPTY;
    skippedLine = false;
    scan.at = scan.line = at;
    return whole;
  };

  const readLength = (total: number): Buffer | undefined => {
    const available = Math.min(input.length - at, total - received);
    if (received === 0 && available === total) {
      body = input.subarray(at, at + total);
      at += total;
      received = total;
      return finish();
    }
    // A factor of 16: a sixteenth is copied twice, and whoever holds much of the budget has sent much.
    grow(received + available, total, FIRST_BYTES, 16);
    append(available);
    return received === total ? finish() : undefined;
  };

  const readChunks = (): Buffer | undefined => {
    while (at < input.length) {
      if (step === "data") {
        const count = Math.min(input.length - at, size);
        grow(received + count, maxBodyBytes, received + input.length - at, 2);
        append(count);
        size -= count;
        if (size === 0) step = "data-cr";
        continue;
      }
      if (step === "trailers") {
        const start = at;
        const end = section(MAX_TRAILER_BYTES, "the trailers are");
        if (end < 0) return undefined;
        // checked like a header's, and then dropped: nothing here needs them
        parseFields(input.toString("latin1", start, end), 0, []);
        at = end;
        return finish();
      }
      chunkByte(input[at++] ?? 0);
    }
    return undefined;
  };

  /** One byte of what is around the data of a chunk. */
  const chunkByte = (byte: number): void => {
    switch (step) {
      case "size": {
        const digit = hexDigit(byte);
        if (digit >= 0) {
          if (++digits > MAX_SIZE_DIGITS) throw malformedChunk();
          size = size * 16 + digit;
        } else if (digits > 0 && byte === 13) step = "size-lf";
        else if (digits > 0 && byte === 59) step = "extension";
        else throw malformedChunk();
        return;
      }
      case "extension":
        if (++extensionBytes > MAX_EXTENSION_BYTES) throw new Refusal(400, "the chunk extensions are too long");
        if (byte === 13) step = "size-lf";
        else if ((byte < 32 && byte !== 9) || byte === 127) throw malformedChunk();
        return;
      case "size-lf":
        if (byte !== 10) throw malformedChunk();
        if (received + size > maxBodyBytes) throw tooLarge(maxBodyBytes);
        step = size === 0 ? "trailers" : "data";
        scan.at = scan.line = at;
        digits = 0;
        return;
      case "data-cr":
        if (byte !== 13) throw malformedChunk();
        step = "data-lf";
        return;
      case "data-lf":
        if (byte !== 10) throw malformedChunk();
        step = "size";
        return;
    }
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

const malformedChunk = () => new Refusal(400, "a malformed chunk in the body");

const hexDigit = (byte: number): number => {
  if (byte >= 48 && byte <= 57) return byte - 48;
  const lower = byte | 32;
  return lower >= 97 && lower <= 102 ? lower - 87 : -1;
};
