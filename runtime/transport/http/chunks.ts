import { findEnd, parseFields } from "./head.ts";
import { Refusal } from "./refusal.ts";
import { isTokenByte } from "./request-rules.ts";

const MAX_TRAILER_BYTES = 8 * 1024;
const MAX_TRAILERS = 100;
/** Of all chunks of a body together: nobody needs them, and without a bound they could be sent for ever. */
const MAX_EXTENSION_BYTES = 4 * 1024;
/** 16^8 is 4 GiB. */
const MAX_SIZE_DIGITS = 8;

/** Takes the bytes of a chunked body apart (RFC 9112, 7.1), and nothing that is merely tolerated elsewhere. */
export type Chunks = {
  /** Forgets the body before. */
  begin(): void;
  /**
   * Reads on from `at`, and returns how far it came: what lies beyond must be there again, with more after it. Throws a
   * Refusal for what is malformed, and what `sink.size` throws.
   */
  read(input: Buffer, at: number): number;
  isWhole(): boolean;
};

export type ChunkSink = {
  /** So many bytes of data follow, which may throw if that is too many. */
  size(bytes: number): void;
  /** Data lie in `input` from `from` to `to`. */
  data(input: Buffer, from: number, to: number): void;
  /** What comes after the body: names in lower case and values in turns. Without it, they are checked and dropped. */
  trailers?(fields: readonly string[]): void;
};

type Step = "size" | "extension" | "size-lf" | "data" | "data-cr" | "data-lf" | "trailers" | "whole";

/** Of an extension: `;name`, `;name=value` or `;name="value"` (RFC 9112, 7.1.1), without blanks around them. */
type Part = "before name" | "name" | "before value" | "value" | "quoted" | "escaped" | "after quoted" | "end";

const nextPart = (part: Part, byte: number): Part => {
  if (part === "quoted" || part === "escaped") {
    if ((byte < 32 && byte !== 9) || byte > 126) throw malformed();
    if (part === "escaped") return "quoted";
    if (byte === 92) return "escaped";
    return byte === 34 ? "after quoted" : "quoted";
  }
  const isBetween = part !== "before name" && part !== "before value";
  if (byte === 13 && isBetween) return "end";
  if (byte === 59 && isBetween) return "before name";
  if (byte === 61 && part === "name") return "before value";
  if (byte === 34 && part === "before value") return "quoted";
  if (part === "after quoted" || !isTokenByte(byte)) throw malformed();
  return part === "before name" || part === "name" ? "name" : "value";
};

export const createChunks = (sink: ChunkSink): Chunks => {
  let step: Step = "size";
  let size = 0;
  let digits = 0;
  let extensionBytes = 0;
  let part: Part = "before name";

  /** One byte of what is around the data of a chunk. */
  const take = (byte: number): void => {
    switch (step) {
      case "size": {
        const digit = hexDigit(byte);
        if (digit >= 0) {
          if (++digits > MAX_SIZE_DIGITS) throw malformed();
          size = size * 16 + digit;
        } else if (digits > 0 && byte === 13) step = "size-lf";
        else if (digits > 0 && byte === 59) {
          step = "extension";
          part = "before name";
        } else throw malformed();
        return;
      }
      case "extension":
        if (++extensionBytes > MAX_EXTENSION_BYTES) throw new Refusal(400, "the chunk extensions are too long");
        part = nextPart(part, byte);
        if (part === "end") step = "size-lf";
        return;
      case "size-lf":
        if (byte !== 10) throw malformed();
        sink.size(size);
        step = size === 0 ? "trailers" : "data";
        digits = 0;
        return;
      case "data-cr":
        if (byte !== 13) throw malformed();
        step = "data-lf";
        return;
      case "data-lf":
        if (byte !== 10) throw malformed();
        step = "size";
        return;
    }
  };

  return {
    begin() {
      step = "size";
      size = digits = extensionBytes = 0;
    },
    read(input, from) {
      let at = from;
      while (at < input.length && step !== "whole") {
        if (step === "data") {
          const count = Math.min(input.length - at, size);
          sink.data(input, at, at + count);
          at += count;
          size -= count;
          if (size === 0) step = "data-cr";
        } else if (step === "trailers") {
          const end = findEnd(input, { at, line: at }, Math.min(input.length, at + MAX_TRAILER_BYTES));
          if (end < 0) {
            if (input.length - at < MAX_TRAILER_BYTES) return at;
            throw new Refusal(431, `the trailers are larger than ${MAX_TRAILER_BYTES} bytes`);
          }
          const fields: string[] = [];
          parseFields(input.toString("latin1", at, end), 0, fields, MAX_TRAILERS);
          if (fields.length > 0) sink.trailers?.(fields);
          at = end;
          step = "whole";
        } else take(input[at++] ?? 0);
      }
      return at;
    },
    isWhole: () => step === "whole",
  };
};

const malformed = () => new Refusal(400, "a chunk of the body is malformed");

const hexDigit = (byte: number): number => {
  if (byte >= 48 && byte <= 57) return byte - 48;
  const lower = byte | 32;
  return lower >= 97 && lower <= 102 ? lower - 87 : -1;
};
