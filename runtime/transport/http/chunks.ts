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

type State = {
  readonly sink: ChunkSink;
  step: Step;
  /** What is left of the chunk, in bytes; while its size is read, as far as its `digits` have come. */
  size: number;
  digits: number;
  extensionBytes: number;
  part: Part;
};

export const createChunks = (sink: ChunkSink): Chunks => {
  const state: State = { sink, step: "size", size: 0, digits: 0, extensionBytes: 0, part: "before name" };
  return {
    begin() {
      state.step = "size";
      state.size = state.digits = state.extensionBytes = 0;
    },
    read: (input, at) => read(state, input, at),
    isWhole: () => state.step === "whole",
  };
};

const read = (state: State, input: Buffer, from: number): number => {
  let at = from;
  while (at < input.length && state.step !== "whole") {
    if (state.step === "data") {
      const count = Math.min(input.length - at, state.size);
      state.sink.data(input, at, at + count);
      at += count;
      state.size -= count;
      if (state.size === 0) state.step = "data-cr";
    } else if (state.step === "trailers") {
      const end = readTrailers(state, input, at);
      if (end < 0) return at;
      at = end;
    } else take(state, input[at++] ?? 0);
  }
  return at;
};

/** Where they end; below 0: not all of them have come. */
const readTrailers = (state: State, input: Buffer, at: number): number => {
  const end = findEnd(input, { at, line: at }, Math.min(input.length, at + MAX_TRAILER_BYTES));
  if (end < 0) {
    if (input.length - at < MAX_TRAILER_BYTES) return end;
    throw new Refusal(431, `the trailers are larger than ${MAX_TRAILER_BYTES} bytes`);
  }
  const fields: string[] = [];
  parseFields(input.toString("latin1", at, end), 0, fields, MAX_TRAILERS);
  if (fields.length > 0) state.sink.trailers?.(fields);
  state.step = "whole";
  return end;
};

/** One byte of what is around the data of a chunk. */
const take = (state: State, byte: number): void => {
  switch (state.step) {
    case "size":
      takeSize(state, byte);
      return;
    case "extension":
      if (++state.extensionBytes > MAX_EXTENSION_BYTES) throw new Refusal(400, "the chunk extensions are too long");
      state.part = nextPart(state.part, byte);
      if (state.part === "end") state.step = "size-lf";
      return;
    case "size-lf":
      if (byte !== 10) throw malformed();
      state.sink.size(state.size);
      state.step = state.size === 0 ? "trailers" : "data";
      state.digits = 0;
      return;
    case "data-cr":
      if (byte !== 13) throw malformed();
      state.step = "data-lf";
      return;
    case "data-lf":
      if (byte !== 10) throw malformed();
      state.step = "size";
      return;
  }
};

const takeSize = (state: State, byte: number): void => {
  const digit = hexDigit(byte);
  if (digit >= 0) {
    if (++state.digits > MAX_SIZE_DIGITS) throw malformed();
    state.size = state.size * 16 + digit;
  } else if (state.digits > 0 && byte === 13) state.step = "size-lf";
  else if (state.digits > 0 && byte === 59) {
    state.step = "extension";
    state.part = "before name";
  } else throw malformed();
};

const malformed = () => new Refusal(400, "a chunk of the body is malformed");

const hexDigit = (byte: number): number => {
  if (byte >= 48 && byte <= 57) return byte - 48;
  const lower = byte | 32;
  return lower >= 97 && lower <= 102 ? lower - 87 : -1;
};
