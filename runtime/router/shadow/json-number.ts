/** JSON has no NaN and no infinities: servers write them as bare words, as null, or as strings. */

const WORDS: ReadonlyMap<unknown, number> = new Map<unknown, number>([
  [null, Number.NaN],
  ["NaN", Number.NaN],
  ["Infinity", Number.POSITIVE_INFINITY],
  ["-Infinity", Number.NEGATIVE_INFINITY],
  [true, 1],
  [false, 0],
]);

/** Undefined: it is none. */
export const numberOf = (value: unknown): number | undefined => (typeof value === "number" ? value : WORDS.get(value));
