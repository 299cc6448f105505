import { shortest, writeFloat } from "./float.ts";

/**
 * Numbers as ASCII bytes, for tensors of so many elements that a string each costs more than the model's run. Each function
 * writes at `at` and returns the end of the text; it may spoil bytes after that, up to `NUMBER_ROOM` after `at`.
 */

/** Bytes that any number may need: 22 of text ("-123456790000000000000"), and what whole words write beyond the end. */
export const NUMBER_ROOM = 32;

const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;
/** "0.00" and "0000", the first character in the lowest byte. */
const ZERO_POINT = 0x30302e30;
const ZEROS = 0x30303030;

/** The four digits of each number below 10000 as one little-endian word. */
const WORDS = new Uint32Array(10_000);
/** How many of the four digits there are without the zeros at the end, and without those at the beginning. */
const UNTIL_ZEROS = new Uint8Array(10_000);
const AFTER_ZEROS = new Uint8Array(10_000);
for (let n = 0; n < 10_000; n++) {
  const digits = String(n).padStart(4, "0");
  for (let i = 3; i >= 0; i--) WORDS[n] = (WORDS[n] ?? 0) * 256 + digits.charCodeAt(i);
  UNTIL_ZEROS[n] = digits.replace(/0+$/, "").length;
  AFTER_ZEROS[n] = String(n).length;
}

/**
 * For each biased exponent of a normal float, from 2^e up: the decimal exponent of 2^e, the power of ten that makes 2^e a
 * number of nine digits, and half the distance between neighbours at that scale (from 2.9 to 59.7).
 */
const EXPONENTS = new Int32Array(256);
const SCALES = new Float64Array(256);
const HALVES = new Float64Array(256);
for (let biased = 1; biased < 255; biased++) {
  const least = 2 ** (biased - 127);
  const exponent = Number(/e(.*)/.exec(least.toExponential())?.[1]);
  EXPONENTS[biased] = exponent;
  SCALES[biased] = Number(`1e${8 - exponent}`);
  HALVES[biased] = least * 2 ** -24 * (SCALES[biased] ?? 0);
}

/** Three roundings of a double at 1e9 are off by 4e-7 at most: what is nearer to a limit than this is left to `shortest`. */
const DOUBT = 1e-5;

/**
 * The same text as `writeFloat(shortest(value))`. At nine digits a float is at most half a neighbour's distance from all the
 * numbers that are read as it, so which of 6, 7, 8 and 9 digits suffice is seen from their distance, without reading back.
 * @param value as a float of 32 bits holds it
 * @param bits those of the float
 */
export const putFloat = (bytes: Uint8Array, view: DataView, start: number, value: number, bits: number): number => {
  let at = start;
  let scaled = value;
  if (bits < 0) {
    bytes[at++] = MINUS;
    scaled = -scaled;
  }
  if (scaled < 1e9 && scaled === (scaled | 0)) return putWhole(view, at, scaled | 0);
  const biased = (bits >>> 23) & 255;
  if (biased === 0 || biased === 255) return putText(bytes, start, writeFloat(shortest(value)));
  let exponent = EXPONENTS[biased] ?? 0;
  let half = HALVES[biased] ?? 0;
  scaled *= SCALES[biased] ?? 0;
  if (scaled >= 1e9) {
    scaled *= 0.1;
    half *= 0.1;
    exponent++;
  }
  // below a power of two the neighbour is only half as far
  const sure = ((bits & 0x7fffff) === 0 ? half / 2 : half) - DOUBT;
  const doubtful = half + DOUBT;
  let ninth = 0;
  let eight = 0;
  const seven = (scaled * 0.01 + 0.5) | 0;
  const off = Math.abs(seven * 100 - scaled);
  if (off < sure) {
    const six = (scaled * 0.001 + 0.5) | 0;
    const offSix = Math.abs(six * 1000 - scaled);
    if (offSix < sure) eight = six * 100;
    else if (offSix < doubtful || off > 50 - DOUBT) return putText(bytes, start, writeFloat(shortest(value)));
    else eight = seven * 10;
  } else {
    if (off < doubtful) return putText(bytes, start, writeFloat(shortest(value)));
    eight = (scaled * 0.1 + 0.5) | 0;
    const offEight = Math.abs(eight * 10 - scaled);
    if (offEight >= sure) {
      const nine = (scaled + 0.5) | 0;
      if (offEight < doubtful || Math.abs(nine - scaled) > 0.5 - DOUBT) {
        return putText(bytes, start, writeFloat(shortest(value)));
      }
      eight = (nine / 10) | 0;
      ninth = nine - eight * 10;
    } else if (offEight > 5 - DOUBT) return putText(bytes, start, writeFloat(shortest(value)));
  }
  if (eight === 100_000_000) {
    eight = 10_000_000;
    exponent++;
  }
  const high = (eight / 10_000) | 0;
  const low = eight - high * 10_000;
  const count = ninth > 0 ? 9 : low > 0 ? 4 + (UNTIL_ZEROS[low] ?? 0) : (UNTIL_ZEROS[high] ?? 0);
  // JavaScript's own form: plain from 1e-6 to below 1e21
  const plain = exponent >= -6 && exponent < 21;
  let digits = at + 1;
  if (plain && exponent < 0) {
    view.setUint32(at, ZERO_POINT, true);
    view.setUint32(at + 4, ZEROS, true);
    digits = at + 1 - exponent;
  }
  view.setUint32(digits, WORDS[high] ?? 0, true);
  view.setUint32(digits + 4, WORDS[low] ?? 0, true);
  bytes[digits + 8] = ZERO + ninth;
  if (!plain) return putExponent(bytes, view, at, count, exponent);
  if (exponent < 0) return digits + count;
  // the digits before the point go one to the left
  const whole = at + exponent + 1;
  for (; at < whole; at++) bytes[at] = at < digits + count - 1 ? (bytes[at + 1] ?? ZERO) : ZERO;
  if (count <= exponent + 1) return at;
  bytes[at] = POINT;
  return digits + count;
};

/** Turns `count` digits from `at` + 1 on into the form 1.23e-45. */
const putExponent = (bytes: Uint8Array, view: DataView, at: number, count: number, exponent: number): number => {
  bytes[at] = bytes[at + 1] ?? ZERO;
  let end = at + 1;
  if (count > 1) {
    bytes[end] = POINT;
    end += count;
  }
  bytes[end] = 0x65;
  bytes[end + 1] = exponent < 0 ? MINUS : 0x2b;
  return putWhole(view, end + 2, Math.abs(exponent));
};

/** A whole number from 0 to below 2^32. */
const putWhole = (view: DataView, at: number, value: number): number => {
  if (value < 10_000) return putLeading(view, at, value);
  if (value < 100_000_000) {
    const high = (value / 10_000) | 0;
    const end = putLeading(view, at, high);
    view.setUint32(end, WORDS[value - high * 10_000] ?? 0, true);
    return end + 4;
  }
  const top = (value / 100_000_000) | 0;
  const rest = value - top * 100_000_000;
  const high = (rest / 10_000) | 0;
  const end = putLeading(view, at, top);
  view.setUint32(end, WORDS[high] ?? 0, true);
  view.setUint32(end + 4, WORDS[rest - high * 10_000] ?? 0, true);
  return end + 8;
};

const putLeading = (view: DataView, at: number, value: number): number => {
  const count = AFTER_ZEROS[value] ?? 1;
  view.setUint32(at, (WORDS[value] ?? 0) >>> (32 - 8 * count), true);
  return at + count;
};

/** A whole number from -2^31 to below 2^32. */
export const putInteger = (bytes: Uint8Array, view: DataView, at: number, value: number): number => {
  if (value >= 0) return putWhole(view, at, value);
  bytes[at] = MINUS;
  return putWhole(view, at + 1, -value);
};

/** At most `NUMBER_ROOM` characters of ASCII. */
export const putText = (bytes: Uint8Array, at: number, text: string): number => {
  for (let i = 0; i < text.length; i++) bytes[at + i] = text.charCodeAt(i);
  return at + text.length;
};
