/** Valid messages with some damage, which gets further into a decoder than noise does. */
import fc from "fast-check";

export const SEED = Number(process.env.FUZZ_SEED ?? 1);
export const RUNS = Number(process.env.FUZZ_RUNS ?? 2000);

type Edit = {
  kind: "nudge" | "flip" | "set" | "delete" | "insert" | "repeat" | "cut";
  at: number;
  count: number;
  with: Uint8Array;
};

/** What decoders fall over: ends of ranges, varints of any length, brackets, quotes, bytes that are no UTF-8. */
const INTERESTING = [
  [0],
  [0x7f],
  [0x80],
  [0xff],
  [0xff, 0xff, 0xff, 0xff],
  [0, 0, 0, 0x80],
  [0xff, 0xff, 0xff, 0xff, 0x0f],
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
  Array<number>(12).fill(0xff),
  Array<number>(8).fill(0xff),
  ...'-1 1e999 9007199254740993 NaN null [ ] { } " \\ \\u0000 \\ud800 , : . -0 0x1 1e-400 __proto__'
    .split(" ")
    .map((text) => [...Buffer.from(text)]),
].map((bytes) => Uint8Array.from(bytes));

const edit: fc.Arbitrary<Edit> = fc.record({
  kind: fc.constantFrom("nudge", "nudge", "flip", "set", "delete", "insert", "repeat", "cut"),
  at: fc.nat({ max: 0xffff }),
  count: fc.oneof(
    { weight: 9, arbitrary: fc.integer({ min: 1, max: 12 }) },
    { weight: 1, arbitrary: fc.integer({ min: 1, max: 2000 }) },
  ),
  with: fc.oneof(fc.constantFrom(...INTERESTING), fc.uint8Array({ minLength: 1, maxLength: 12 })),
});

const apply = (bytes: Buffer, { kind, at: anywhere, count, with: other }: Edit): Buffer => {
  const at = bytes.length === 0 ? 0 : anywhere % bytes.length;
  const before = bytes.subarray(0, at);
  switch (kind) {
    case "nudge": {
      const copy = Buffer.from(bytes);
      copy[at] = (copy[at] ?? 0) + (count % 2 === 0 ? 1 : -1);
      return copy;
    }
    case "flip": {
      const copy = Buffer.from(bytes);
      if (at < copy.length) copy[at] = (copy[at] ?? 0) ^ (1 << (count % 8));
      return copy;
    }
    case "set":
      return Buffer.concat([before, other, bytes.subarray(at + other.length)]);
    case "delete":
      return Buffer.concat([before, bytes.subarray(at + count)]);
    case "insert":
      return Buffer.concat([before, other, bytes.subarray(at)]);
    case "repeat": {
      const piece = bytes.subarray(at, at + 8);
      return Buffer.concat([before, ...Array<Buffer>(Math.min(count, 500)).fill(piece), bytes.subarray(at)]);
    }
    case "cut":
      return before;
  }
};

/** Mostly one: each more makes it likelier that the first check refuses what would have harmed the last. */
const edits = fc.oneof(
  { weight: 3, arbitrary: edit.map((one) => [one]) },
  { weight: 1, arbitrary: fc.array(edit, { minLength: 2, maxLength: 6 }) },
);

/** One of `seeds`, damaged one to six times, or noise. */
export const damaged = (seeds: readonly Uint8Array[]): fc.Arbitrary<Buffer> =>
  fc.oneof(
    {
      weight: 19,
      arbitrary: fc
        .tuple(fc.constantFrom(...seeds), edits)
        .map(([seed, edits]) => edits.reduce(apply, Buffer.from(seed))),
    },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)) },
  );
