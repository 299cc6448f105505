import { elementCount, type Tensor } from "../../tensors/index.ts";

// How long the door's thread would be held, in milliseconds, as measured on one core of an AMD EPYC and rounded up: what decides
// whether work is done at once, in a turn of its own, or beside. What reading takes: reading.ts and calls.ts.

/** Nanoseconds for each element. A float below 1.2e-38 has its digits sought one by one; a long integer is made a bigint. */
const NS = { number: 50, double: 280, tinyFloat: 1000, longInteger: 200 };
/** A string that stands in JSON as it is, and one with what needs an escape or is not ASCII, or of more than 64 bytes. */
const STRING_NS = { plain: 40, other: 650, base64: 700, byte: 5 };
const SHORT_BYTES = 64;
/** For each list of doubles or of UINT64, of which one may hold a single number. */
const LIST_NS = 700;
/** One of so many elements is looked at, at random. */
const LOOKED_AT = 16;

/** Writing a tensor as JSON. */
export const writingMs = (tensor: Tensor, base64 = false, random: () => number = Math.random): number => {
  const { datatype, shape, bytes } = tensor;
  const count = elementCount(shape) ?? 0;
  switch (datatype) {
    case "BYTES":
      return (stringsNs(bytes, count, base64, random) + STRING_NS.byte * bytes.length) * 1e-6;
    case "FP64":
    case "UINT64":
      return (count * NS.double + listsOf(shape) * LIST_NS) * 1e-6;
    case "FP32":
      return (count * NS.number + share(count, random, (i) => isTiny(bytes, 4 * i)) * NS.tinyFloat) * 1e-6;
    case "INT64":
      return (count * NS.number + share(count, random, (i) => isLong(bytes, 8 * i)) * NS.longInteger) * 1e-6;
    default:
      return count * NS.number * 1e-6;
  }
};

/** Lists of lists, without the innermost values. */
const listsOf = (shape: readonly number[]): number => {
  let lists = 0;
  let all = 1;
  for (const size of shape.slice(0, -1)) {
    all *= size;
    lists += all;
  }
  return lists;
};

/** How many of `count` elements are such, from a look at one in each stretch. */
const share = (count: number, random: () => number, is: (index: number) => boolean): number => {
  let found = 0;
  for (let from = 0; from < count; from += LOOKED_AT) {
    const size = Math.min(LOOKED_AT, count - from);
    if (is(from + Math.floor(random() * size))) found += size;
  }
  return found;
};

/** A subnormal float: its exponent's bits are 0, and others are not. */
const isTiny = (bytes: Uint8Array, at: number): boolean => {
  const top = (bytes[at + 2] ?? 0) & 0x7f;
  const exponent = ((bytes[at + 3] ?? 0) & 0x7f) * 2 + ((bytes[at + 2] ?? 0) >> 7);
  return exponent === 0 && (top | (bytes[at + 1] ?? 0) | (bytes[at] ?? 0)) !== 0;
};

/** Beyond 32 bits. */
const isLong = (bytes: Uint8Array, at: number): boolean => {
  const sign = (bytes[at + 3] ?? 0) >> 7 === 1 ? 255 : 0;
  for (let i = 4; i < 8; i++) if (bytes[at + i] !== sign) return true;
  return false;
};

const stringsNs = (bytes: Uint8Array, count: number, base64: boolean, random: () => number): number => {
  if (base64) return count * STRING_NS.base64;
  let at = 0;
  let next = Math.floor(random() * LOOKED_AT);
  let found = 0;
  for (let i = 0; i < count && at + 4 <= bytes.length; i++) {
    const length =
      (bytes[at] ?? 0) +
      (bytes[at + 1] ?? 0) * 0x100 +
      (bytes[at + 2] ?? 0) * 0x10000 +
      (bytes[at + 3] ?? 0) * 0x1000000;
    if (i === next || count < LOOKED_AT) {
      if (!isPlain(bytes, at + 4, length)) found++;
      next += 1 + Math.floor(random() * (2 * LOOKED_AT - 1));
    }
    at += 4 + length;
  }
  const others = count < LOOKED_AT ? found : Math.min(count, found * LOOKED_AT);
  return count * STRING_NS.plain + others * STRING_NS.other;
};

const isPlain = (bytes: Uint8Array, from: number, length: number): boolean => {
  if (length > SHORT_BYTES) return false;
  for (let at = from; at < from + length; at++) {
    const byte = bytes[at] ?? 0;
    if (byte < 0x20 || byte >= 0x80 || byte === 0x22 || byte === 0x5c) return false;
  }
  return true;
};

/** TensorFlow Serving writes the strings of outputs that are named so as base64. */
const BASE64 = "_bytes";

type Classes = ReadonlyMap<string, number>;

/** Of JSON. @param classes of those of which only the greatest values are written, how many */
export const writingAllMs = (outputs: ReadonlyMap<string, Tensor>, classes?: Classes): number => {
  let ms = classifyingAllMs(outputs, classes);
  for (const [name, tensor] of outputs) if (classes?.has(name) !== true) ms += writingMs(tensor, name.endsWith(BASE64));
  return ms;
};

/** Of gRPC, whose tensors are copied: what is looked at value by value is what is classified. */
export const classifyingAllMs = (outputs: ReadonlyMap<string, Tensor>, classes?: Classes): number => {
  let ms = 0;
  for (const [name, most] of classes ?? []) {
    const tensor = outputs.get(name);
    if (tensor !== undefined) ms += classifyingMs(tensor, most);
  }
  return ms;
};

/** For each value, and for each level of the heap of the greatest, which each may sink through; and for each text. */
const CLASS_NS = { value: 20, level: 20, text: 900 };

/** Taking the greatest values of each row, and writing them as texts. */
export const classifyingMs = ({ shape }: Tensor, most: number): number => {
  const count = elementCount(shape) ?? 0;
  const rows = shape.length > 1 ? (shape[0] ?? 0) : 1;
  if (count === 0) return 0;
  const classes = Math.min(most, count / rows);
  return (count * (CLASS_NS.value + CLASS_NS.level * Math.log2(classes)) + rows * classes * CLASS_NS.text) * 1e-6;
};

/** More than this is done beside. On busy cores it takes twice as long, and a collection of up to 60 ms may come on top. */
export const BESIDE_MS = 15;
