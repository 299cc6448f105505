import {
  MAX_DEPTH,
  nextByte,
  notJson,
  QUOTE,
  readString,
  type Source,
  skipValue,
  sourceOf,
  takeWord,
} from "./source.ts";
import { readTensor } from "./tensor.ts";
import type { Choose, JsonValue } from "./types.ts";

type Fields = Record<string, JsonValue>;

/**
 * Values besides the elements of tensors: an empty list is three bytes of text and ten times that in memory, so that the
 * bound of a body's bytes does not bound what its document takes.
 */
const MAX_VALUES = 262_144;
/** Of the document that is being read; reading does not wait for anything, so that all may share it. */
let valuesLeft = 0;

const OPEN_LIST = 0x5b;
const CLOSE_LIST = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const COMMA = 0x2c;
const COLON = 0x3a;

/**
 * Reads JSON with what the protocols' clients add to it (bare NaN, Infinity, -Infinity); what `choose` calls a tensor is read
 * straight into its bytes. Stricter than JSON.parse: the same key twice in an object and numbers too large for a double are
 * refused, because readers differ in what they make of them. Throws a RequestError.
 */
export const parseDocument = (bytes: Uint8Array, choose: Choose): JsonValue => {
  const source = sourceOf(bytes);
  const path: (string | number)[] = [];
  valuesLeft = MAX_VALUES;
  const value = readValue(source, nextByte(source), choose, path);
  nextByte(source);
  if (source.at < bytes.length) throw notJson(source, "text after the end");
  return value;
};

const readValue = (source: Source, first: number, choose: Choose, path: (string | number)[]): JsonValue => {
  switch (first) {
    case OPEN_OBJECT:
      return readObject(source, choose, path);
    case OPEN_LIST:
      return readList(source, choose, path);
    case QUOTE:
      return readString(source);
    case 0x74:
      if (takeWord(source, "true")) return true;
      throw notJson(source);
    case 0x66:
      if (takeWord(source, "false")) return false;
      throw notJson(source);
    case 0x6e:
      if (takeWord(source, "null")) return null;
      throw notJson(source);
    default:
      return readNumber(source, first);
  }
};

const readMember = (
  source: Source,
  choose: Choose,
  path: (string | number)[],
  parent: Fields | JsonValue[],
): JsonValue => {
  const first = nextByte(source);
  if (--valuesLeft < 0) throw notJson(source, `more than ${MAX_VALUES} values besides those of tensors`);
  const choice = choose(path, parent, first);
  if (choice === undefined) return readValue(source, first, choose, path);
  if (choice !== "later") return readTensor(source, choice);
  const start = source.at;
  skipValue(source);
  return source.bytes.subarray(start, source.at);
};

const readObject = (source: Source, choose: Choose, path: (string | number)[]): Fields => {
  const fields: Fields = {};
  if (path.length >= MAX_DEPTH) throw notJson(source, `more than ${MAX_DEPTH} levels of nesting`);
  source.at++;
  if (nextByte(source) === CLOSE_OBJECT) {
    source.at++;
    return fields;
  }
  for (;;) {
    if (nextByte(source) !== QUOTE) throw notJson(source);
    const { at } = source;
    const key = readString(source);
    if (Object.hasOwn(fields, key)) {
      throw notJson({ bytes: source.bytes, at }, `the key ${JSON.stringify(key.slice(0, 40))} for the second time`);
    }
    if (nextByte(source) !== COLON) throw notJson(source);
    source.at++;
    path.push(key);
    const value = readMember(source, choose, path, fields);
    path.pop();
    // an ordinary key here, not the way to an object's prototype
    if (key === "__proto__") Object.defineProperty(fields, key, { value, enumerable: true });
    else fields[key] = value;
    const byte = nextByte(source);
    if (byte !== COMMA && byte !== CLOSE_OBJECT) throw notJson(source);
    source.at++;
    if (byte === CLOSE_OBJECT) return fields;
  }
};

const readList = (source: Source, choose: Choose, path: (string | number)[]): JsonValue[] => {
  const items: JsonValue[] = [];
  if (path.length >= MAX_DEPTH) throw notJson(source, `more than ${MAX_DEPTH} levels of nesting`);
  source.at++;
  if (nextByte(source) === CLOSE_LIST) {
    source.at++;
    return items;
  }
  const level = path.push(0) - 1;
  for (;;) {
    path[level] = items.length;
    items.push(readMember(source, choose, path, items));
    const byte = nextByte(source);
    if (byte !== COMMA && byte !== CLOSE_LIST) throw notJson(source);
    source.at++;
    if (byte === CLOSE_LIST) {
      path.pop();
      return items;
    }
  }
};

const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

const readNumber = (source: Source, first: number): number => {
  const { bytes, at } = source;
  let end = at;
  let byte = first;
  // whole numbers of up to 15 digits, which nearly all are: shapes and sizes
  let value = 0;
  while (byte >= 0x30 && byte <= 0x39) {
    value = value * 10 + (byte - 0x30);
    byte = bytes[++end] ?? 0;
  }
  const simple = end > at && end - at <= 15 && (first !== 0x30 || end === at + 1);
  if (simple && (byte === COMMA || byte === CLOSE_LIST || byte === CLOSE_OBJECT)) {
    source.at = end;
    return value;
  }
  if (takeWord(source, "NaN")) return Number.NaN;
  if (takeWord(source, "Infinity")) return Number.POSITIVE_INFINITY;
  if (takeWord(source, "-Infinity")) return Number.NEGATIVE_INFINITY;
  while ((byte >= 0x30 && byte <= 0x39) || byte === 0x2d || byte === 0x2b || byte === 0x2e || (byte | 0x20) === 0x65) {
    byte = bytes[++end] ?? 0;
  }
  const text = bytes.toString("latin1", at, end);
  if (!NUMBER.test(text)) throw notJson(source);
  value = Number(text);
  if (!Number.isFinite(value)) throw notJson(source, `the number ${text.slice(0, 40)}, which is too large,`);
  source.at = end;
  return value;
};
