/** Typed contents (`fp32_contents` and the like) as a tensor's bytes. */
import { invalid } from "../../../errors/request-error.ts";
import { DATATYPES, type Datatype } from "../../../tensors/index.ts";
import {
  DELIMITED,
  FIXED32,
  FIXED64,
  malformed,
  readerOf,
  readLength,
  readTag,
  readVarint,
  skip,
  VARINT,
} from "./wire.ts";

type Field = { number: number; name: string; wireType: number };

const FIELDS: readonly Field[] = [
  { number: 1, name: "bool_contents", wireType: VARINT },
  { number: 2, name: "int_contents", wireType: VARINT },
  { number: 3, name: "int64_contents", wireType: VARINT },
  { number: 4, name: "uint_contents", wireType: VARINT },
  { number: 5, name: "uint64_contents", wireType: VARINT },
  { number: 6, name: "fp32_contents", wireType: FIXED32 },
  { number: 7, name: "fp64_contents", wireType: FIXED64 },
  { number: 8, name: "bytes_contents", wireType: DELIMITED },
];

const FIELD_OF: Record<Datatype, number | undefined> = {
  BOOL: 1,
  INT8: 2,
  INT16: 2,
  INT32: 2,
  INT64: 3,
  UINT8: 4,
  UINT16: 4,
  UINT32: 4,
  UINT64: 5,
  FP16: undefined,
  FP32: 6,
  FP64: 7,
  BYTES: 8,
};

/**
 * The `count` elements of input `name` in the form of `Tensor`. Floats that lie in the message as in the tensor (packed,
 * in one piece) are a slice of it. What is allocated is at most 8 bytes for each byte of the message.
 */
export const readContents = (
  name: string,
  datatype: Datatype,
  messages: readonly Buffer[],
  count: number,
): Uint8Array => {
  const number = FIELD_OF[datatype];
  const field = FIELDS[(number ?? 0) - 1];
  if (field === undefined) {
    throw invalid(`input "${name}": ${datatype} has no typed contents, send it in raw_input_contents`);
  }
  const size = datatype === "BYTES" ? 4 : DATATYPES[datatype].bytes;
  let found = 0;
  let pieces = 0;
  let total = 0;
  let slice: Buffer | undefined;
  for (const message of messages) {
    eachPiece(name, datatype, field, message, (from, to) => {
      if (field.wireType === VARINT) found += countVarints(message, from, to);
      else found += field.wireType === DELIMITED ? 1 : (to - from) / size;
      pieces++;
      total += to - from;
      if (pieces === 1) slice = message.subarray(from, to);
    });
  }
  if (found !== count) throw invalid(`input "${name}": its contents have ${found} elements, its shape wants ${count}`);
  if (pieces === 1 && slice !== undefined && (field.wireType === FIXED32 || field.wireType === FIXED64)) return slice;

  const bytes = Buffer.allocUnsafe(datatype === "BYTES" ? total + 4 * count : size * count);
  let at = 0;
  for (const message of messages) {
    eachPiece(name, datatype, field, message, (from, to) => {
      if (field.wireType === VARINT) {
        const reader = { ...readerOf(message), at: from, end: to };
        while (reader.at < to) {
          const low = readVarint(reader);
          write(name, datatype, bytes, at, low, reader.high);
          at += size;
        }
      } else {
        if (field.wireType === DELIMITED) at = bytes.writeUInt32LE(to - from, at);
        at += message.copy(bytes, at, from, to);
      }
    });
  }
  return bytes;
};

/**
 * The places of one field's values: packed ones as a whole, others each for itself, strings without their lengths. Takes
 * no memory for each, since a piece may be two bytes long and the message many megabytes.
 */
const eachPiece = (
  name: string,
  datatype: Datatype,
  field: Field,
  message: Buffer,
  piece: (from: number, to: number) => void,
): void => {
  const reader = readerOf(message);
  while (reader.at < reader.end) {
    const tag = readTag(reader);
    const wireType = tag & 7;
    const from = reader.at;
    if (tag >>> 3 !== field.number) {
      skip(reader, wireType);
      const other = FIELDS[(tag >>> 3) - 1];
      const empty = wireType === DELIMITED && other?.wireType !== DELIMITED && reader.at === from + 1;
      if (other === undefined || empty) continue;
      throw invalid(`input "${name}": ${datatype} is sent in ${field.name}, not in ${other.name}`);
    }
    if (wireType === DELIMITED) {
      const length = readLength(reader);
      if ((field.wireType === FIXED32 && length % 4 !== 0) || (field.wireType === FIXED64 && length % 8 !== 0)) {
        throw malformed("it ends within a number");
      }
      const start = reader.at;
      reader.at += length;
      piece(start, reader.at);
    } else if (wireType === field.wireType) {
      skip(reader, wireType);
      piece(from, reader.at);
    } else throw malformed(`field ${field.number} has the wire type ${wireType}`);
  }
};

const countVarints = (bytes: Buffer, from: number, to: number): number => {
  let count = 0;
  for (let i = from; i < to; i++) if ((bytes[i] ?? 0) < 0x80) count++;
  if (to > from && (bytes[to - 1] ?? 0) >= 0x80) throw malformed("it ends within a number");
  return count;
};

const write = (name: string, datatype: Datatype, bytes: Buffer, at: number, low: number, high: number): void => {
  switch (datatype) {
    case "BOOL":
      bytes[at] = (low | high) === 0 ? 0 : 1;
      return;
    case "INT8":
    case "UINT8":
    case "INT16":
    case "UINT16": {
      const signed = datatype.startsWith("I");
      const value = signed ? low | 0 : low;
      const bits = DATATYPES[datatype].bytes * 8;
      const least = signed ? -(2 ** (bits - 1)) : 0;
      const most = 2 ** (signed ? bits - 1 : bits) - 1;
      if (value < least || value > most) {
        throw invalid(
          `input "${name}": data[${at / (bits / 8)}] is ${value}, ${datatype} wants a number from ${least} to ${most}`,
        );
      }
      if (bits === 8) bytes[at] = value;
      else bytes.writeUInt16LE(value & 0xffff, at);
      return;
    }
    case "INT64":
    case "UINT64":
      bytes.writeUInt32LE(low, at);
      bytes.writeUInt32LE(high, at + 4);
      return;
    default:
      bytes.writeUInt32LE(low, at);
  }
};
