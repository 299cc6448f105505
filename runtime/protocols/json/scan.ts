import { notJson, type Source, takeWord } from "./source.ts";

/** Doubles hold these exactly, so that one multiplication or division by them rounds once, as reading the text does. */
const EXACT_POWERS = 22;
const POWERS = Float64Array.from({ length: 61 }, (_, exponent) => Number(`1e${exponent}`));
/** Numbers from here round to infinity in 32 bits: the midpoint of the largest float and the one that would follow. */
const FLOAT32_LIMIT = 3.4028235677973366e38;
/** More than the error of a product of 25 digits' sums and an inexact power, each at most 2^-53 of the value. */
const MARGIN = 2 ** -47;

const MINUS = 0x2d;
const COMMA = 0x2c;
const ZERO = 0x30;
const NINE = 0x39;

/** What stopped a scan. */
export type Stop = "full" | "closed" | "odd" | "large";
export type Scan = {
  /** Elements written so far, from 0 of the list's first. */
  count: number;
  /** full: `out` is filled and another value follows at `source.at`. closed: `]` is at it. odd: what is there is not a number. */
  stop: Stop;
};

/**
 * Reads numbers and the commas between them from `source.at`, where a value must stand, into `out` from `scan.count` on.
 * One for which `out` has no room from the start is counted and lost.
 * @param starts where given, the offset of each number that is written
 * @param single whether numbers need only be right to 32 bits (as reading them with 64 and then rounding makes them)
 */
export const scanNumbers = (
  source: Source,
  out: Float32Array | Float64Array,
  scan: Scan,
  single: boolean,
  starts: Uint32Array | undefined,
): void => {
  const { bytes } = source;
  const room = out.length;
  let { at } = source;
  let { count } = scan;
  for (;;) {
    const start = at;
    let byte = bytes[at] ?? 0;
    const negative = byte === MINUS;
    if (negative) byte = bytes[++at] ?? 0;
    const first = at;
    const leading = byte;
    let mantissa = 0;
    while (byte >= ZERO && byte <= NINE) {
      mantissa = mantissa * 10 + (byte - ZERO);
      byte = bytes[++at] ?? 0;
    }
    const plain = at;
    let value: number;
    if (at === first || (leading === ZERO && at - first > 1)) {
      source.at = start;
      value = at === first ? readWord(source) : 0;
      if (value === 0) {
        scan.count = count;
        scan.stop = "odd";
        return;
      }
      at = source.at;
      byte = bytes[at] ?? 0;
    } else {
      let exponent = 0;
      if (byte === 0x2e) {
        const point = at;
        byte = bytes[++at] ?? 0;
        while (byte >= ZERO && byte <= NINE) {
          mantissa = mantissa * 10 + (byte - ZERO);
          byte = bytes[++at] ?? 0;
        }
        exponent = point + 1 - at;
        if (exponent === 0) throw notJson({ bytes, at });
      }
      if ((byte | 0x20) === 0x65) {
        byte = bytes[++at] ?? 0;
        const down = byte === MINUS;
        if (down || byte === 0x2b) byte = bytes[++at] ?? 0;
        const digits = at;
        let written = 0;
        while (byte >= ZERO && byte <= NINE) {
          if (written < 100_000_000) written = written * 10 + (byte - ZERO);
          byte = bytes[++at] ?? 0;
        }
        if (at === digits) throw notJson({ bytes, at });
        exponent += down ? -written : written;
      }
      // below 2^53 no digit was lost
      if (mantissa <= Number.MAX_SAFE_INTEGER && exponent >= -EXACT_POWERS && exponent <= EXACT_POWERS) {
        const size = exponent < 0 ? mantissa / (POWERS[-exponent] ?? 1) : mantissa * (POWERS[exponent] ?? 1);
        value = negative ? -size : size;
      } else {
        value = readHard(bytes, start, at, mantissa, exponent, single);
        if (value === Number.POSITIVE_INFINITY) {
          source.at = start;
          scan.count = count;
          scan.stop = "large";
          return;
        }
      }
    }
    if (starts !== undefined) {
      starts[count] = start;
      // a double may be whole where the text is not: 9007199254740990.9, 1e-400
      if (at !== plain && at > first && !isWhole(bytes, first, at)) value = NOT_WHOLE;
    }
    if (count < room) out[count] = value;
    count++;
    while (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09) byte = bytes[++at] ?? 0;
    if (byte !== COMMA) {
      source.at = at;
      scan.count = count;
      scan.stop = "closed";
      return;
    }
    byte = bytes[++at] ?? 0;
    while (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09) byte = bytes[++at] ?? 0;
    if (count >= room) {
      source.at = at;
      scan.count = count;
      scan.stop = "full";
      return;
    }
  }
};

/** What no type of whole numbers takes. */
const NOT_WHOLE = 0.5;
const POINT = 0x2e;
const EXPONENT = 0x65;

/** Whether a number with a point or an exponent, from its first digit to its last, is whole: 1.50e1 is, 1e-1 is not. */
const isWhole = (bytes: Buffer, from: number, to: number): boolean => {
  let digits = 0;
  let point = -1;
  let lastNonZero = -1;
  let at = from;
  for (; at < to && ((bytes[at] ?? 0) | 0x20) !== EXPONENT; at++) {
    const byte = bytes[at] ?? 0;
    if (byte === POINT) point = digits;
    else if (byte >= ZERO && byte <= NINE) {
      if (byte !== ZERO) lastNonZero = digits;
      digits++;
    } else return true;
  }
  if (lastNonZero < 0) return true;
  const exponent = at < to ? Number(bytes.toString("latin1", at + 1, to)) : 0;
  return lastNonZero < (point < 0 ? digits : point) + exponent;
};

/** NaN, Infinity or -Infinity; 0 where there is none of them. */
const readWord = (source: Source): number => {
  if (takeWord(source, "NaN")) return Number.NaN;
  if (takeWord(source, "Infinity")) return Number.POSITIVE_INFINITY;
  return takeWord(source, "-Infinity") ? Number.NEGATIVE_INFINITY : 0;
};

/** Many digits or a large exponent; Infinity where the value is too large for its type, whatever its sign. */
const readHard = (
  bytes: Buffer,
  start: number,
  end: number,
  mantissa: number,
  exponent: number,
  single: boolean,
): number => {
  const negative = bytes[start] === MINUS;
  // Doubles written in full (0.10000000149011612) are what most clients send for floats. A product with a known margin
  // decides unless it is that close to the middle between two floats.
  if (single && mantissa < 1e25 && exponent >= -60 && exponent <= 60) {
    const near = exponent < 0 ? mantissa / (POWERS[-exponent] ?? 1) : mantissa * (POWERS[exponent] ?? 1);
    const float = Math.fround(near * (1 - MARGIN));
    if (float === Math.fround(near * (1 + MARGIN)) && float !== Number.POSITIVE_INFINITY)
      return negative ? -float : float;
  }
  const value = Number(bytes.toString("latin1", start, end));
  const size = Math.abs(value);
  return size === Number.POSITIVE_INFINITY || (single && size >= FLOAT32_LIMIT) ? Number.POSITIVE_INFINITY : value;
};
