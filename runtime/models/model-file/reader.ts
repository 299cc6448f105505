import { readSync } from "node:fs";

const WINDOW_BYTES = 64 * 1024;
/**
 * Fields of all messages together: about a second of work. A model of 100,000 nodes has some millions; protobuf packs
 * numbers, so that weights are one field.
 */
const MAX_FIELDS = 50_000_000;

/** The bytes are no ONNX model in protobuf. `at` is the offset where that shows. */
export class MalformedModel extends Error {
  readonly at: number;
  constructor(at: number, reason: string) {
    super(`${reason} at byte ${at}`);
    this.at = at;
  }
}

/** A field of a message: its value lies from `at` to `end`, and is a number where it is a varint. */
export type Field = { number: number; wire: "varint" | "bytes" | "fixed"; value: number; at: number; end: number };

/**
 * Reads protobuf from an open file of `size` bytes, or from bytes in memory, through a window of 64 KiB, so that the memory does not depend on
 * the model's size; what is skipped is not read.
 */
export const createReader = (file: number | Uint8Array, size: number) => {
  const window = Buffer.allocUnsafe(WINDOW_BYTES);
  let from = 0;
  let to = 0;
  let at = 0;
  let fields = 0;

  const fill = (): void => {
    from = at;
    to = at + (typeof file === "number" ? readSync(file, window, 0, WINDOW_BYTES, at) : copied(file, window, at));
    if (to <= at) throw new MalformedModel(at, "the file ends too early");
  };
  /** Puts the position to the field's bytes and has them in the window; how many there are, `most` at most. */
  const reach = (field: Field, most: number): number => {
    const length = Math.min(field.end - field.at, most, WINDOW_BYTES);
    if (length === 0) return 0;
    at = field.at;
    if (at < from || at + length > to) fill();
    if (at + length > to) throw new MalformedModel(to, "the file ends too early");
    return length;
  };
  /** Numbers of 2^53 and more, negative ones among them, lose their last digits. */
  const varint = (end: number): number => {
    let value = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      if (at >= end) throw new MalformedModel(at, "a number is cut off");
      if (at < from || at >= to) fill();
      const next = window[at++ - from] ?? 0;
      value += (next & 0x7f) * 2 ** shift;
      if (next < 0x80) return value;
    }
    throw new MalformedModel(at, "a number is too long");
  };

  return {
    size,
    position: () => at,
    /** Where the next field is read: behind what was not of interest. */
    seek: (to: number): void => {
      at = to;
    },
    varint,
    /** The field at the position, in a message that goes until `end`. The position is then at its value's beginning. */
    field: (end: number): Field => {
      if (++fields > MAX_FIELDS) throw new MalformedModel(at, `there are more than ${MAX_FIELDS} fields`);
      const key = varint(end);
      const number = Math.floor(key / 8);
      // Protobuf's own parser takes 32 bits of it: what it would take for another field must not be skipped here.
      if (number === 0 || key >= 2 ** 32) throw new MalformedModel(at, `a field has the impossible number ${number}`);
      switch (key % 8) {
        case 0: {
          const begin = at;
          const value = varint(end);
          return { number, wire: "varint", value, at: begin, end: at };
        }
        case 1:
          return within(end, { number, wire: "fixed", value: 0, at, end: at + 8 });
        case 2: {
          const length = varint(end);
          return within(end, { number, wire: "bytes", value: 0, at, end: at + length });
        }
        case 5:
          return within(end, { number, wire: "fixed", value: 0, at, end: at + 4 });
        default:
          // The groups of old protobuf (3, 4) are in no ONNX model.
          throw new MalformedModel(at, `a field has the unknown wire type ${key % 8}`);
      }
    },
    /** The varint at the position as an int64; beyond 2^53 on either side the last digits are lost. */
    signed: (end: number): number => {
      let [low, middle, high] = [0, 0, 0];
      for (let shift = 0; shift < 70; shift += 7) {
        if (at >= end) throw new MalformedModel(at, "a number is cut off");
        if (at < from || at >= to) fill();
        const next = window[at++ - from] ?? 0;
        if (shift < 28) low += (next & 0x7f) << shift;
        else if (shift < 56) middle += (next & 0x7f) << (shift - 28);
        else high += (next & 0x7f) << (shift - 56);
        // 64 bits: 28, 28 and the last 8, of which the highest is the sign
        if (next < 0x80) return ((((high & 0xff) << 24) >> 24) * 2 ** 28 + middle) * 2 ** 28 + low;
      }
      throw new MalformedModel(at, "a number is too long");
    },
    /** The text of a field of bytes; a longer one than `most` bytes is cut off. */
    text: (field: Field, most: number): string => {
      const length = reach(field, most);
      return length === 0 ? "" : window.toString("utf8", at - from, at - from + length);
    },
    /** The same as bytes, valid until the next read. */
    bytes: (field: Field, most: number): DataView => {
      const length = reach(field, most);
      return new DataView(window.buffer, window.byteOffset + (length === 0 ? 0 : at - from), length);
    },
  };
};
export type Reader = ReturnType<typeof createReader>;

const copied = (bytes: Uint8Array, window: Uint8Array, at: number): number => {
  const piece = bytes.subarray(at, at + window.length);
  window.set(piece);
  return piece.length;
};

const within = (end: number, field: Field): Field => {
  if (field.end > end) throw new MalformedModel(field.at, "a field is longer than what holds it");
  return field;
};
