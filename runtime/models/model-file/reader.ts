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

/** `window` holds the bytes of the file from `from` to `to`; `at` is the position. */
type State = {
  readonly file: number | Uint8Array;
  readonly window: Buffer;
  from: number;
  to: number;
  at: number;
  /** Fields that were read so far. */
  fields: number;
};

export type Reader = {
  readonly size: number;
  position(): number;
  /** Where the next field is read: behind what was not of interest. */
  seek(to: number): void;
  /** Numbers of 2^53 and more, negative ones among them, lose their last digits. */
  varint(end: number): number;
  /** The varint at the position as an int64; beyond 2^53 on either side the last digits are lost. */
  signed(end: number): number;
  /** The field at the position, in a message that goes until `end`. The position is then at its value's beginning. */
  field(end: number): Field;
  /** The text of a field of bytes; a longer one than `most` bytes is cut off. */
  text(field: Field, most: number): string;
  /** The same as bytes, valid until the next read. */
  bytes(field: Field, most: number): DataView;
};

/**
 * Reads protobuf from an open file of `size` bytes, or from bytes in memory, through a window of 64 KiB, so that the memory does not depend on
 * the model's size; what is skipped is not read.
 */
export const createReader = (file: number | Uint8Array, size: number): Reader => {
  const window = Buffer.allocUnsafe(WINDOW_BYTES);
  const state: State = { file, window, from: 0, to: 0, at: 0, fields: 0 };
  return {
    size,
    position: () => state.at,
    seek(to) {
      state.at = to;
    },
    varint: (end) => varint(state, end),
    signed: (end) => signed(state, end),
    field: (end) => field(state, end),
    text(field, most) {
      const length = reach(state, field, most);
      const start = state.at - state.from;
      return length === 0 ? "" : window.toString("utf8", start, start + length);
    },
    bytes(field, most) {
      const length = reach(state, field, most);
      return new DataView(window.buffer, window.byteOffset + (length === 0 ? 0 : state.at - state.from), length);
    },
  };
};

const fill = (state: State): void => {
  const { at, file, window } = state;
  state.from = at;
  state.to = at + (typeof file === "number" ? readSync(file, window, 0, WINDOW_BYTES, at) : copied(file, window, at));
  if (state.to <= at) throw new MalformedModel(at, "the file ends too early");
};

/** Puts the position to the field's bytes and has them in the window; how many there are, `most` at most. */
const reach = (state: State, { at, end }: Field, most: number): number => {
  const length = Math.min(end - at, most, WINDOW_BYTES);
  if (length === 0) return 0;
  state.at = at;
  if (at < state.from || at + length > state.to) fill(state);
  if (at + length > state.to) throw new MalformedModel(state.to, "the file ends too early");
  return length;
};

/** A byte of a varint. */
const next = (state: State, end: number): number => {
  const { at } = state;
  if (at >= end) throw new MalformedModel(at, "a number is cut off");
  if (at < state.from || at >= state.to) fill(state);
  state.at++;
  return state.window[at - state.from] ?? 0;
};

const varint = (state: State, end: number): number => {
  let value = 0;
  for (let shift = 0; shift < 70; shift += 7) {
    const byte = next(state, end);
    value += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) return value;
  }
  throw new MalformedModel(state.at, "a number is too long");
};

const signed = (state: State, end: number): number => {
  let [low, middle, high] = [0, 0, 0];
  for (let shift = 0; shift < 70; shift += 7) {
    const byte = next(state, end);
    if (shift < 28) low += (byte & 0x7f) << shift;
    else if (shift < 56) middle += (byte & 0x7f) << (shift - 28);
    else high += (byte & 0x7f) << (shift - 56);
    // 64 bits: 28, 28 and the last 8, of which the highest is the sign
    if (byte < 0x80) return ((((high & 0xff) << 24) >> 24) * 2 ** 28 + middle) * 2 ** 28 + low;
  }
  throw new MalformedModel(state.at, "a number is too long");
};

const field = (state: State, end: number): Field => {
  if (++state.fields > MAX_FIELDS) throw new MalformedModel(state.at, `there are more than ${MAX_FIELDS} fields`);
  const key = varint(state, end);
  const { at } = state;
  const number = Math.floor(key / 8);
  // Protobuf's own parser takes 32 bits of it: what it would take for another field must not be skipped here.
  if (number === 0 || key >= 2 ** 32) throw new MalformedModel(at, `a field has the impossible number ${number}`);
  switch (key % 8) {
    case 0: {
      const value = varint(state, end);
      return { number, wire: "varint", value, at, end: state.at };
    }
    case 1:
      return within(end, { number, wire: "fixed", value: 0, at, end: at + 8 });
    case 2: {
      const length = varint(state, end);
      return within(end, { number, wire: "bytes", value: 0, at: state.at, end: state.at + length });
    }
    case 5:
      return within(end, { number, wire: "fixed", value: 0, at, end: at + 4 });
    default:
      // The groups of old protobuf (3, 4) are in no ONNX model.
      throw new MalformedModel(at, `a field has the unknown wire type ${key % 8}`);
  }
};

const copied = (bytes: Uint8Array, window: Uint8Array, at: number): number => {
  const piece = bytes.subarray(at, at + window.length);
  window.set(piece);
  return piece.length;
};

const within = (end: number, field: Field): Field => {
  if (field.end > end) throw new MalformedModel(field.at, "a field is longer than what holds it");
  return field;
};
