/** Reads protobuf's wire format. It takes no memory by what a message says of its lengths, and copies nothing but strings. */
import { invalid, type RequestError } from "../../../errors/request-error.ts";

/** A place in a message: from `at` to `end` is still to be read. */
export type Reader = {
  readonly bytes: Buffer;
  at: number;
  end: number;
  /** The upper 32 bits of the number that `readVarint` returned. */
  high: number;
};

export const VARINT = 0;
export const FIXED64 = 1;
export const DELIMITED = 2;
export const FIXED32 = 5;

export const readerOf = (bytes: Buffer): Reader => ({ bytes, at: 0, end: bytes.length, high: 0 });

export const malformed = (what: string): RequestError => invalid(`the message is not a valid protobuf: ${what}`);

/** The lower 32 bits, unsigned; the upper are in `reader.high`. */
export const readVarint = (reader: Reader): number => {
  const { bytes, end } = reader;
  let at = reader.at;
  let low = 0;
  let high = 0;
  for (let shift = 0; shift < 70; shift += 7) {
    if (at >= end) throw malformed("it ends within a number");
    const byte = bytes[at++] ?? 0;
    const seven = byte & 0x7f;
    if (shift < 28) low |= seven << shift;
    else if (shift === 28) {
      low |= seven << 28;
      high = seven >>> 4;
    } else high |= seven << (shift - 32);
    if (byte < 0x80) {
      reader.at = at;
      reader.high = high >>> 0;
      return low >>> 0;
    }
  }
  throw malformed("a number is longer than 10 bytes");
};

/** As signed 64 bits; not exact beyond 2^53. */
export const readInt64 = (reader: Reader): number => {
  const low = readVarint(reader);
  return (reader.high | 0) * 2 ** 32 + low;
};

/** The length of a delimited field, which is within the message. */
export const readLength = (reader: Reader): number => {
  const length = readVarint(reader);
  if (reader.high !== 0 || length > reader.end - reader.at) {
    throw malformed(`a field is longer than the ${reader.end - reader.at} bytes that are left`);
  }
  return length;
};

/** A slice: no copy. */
export const readBytes = (reader: Reader): Buffer => {
  const length = readLength(reader);
  const from = reader.at;
  reader.at += length;
  return reader.bytes.subarray(from, from + length);
};

export const readString = (reader: Reader): string => {
  const length = readLength(reader);
  const from = reader.at;
  reader.at += length;
  return reader.bytes.toString("utf8", from, from + length);
};

/** Of a field whose number or type is not known. Groups went out of use before proto3 and are refused. */
export const skip = (reader: Reader, wireType: number): void => {
  if (wireType === VARINT) readVarint(reader);
  else if (wireType === DELIMITED) readBytes(reader);
  else if (wireType === FIXED64 || wireType === FIXED32) {
    reader.at += wireType === FIXED64 ? 8 : 4;
    if (reader.at > reader.end) throw malformed("it ends within a number");
  } else throw malformed(`wire type ${wireType} is unknown or out of use`);
};

/** A field's number and wire type in one, as they stand in the message. */
export const readTag = (reader: Reader): number => {
  const tag = readVarint(reader);
  if (reader.high !== 0 || tag < 8) throw malformed("a field has no valid number");
  return tag;
};

export const tagOf = (field: number, wireType: number): number => field * 8 + wireType;

/** Fields 1 to `last` are known; where one of them comes with a wire type that it cannot have, the message is not ours. */
export const skipUnknown = (reader: Reader, tag: number, last: number): void => {
  if (tag >>> 3 <= last) throw malformed(`field ${tag >>> 3} has the wire type ${tag & 7}`);
  skip(reader, tag & 7);
};
