/** BYTES elements: each its length as an unsigned 32-bit little-endian number, and then so many bytes. */
import { isUtf8 } from "node:buffer";

/**
 * The most strings of one tensor. Each is an object where the model runs, so that a request of 15 KB, compressed, could take
 * gigabytes; at about 100 bytes each these take 100 MB.
 */
export const MOST_STRINGS = 1_048_576;

export const encodeStrings = (values: readonly (string | Uint8Array)[]): Uint8Array => {
  let total = 4 * values.length;
  for (const value of values) total += Buffer.byteLength(value);
  const bytes = Buffer.allocUnsafe(total);
  let at = 0;
  for (const value of values) {
    let { length } = value;
    if (typeof value === "string") length = bytes.write(value, at + 4);
    else bytes.set(value, at + 4);
    bytes.writeUInt32LE(length, at);
    at += 4 + length;
  }
  return bytes;
};

/**
 * Where the elements' bytes begin: element i has those from `starts[i]` to `starts[i + 1] - 4`, so there is one more than there are
 * elements. Undefined where the bytes are not exactly `count` elements. (A view of each would take 25 times as much.)
 */
export const stringStarts = (bytes: Uint8Array, count: number): Uint32Array | undefined => {
  if (count < 0 || 4 * count > bytes.length) return undefined;
  const starts = new Uint32Array(count + 1);
  let at = 0;
  for (let i = 0; i < count; i++) {
    if (at + 4 > bytes.length) return undefined;
    starts[i] = at + 4;
    at += 4 + lengthAt(bytes, at);
  }
  starts[count] = at + 4;
  return at === bytes.length ? starts : undefined;
};

const lengthAt = (bytes: Uint8Array, at: number): number =>
  (bytes[at] ?? 0) + (bytes[at + 1] ?? 0) * 0x100 + (bytes[at + 2] ?? 0) * 0x10000 + (bytes[at + 3] ?? 0) * 0x1000000;

/** The elements, as slices of `bytes`; undefined where these are not exactly `count` elements. For few of them. */
export const splitStrings = (bytes: Uint8Array, count: number): Uint8Array[] | undefined => {
  const starts = stringStarts(bytes, count);
  if (starts === undefined) return undefined;
  return Array.from({ length: count }, (_, i) => bytes.subarray(starts[i], (starts[i + 1] ?? 0) - 4));
};

/** Up to here a look at each byte is cheaper than to ask for a check of all. */
const SHORT_BYTES = 64;

/**
 * Why these bytes are not `count` strings that the model can be given; undefined where they are. onnxruntime takes UTF-8 and
 * stops at NUL: other bytes would reach the model changed.
 */
export const wrongStrings = (bytes: Uint8Array, count: number): string | undefined => {
  let at = 0;
  // each element takes 4 bytes at least, so that no count makes this loop longer than the bytes
  for (let index = 0; index < count; index++) {
    if (at + 4 > bytes.length) return `its shape wants ${count} strings, the data ends after ${index}`;
    const length = lengthAt(bytes, at);
    const from = at + 4;
    at = from + length;
    if (at > bytes.length) return `string ${index} says ${length} bytes, ${bytes.length - from} are left`;
    const kind = kindOf(bytes, from, at);
    if (kind === "nul") return `string ${index} holds a NUL byte, which cannot be passed on`;
    if (kind === "other") return `string ${index} is not UTF-8, other bytes cannot be passed on`;
  }
  return at < bytes.length ? `${bytes.length - at} bytes are left over after ${count} strings` : undefined;
};

/** What onnxruntime makes of the bytes from `from` to before `to`. */
export const kindOf = (bytes: Uint8Array, from: number, to: number): "text" | "nul" | "other" => {
  if (to - from <= SHORT_BYTES) {
    let bits = 0;
    for (let i = from; i < to; i++) {
      const byte = bytes[i] ?? 0;
      if (byte === 0) return "nul";
      bits |= byte;
    }
    if (bits < 0x80) return "text";
  }
  const text = bytes.subarray(from, to);
  if (text.includes(0)) return "nul";
  return isUtf8(text) ? "text" : "other";
};
