/**
 * Protocol Buffers by hand, for messages that are mostly tensors: a packed list of floats is on the wire just the bytes of
 * the tensor, so it is passed on as a slice, where a general decoder would make an object of each number.
 */
import { invalid } from "../../errors/request-error.ts";

/** What reads on in `bytes`. */
export type Cursor = { readonly bytes: Uint8Array; at: number };

/** How a field's value is encoded. */
export const VARINT = 0;
export const FIXED64 = 1;
export const LENGTH = 2;
export const FIXED32 = 5;

/** `value`: of a length-delimited field its content, of any other the bytes of the number. */
export type Visit = (field: number, wire: number, value: Uint8Array) => void;

const broken = (what: string) => invalid(`the request is not a message of TensorFlow Serving: ${what}`);

/** Calls `visit` for each field, in the order of the bytes. Throws a RequestError where they are no message. */
export const visitFields = (bytes: Uint8Array, visit: Visit): void => {
  const cursor: Cursor = { bytes, at: 0 };
  while (cursor.at < bytes.length) {
    const tag = readVarint(cursor);
    const wire = tag % 8;
    const field = Math.floor(tag / 8);
    if (field < 1 || field >= 2 ** 29) throw broken(`a field has the number ${field}`);
    let from = cursor.at;
    if (wire === VARINT) readVarint(cursor);
    else if (wire === FIXED64) cursor.at += 8;
    else if (wire === FIXED32) cursor.at += 4;
    else if (wire === LENGTH) {
      const length = readVarint(cursor);
      from = cursor.at;
      cursor.at += length;
    } else throw broken(`field ${field} has the unknown wire type ${wire}`);
    if (!(cursor.at >= from && cursor.at <= bytes.length)) throw broken(`field ${field} is cut off`);
    visit(field, wire, bytes.subarray(from, cursor.at));
  }
};

/** A varint as a signed 64-bit number; beyond 2^53 only nearly so, which no length, size or tag may be. */
export const readVarint = (cursor: Cursor): number => {
  const first = cursor.bytes[cursor.at];
  if (first !== undefined && first < 0x80) {
    cursor.at++;
    return first;
  }
  const { low, high } = readVarint64(cursor);
  return high * 2 ** 32 + low;
};

/** The two halves: `low` unsigned, `high` signed. */
export const readVarint64 = (cursor: Cursor): { low: number; high: number } => {
  let low = 0;
  let high = 0;
  for (let shift = 0; shift < 70; shift += 7) {
    const byte = cursor.bytes[cursor.at];
    if (byte === undefined) break;
    cursor.at++;
    const bits = byte & 0x7f;
    if (shift < 28) low |= bits << shift;
    else if (shift === 28) {
      low |= bits << 28;
      high |= bits >> 4;
    } else if (shift < 64) high |= bits << (shift - 32);
    if (byte < 0x80) return { low: low >>> 0, high };
  }
  throw broken("a number is cut off or too long");
};

/** The number that a field of wire type VARINT holds. */
export const numberOf = (value: Uint8Array): number => readVarint({ bytes: value, at: 0 });

/** A text field. Throws where it is not UTF-8. */
export const textOf = (value: Uint8Array): string => {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(value);
  } catch {
    throw broken("a text is not UTF-8");
  }
};

/** Key and value of a map's entry; `value` is empty where it is left out. */
export const entryOf = (bytes: Uint8Array): { key: string; value: Uint8Array } => {
  let key = "";
  let value: Uint8Array = new Uint8Array();
  visitFields(bytes, (field, wire, content) => {
    if (field === 1 && wire === LENGTH) key = textOf(content);
    if (field === 2 && wire === LENGTH) value = content;
  });
  return { key, value };
};

/** A message to be: pieces that follow each other, copied once when all are there. */
export type Pieces = { parts: Uint8Array[]; length: number };

export const pieces = (): Pieces => ({ parts: [], length: 0 });

export const finish = (message: Pieces): Buffer => Buffer.concat(message.parts, message.length);

export const add = (message: Pieces, part: Uint8Array): void => {
  message.parts.push(part);
  message.length += part.length;
};

/** At most 10 bytes: a negative number takes all of them. `value`: a safe integer. */
export const writeVarint = (value: number, into: Uint8Array, at: number): number =>
  writeVarint64(value >>> 0, Math.floor(value / 2 ** 32) >>> 0, into, at);

/** `low` and `high` unsigned. Returns where the number ends. */
export const writeVarint64 = (low: number, high: number, into: Uint8Array, at: number): number => {
  let end = at;
  let lower = low;
  let upper = high;
  while (upper > 0 || lower > 0x7f) {
    into[end++] = (lower & 0x7f) | 0x80;
    lower = ((lower >>> 7) | (upper << 25)) >>> 0;
    upper >>>= 7;
  }
  into[end++] = lower;
  return end;
};

const head = (field: number, wire: number, value: number): Uint8Array => {
  const bytes = Buffer.allocUnsafe(20);
  const end = writeVarint(value, bytes, writeVarint(field * 8 + wire, bytes, 0));
  return bytes.subarray(0, end);
};

export const addNumber = (message: Pieces, field: number, value: number): void =>
  add(message, head(field, VARINT, value));

export const addBytes = (message: Pieces, field: number, content: Uint8Array): void => {
  add(message, head(field, LENGTH, content.length));
  add(message, content);
};

export const addText = (message: Pieces, field: number, content: string): void =>
  addBytes(message, field, Buffer.from(content));

export const addMessage = (message: Pieces, field: number, content: Pieces): void => {
  add(message, head(field, LENGTH, content.length));
  for (const part of content.parts) message.parts.push(part);
  message.length += content.length;
};

/** An entry of a map from names to messages. */
export const addEntry = (message: Pieces, field: number, key: string, value: Pieces): void => {
  const entry = pieces();
  addText(entry, 1, key);
  addMessage(entry, 2, value);
  addMessage(message, field, entry);
};
