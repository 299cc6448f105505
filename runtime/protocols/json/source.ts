/** Text that is read from its first byte to its last. */
import { isUtf8 } from "node:buffer";
import { invalid, type RequestError } from "../../errors/request-error.ts";

export type Source = { readonly bytes: Buffer; at: number };

/** Nesting that no tensor needs; deeper text is an attack on the stack. */
export const MAX_DEPTH = 100;

export const sourceOf = (bytes: Uint8Array): Source => ({
  bytes: Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength),
  at: 0,
});

export const notJson = (source: Source, what = "unexpected text"): RequestError => {
  const where = source.at >= source.bytes.length ? "the end" : `byte ${source.at}`;
  return invalid(`the request is not JSON: ${what} at ${where}`);
};

/** Goes to the next byte that is not white space, and gives it; 0 at the end (NUL is no JSON anywhere). */
export const nextByte = (source: Source): number => {
  const { bytes } = source;
  let { at } = source;
  let byte = bytes[at] ?? 0;
  while (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09) byte = bytes[++at] ?? 0;
  source.at = at;
  return byte;
};

/** Takes `word` if it is there as a whole: NaN and true are words, NaNs and true1 are not. */
export const takeWord = (source: Source, word: string): boolean => {
  const { bytes, at } = source;
  for (let i = 0; i < word.length; i++) if (bytes[at + i] !== word.charCodeAt(i)) return false;
  if (isWordByte(bytes[at + word.length] ?? 0)) return false;
  source.at = at + word.length;
  return true;
};

const isWordByte = (byte: number): boolean =>
  (byte >= 0x30 && byte <= 0x39) || (byte >= 0x41 && byte <= 0x5a) || (byte >= 0x61 && byte <= 0x7a) || byte === 0x2e;

export const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** How the string at a source is written: where it ends (after its closing quote), and what it takes to read it. */
export type StringSpan = { end: number; plain: boolean; ascii: boolean };

/** Finds the end of the string whose opening quote is at `source.at`. `span` is filled, so that none is made per string. */
export const findString = (source: Source, span: StringSpan): void => {
  const { bytes } = source;
  let at = source.at + 1;
  let bits = 0;
  span.plain = true;
  for (;;) {
    const byte = bytes[at] ?? 0;
    if (byte === QUOTE) break;
    if (byte < 0x20)
      throw notJson({ bytes, at }, at >= bytes.length ? "a string that is not closed" : "a control character");
    if (byte === BACKSLASH) {
      span.plain = false;
      at++;
    }
    bits |= byte;
    at++;
  }
  span.ascii = bits < 0x80;
  span.end = at + 1;
};

const scratch: StringSpan = { end: 0, plain: true, ascii: true };

/** Reads the string whose opening quote is at `source.at`. */
export const readString = (source: Source): string => {
  findString(source, scratch);
  const { end, plain, ascii } = scratch;
  const { bytes, at: start } = source;
  if (!ascii && !isUtf8(bytes.subarray(start, end))) throw notJson(source, "a string that is not UTF-8");
  let text: string;
  if (!plain) text = decodeEscapes(source, end);
  else if (ascii && end - start <= KNOWN_LENGTH + 2) text = readKnown(bytes, start + 1, end - 1);
  else text = bytes.toString(ascii ? "latin1" : "utf8", start + 1, end - 1);
  source.at = end;
  return text;
};

/** Requests repeat their keys: looking a short string up costs a third of making it. The last one of each slot is kept. */
const KNOWN_LENGTH = 16;
const known = Array<string>(256).fill("");

const readKnown = (bytes: Buffer, start: number, end: number): string => {
  const length = end - start;
  const slot = (length * 37 + (bytes[start] ?? 0) * 7 + (bytes[end - 1] ?? 0)) & 0xff;
  const candidate = known[slot] ?? "";
  if (candidate.length === length) {
    let i = 0;
    while (i < length && candidate.charCodeAt(i) === bytes[start + i]) i++;
    if (i === length) return candidate;
  }
  const text = bytes.toString("latin1", start, end);
  known[slot] = text;
  return text;
};

const decodeEscapes = (source: Source, end: number): string => {
  try {
    const value: unknown = JSON.parse(source.bytes.toString("utf8", source.at, end));
    return String(value);
  } catch {
    throw notJson(source, "a string with a bad escape");
  }
};

/** Goes behind a value that is looked at later: only its brackets and strings are followed. */
export const skipValue = (source: Source): void => {
  const { bytes } = source;
  let depth = 0;
  do {
    const byte = nextByte(source);
    switch (byte) {
      case QUOTE:
        findString(source, scratch);
        source.at = scratch.end;
        break;
      case 0x5b:
      case 0x7b:
        depth++;
        source.at++;
        break;
      case 0x5d:
      case 0x7d:
        if (depth === 0) throw notJson(source);
        depth--;
        source.at++;
        break;
      case 0x2c:
      case 0x3a:
        if (depth === 0) throw notJson(source);
        source.at++;
        break;
      default: {
        const { at } = source;
        while (isTokenByte(bytes[source.at] ?? 0)) source.at++;
        if (source.at === at) throw notJson(source);
      }
    }
  } while (depth > 0);
};

const isTokenByte = (byte: number): boolean => isWordByte(byte) || byte === 0x2d || byte === 0x2b;
