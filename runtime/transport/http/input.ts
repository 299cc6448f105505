/** What has come over a connection and is not dealt with, and the heads of requests in it; of the server and of the router. */
import { findEnd, type Head, parseHead, type Scan } from "./head.ts";
import { Refusal } from "./refusal.ts";
import type { HeadLimits } from "./request-rules.ts";

export type Input = {
  bytes: Buffer;
  /** Up to here they are dealt with. */
  at: number;
  feed(chunk: Buffer): void;
  /** The head of a request, once it is there. Throws a Refusal; after that nothing more can be read. */
  head(): Head | undefined;
  /** The request has been read to its end, which is `at`. */
  next(): void;
  /** A connection that waits must not keep the last piece that it has read, which may be 64 KiB. */
  forget(): void;
  /** Forgets what has come: nothing more is read. */
  drop(): void;
  /** How many have come and are not dealt with. */
  pending(): number;
};

const EMPTY = Buffer.alloc(0);
const CR = 13;
const LF = 10;

export const createInput = (limits: HeadLimits): Input => {
  const scan: Scan = { at: 0, line: 0 };
  let skippedLine = false;

  /** One empty line before the request: some clients end a body with it (RFC 9112, 2.2). */
  const skipLine = (): void => {
    const { at, bytes } = input;
    if (skippedLine || bytes.length - at < 2 || bytes[at] !== CR || bytes[at + 1] !== LF) return;
    skippedLine = true;
    input.at = scan.at = scan.line = at + 2;
  };

  const input: Input = {
    bytes: EMPTY,
    at: 0,
    feed(chunk) {
      const { at, bytes } = input;
      if (at === bytes.length) {
        input.bytes = chunk;
        scan.at = scan.line = 0;
      } else {
        input.bytes = Buffer.concat([bytes.subarray(at), chunk]);
        scan.at -= at;
        scan.line -= at;
      }
      input.at = 0;
    },
    head() {
      skipLine();
      const { at, bytes } = input;
      const end = findEnd(bytes, scan, Math.min(bytes.length, at + limits.bytes));
      if (end < 0) {
        if (bytes.length - at < limits.bytes) return undefined;
        throw new Refusal(431, `the header is larger than ${limits.bytes} bytes`);
      }
      const parsed = parseHead(bytes.toString("latin1", at, end), limits.fields);
      input.at = end;
      return parsed;
    },
    next() {
      skippedLine = false;
      scan.at = scan.line = input.at;
    },
    forget() {
      if (input.at !== input.bytes.length) return;
      input.bytes = EMPTY;
      input.at = 0;
    },
    drop() {
      input.bytes = EMPTY;
      input.at = scan.at = scan.line = 0;
    },
    pending: () => input.bytes.length - input.at,
  };
  return input;
};
