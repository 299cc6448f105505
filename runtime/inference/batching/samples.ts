import { DATATYPES, type Datatype, elementCount, type NumericDatatype, type Tensor } from "../../tensors/index.ts";
import { encodeStrings } from "../../tensors/strings.ts";

/** Made-up values for a proof: the same ones for the same seed. */
export type Random = () => number;

/** Mulberry32: 32 bits of state are plenty for values that only have to differ. In [0, 1). */
export const seeded = (seed: number): Random => {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
};

/** How the values of one row are made up, by what its inputs hold. */
export type Recipe = {
  name: string;
  /** Roughly the greatest magnitude of its floats, for what rounding may change; at least 1. */
  scale: number;
  float(random: Random): number;
  /** @param range how many whole numbers from 0 on the input takes, by what is known of it */
  whole(random: Random, range: number): number;
  text(random: Random): string;
};

/** Floats in [-1, 1]; whole numbers 0 or 1, which are valid as tokens, masks, types and flags alike; "0" or "1". */
export const PLAIN: Recipe = {
  name: "plain",
  scale: 1,
  float: (random) => random() * 2 - 1,
  whole: (random) => (random() < 0.5 ? 0 : 1),
  text: (random) => (random() < 0.5 ? "0" : "1"),
};

const below = (random: Random, range: number): number => Math.floor(random() * range);
const pick = (random: Random, from: readonly string[]): string => from[below(random, from.length)] ?? "";

/** Unlike each other in length, script, case and what they could mean. */
const WORDS = ["good", "Bad", "the quick brown fox", "Überraschung", "Москва", "日本語", "no", "x"];
/** What categories are often called: an encoder that knows none of the words answers all alike. */
const CATEGORIES = ["a", "b", "c", "A", "B", "yes", "no", "male", "female", "true", "false", "red"];
const NUMBERS = ["-12.5", "7", "0.001", "1e6", "42"];
const long = (random: Random): string => `${pick(random, WORDS)} `.repeat(1 + below(random, 40));

/** Of either sign, and never near 0: what such a size costs shows. */
const around = (scale: number): ((random: Random) => number) => {
  return (random) => (random() < 0.5 ? -1 : 1) * scale * (0.5 + 0.5 * random());
};
/** Whole numbers that go up to here are no places in a table. */
export const NUMBERS_FROM = 100_000;

/**
 * Rows unlike the plain ones, which a model takes or refuses: other magnitudes and signs, the whole range of what is looked
 * up, and texts of other lengths. What the model answers to them alone it must answer to them in a batch. The smaller come first: a box of a
 * million by a million may take as much memory.
 */
export const WIDE: readonly Recipe[] = [
  { name: "zeros", scale: 1, float: () => 0, whole: below, text: (random) => pick(random, CATEGORIES) },
  { name: "small", scale: 1, float: around(0.01), whole: below, text: long },
  { name: "thirties", scale: 30, float: around(30), whole: below, text: (random) => pick(random, WORDS) },
  {
    name: "pixels",
    scale: 255,
    float: (random) => random() * 255,
    whole: below,
    text: (random) => pick(random, NUMBERS),
  },
  {
    name: "thousands",
    scale: 1e3,
    float: around(1e3),
    whole: below,
    text: (random) => pick(random, CATEGORIES),
  },
  {
    name: "spread",
    scale: 1e4,
    float: (random) => (random() < 0.5 ? -1 : 1) * 10 ** (random() * 6 - 2),
    whole: (random, range) => Math.floor(range ** random()) - 1,
    text: (random) => pick(random, [...WORDS, ...NUMBERS, ""]),
  },
  // four times as much at a time, until it shows that these are sizes
  ...[4e3, 1.6e4, 6.4e4, 2.5e5].map((scale) => ({
    ...{ name: "step", scale, float: around(scale), whole: below },
    text: (random: Random) => pick(random, WORDS),
  })),
  // all of a row beyond a limit, on either side: what happens only where the whole batch is does not where a plain row is beside it
  { name: "above", scale: 2e6, float: (random) => 1e6 * (1 + random()), whole: (_, range) => range - 1, text: long },
  { name: "below", scale: 2e6, float: (random) => -1e6 * (1 + random()), whole: () => 0, text: () => "" },
];

/** Rows of words that the model itself names: several in each text, one, the same in all, or none in some. There are none where it names none. */
export const ofWords = (words: readonly string[]): Recipe[] => {
  if (words.length === 0) return [];
  const [first = ""] = words;
  const several = (random: Random): string =>
    Array.from({ length: 2 + below(random, 6) }, () => pick(random, words)).join(" ");
  const one = (random: Random): string => pick(random, words);
  const few = (random: Random): string => (random() < 0.5 ? "" : pick(random, words));
  return [several, one, () => first, few, several].map((text) => ({ ...PLAIN, name: "words", text }));
};

/** Rows that need not have an answer that means anything. Beside them the others must answer as ever. */
export const EXTREME: readonly Recipe[] = [
  {
    name: "huge",
    scale: 1e30,
    float: around(1e30),
    // what is looked up in a table is refused beyond it, and what is a number of things to make must not become a million
    whole: (random, range) => (range >= NUMBERS_FROM ? around(1e6)(random) : below(random, range)),
    text: () => "long ".repeat(400),
  },
  {
    name: "NaN",
    scale: 1,
    float: () => Number.NaN,
    whole: below,
    text: () => "",
  },
  {
    name: "infinite",
    scale: 1,
    float: (random) => (random() < 0.5 ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY),
    whole: (_, range) => (range > 2 ? -range : 0),
    text: () => "",
  },
];

/** The greatest and least of what a type of whole numbers holds, as far as made-up values go. */
const LIMITS: Partial<Record<NumericDatatype, readonly [least: number, most: number]>> = {
  BOOL: [0, 1],
  UINT8: [0, 255],
  INT8: [-128, 127],
  UINT16: [0, 65_535],
  INT16: [-32_768, 32_767],
  UINT32: [0, 2 ** 31],
  UINT64: [0, 2 ** 31],
};
const ANY: readonly [number, number] = [-(2 ** 31), 2 ** 31 - 1];

/** How many whole numbers from 0 on the type holds. */
export const rangeOf = (datatype: Datatype): number =>
  isWhole(datatype) ? (LIMITS[datatype] ?? ANY)[1] + 1 : Number.POSITIVE_INFINITY;

export const isWhole = (datatype: Datatype): datatype is NumericDatatype =>
  datatype !== "BYTES" && datatype !== "FP16" && datatype !== "FP32" && datatype !== "FP64";

/** Half precision ends at 65,504: a sum of larger ones would be infinite. */
const MOST_FP16 = 65_504;
const inHalf = ({ scale }: Recipe, value: number): number => (scale > 1e5 && scale < 1e9 ? value / 1000 : value);

/** One input of a row. @param range of whole numbers, from 0 on */
export const sample = (
  datatype: Datatype,
  shape: readonly number[],
  random: Random,
  recipe: Recipe = PLAIN,
  range = 2,
): Tensor => {
  const count = elementCount(shape) ?? 0;
  if (datatype === "BYTES") {
    return { datatype, shape, bytes: encodeStrings(Array.from({ length: count }, () => recipe.text(random))) };
  }
  const size = DATATYPES[datatype].bytes;
  const bytes = new Uint8Array(count * size);
  const view = new DataView(bytes.buffer);
  const [least, most] = LIMITS[datatype] ?? ANY;
  for (let i = 0; i < count; i++) {
    if (datatype === "FP32") view.setFloat32(i * size, recipe.float(random), true);
    else if (datatype === "FP64") view.setFloat64(i * size, recipe.float(random), true);
    else if (datatype === "FP16") view.setUint16(i * size, halfBits(inHalf(recipe, recipe.float(random))), true);
    else {
      // of several the first of a plain row is 1: of a mask that hides all the mean is no number
      const drawn = recipe === PLAIN && i === 0 && count > 1 ? 1 : Math.trunc(recipe.whole(random, range));
      writeWhole(view, i * size, size, Math.min(Math.max(drawn, least), most));
    }
  }
  return { datatype, shape, bytes };
};

const writeWhole = (view: DataView, at: number, size: number, value: number): void => {
  if (size === 1) view.setInt8(at, value);
  else if (size === 2) view.setInt16(at, value, true);
  else if (size === 4) view.setInt32(at, value, true);
  else view.setBigInt64(at, BigInt(value), true);
};

/** The bits of the nearest half: not all that runs this knows Float16Array. */
const halfBits = (value: number): number => {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const magnitude = Math.abs(value);
  if (Number.isNaN(value)) return 0x7e00;
  if (magnitude === Number.POSITIVE_INFINITY) return sign | 0x7c00;
  const held = Math.min(magnitude, MOST_FP16);
  const exponent = Math.max(-14, Math.floor(Math.log2(held || 1)));
  if (held < 2 ** -14) return sign | Math.round(held * 2 ** 24);
  return sign | Math.min(((exponent + 15) << 10) + Math.round((held / 2 ** exponent - 1) * 1024), 0x7bff);
};

/** The same, but that floats are off by some units in the last place: what a sum in another order may be off by. */
export const nudged = (tensor: Tensor): Tensor => {
  const { datatype } = tensor;
  if (datatype !== "FP16" && datatype !== "FP32" && datatype !== "FP64") return tensor;
  const bytes = Uint8Array.from(tensor.bytes);
  const view = new DataView(bytes.buffer);
  const size = DATATYPES[datatype].bytes;
  for (let at = 0; at < bytes.length; at += size) {
    // the last byte of a little-endian number holds the least of its fraction
    view.setUint8(at, view.getUint8(at) ^ (datatype === "FP16" ? 1 : LAST_BITS));
  }
  return { ...tensor, bytes };
};
const LAST_BITS = 0b110;
