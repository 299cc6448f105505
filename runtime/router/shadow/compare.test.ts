import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { bytesOf, type Datatype, type NumericArray, type Tensor } from "../../tensors/index.ts";
import { encodeStrings } from "../../tensors/strings.ts";
import { compare, type Tolerance } from "./compare.ts";
import type { Output } from "./outputs.ts";

const tensor = (datatype: Datatype, shape: number[], array: NumericArray): Tensor => ({
  datatype,
  shape,
  bytes: bytesOf(array),
});
const floats = (values: readonly number[], shape = [values.length]) => tensor("FP32", shape, Float32Array.from(values));
const labels = (values: string[]): Tensor => ({
  datatype: "BYTES",
  shape: [values.length],
  bytes: encodeStrings(values),
});

const output = (name: string, value: Tensor): Output => ({ ...value, name, declared: value.datatype });

/** Of one output, "y": the part that differs, or why it cannot be told. */
const differing = (stable: Tensor, canary: Tensor, tolerance?: Tolerance): number | string => {
  const answer = (y: Tensor) => new Map([["y", output("y", y)]]);
  const compared = compare(answer(stable), answer(canary), new Map(tolerance ? [["y", tolerance]] : []));
  if (compared.kind !== "compared") return compared.reason;
  const [y] = compared.outputs;
  assert.equal(compared.agrees, y?.agrees);
  assert.equal(y?.agrees, y?.differing === 0);
  return y?.differing ?? Number.NaN;
};

const ALL: Tolerance[] = [
  { kind: "equal" },
  { kind: "close", absolute: 1e-3, relative: 1e-2 },
  { kind: "topK", k: 1 },
  { kind: "topK", k: 3 },
  { kind: "cosine", least: 0.999 },
];

describe("two answers to one request", () => {
  it("agree with themselves under every tolerance", () => {
    const values = fc.array(fc.float(), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(values, fc.constantFrom(...ALL), (some, tolerance) => {
        assert.equal(differing(floats(some), floats(some), tolerance), 0);
      }),
    );
  });

  it("disagree under every tolerance where the canary has NaN and stable a number", () => {
    for (const tolerance of ALL)
      assert.equal(differing(floats([1, 2], [1, 2]), floats([Number.NaN, Number.NaN], [1, 2]), tolerance), 1);
  });

  it("disagree under every tolerance wherever the canary has NaN or infinity, and stable a number", () => {
    const numbers = fc.array(fc.float({ noNaN: true, noDefaultInfinity: true }), { minLength: 1, maxLength: 20 });
    const lost = fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY);
    const shaped = fc.constantFrom<(count: number) => number[]>(
      (count) => [count],
      (count) => [1, count],
      (count) => [count, 1],
    );
    fc.assert(
      fc.property(numbers, fc.nat(), lost, shaped, fc.constantFrom(...ALL), (some, at, none, shape, tolerance) => {
        // the class that stable puts first is first of the canary's too
        fc.pre(tolerance.kind !== "topK" || Number.isNaN(none));
        const other = some.with(at % some.length, none);
        const [stable, canary] = [floats(some, shape(some.length)), floats(other, shape(some.length))];
        assert.ok(Number(differing(stable, canary, tolerance)) > 0);
        const compared = compare(
          new Map([["y", output("y", stable)]]),
          new Map([["y", output("y", canary)]]),
          new Map([["y", tolerance]]),
        );
        assert.ok(compared.kind === "compared" && !compared.agrees);
        assert.equal(compared.lost, "y");
      }),
    );
  });

  it("agree where both have NaN in the same places, and rank the rest alike", () => {
    const best = { kind: "topK", k: 1 } as const;
    assert.equal(differing(floats([Number.NaN, 0]), floats([Number.NaN, 0]), best), 0);
    assert.equal(differing(floats([Number.NaN, 0]), floats([0, Number.NaN]), best), 1);
    assert.equal(differing(floats([Number.NaN, 1, 2]), floats([Number.NaN, 2, 1]), best), 1);
  });

  it("are close by what floating point differs by, absolute near zero and relative beyond", () => {
    assert.equal(differing(floats([0, 100, -100]), floats([0.0009, 100.9, -100.9])), 0);
    assert.equal(differing(floats([0, 100, -100, 1]), floats([0.0011, 101.1, -100, 1])), 0.5);
    assert.equal(differing(floats([Infinity, 1]), floats([1e30, 1])), 0.5);
    assert.equal(differing(floats([1, 1]), floats([Infinity, 1])), 0.5);
  });

  it("in halves, too", () => {
    const halves = (...values: number[]) => {
      const { buffer } = Float16Array.from(values);
      return tensor("FP16", [values.length], new Uint16Array(buffer));
    };
    assert.equal(differing(halves(1, 2), halves(1.005, 2)), 0);
    assert.equal(differing(halves(1, 2), halves(1.1, 2)), 0.5);
  });

  it("name the same class, row by row", () => {
    const stable = floats([0.1, 0.9, 0.8, 0.2], [2, 2]);
    const canary = floats([0.4, 0.6, 0.3, 0.7], [2, 2]);
    assert.equal(differing(stable, canary, { kind: "topK", k: 1 }), 0.5);
    assert.equal(differing(stable, canary, { kind: "topK", k: 2 }), 0);
  });

  it("agree on a class that the canary puts beside another one", () => {
    assert.equal(differing(floats([0.9, 0.1]), floats([0.5, 0.5]), { kind: "topK", k: 1 }), 0);
    assert.equal(differing(floats([0.1, 0.9]), floats([0.5, 0.5]), { kind: "topK", k: 1 }), 0);
  });

  it("point in the same direction, whatever their lengths", () => {
    const cosine: Tolerance = { kind: "cosine", least: 0.9 };
    assert.equal(differing(floats([1, 2, 3]), floats([10, 20, 30]), { kind: "cosine", least: 1 }), 0);
    assert.equal(differing(floats([1e30, 1e30]), floats([2e30, 2e30]), cosine), 0);
    assert.equal(differing(floats([1, 0]), floats([0, 1]), cosine), 1);
    assert.equal(differing(floats([0, 0]), floats([0, 1]), cosine), 1);
    assert.equal(differing(floats([0, 0]), floats([0, 0]), cosine), 0);
  });

  it("compare integers and strings exactly, all 64 bits", () => {
    const longs = (...values: bigint[]) => tensor("INT64", [values.length], BigInt64Array.from(values));
    assert.equal(differing(longs(2n ** 60n, 1n), longs(2n ** 60n + 1n, 1n)), 0.5);
    assert.equal(differing(labels(["cat", "dog"]), labels(["cat", "dig"])), 0.5);
    assert.equal(differing(labels(["cat"]), labels(["cat"])), 0);
    assert.match(
      String(differing(labels(["cat"]), labels(["cat"]), { kind: "topK", k: 1 })),
      /"y" has strings.*"equal"/,
    );
  });

  it("cannot be compared where the tensors differ in type, shape or name: told of the output", () => {
    assert.equal(
      differing(floats([1, 2], [1, 2]), floats([1, 2, 3], [1, 3])),
      'output "y" is FP32 [1, 2] of stable, FP32 [1, 3] of the canary',
    );
    assert.match(String(differing(floats([1]), labels(["1"]))), /FP32 \[1\] of stable, BYTES \[1\] of the canary/);
    assert.deepEqual(compare(new Map([["y", output("y", floats([1]))]]), new Map(), new Map()), {
      kind: "different",
      reason: `the canary's answer lacks output "y"`,
    });
  });

  it("disagree as one pair where one output of several does", () => {
    const answer = (b: number) =>
      new Map([
        ["a", output("a", floats([1]))],
        ["b", output("b", floats([b]))],
      ]);
    const compared = compare(answer(1), answer(2), new Map());
    assert.deepEqual(compared, {
      kind: "compared",
      agrees: false,
      outputs: [
        { place: "a", agrees: true, differing: 0 },
        { place: "b", agrees: false, differing: 1 },
      ],
    });
  });

  it("disagree where one output does and the tolerance of another fits nothing", () => {
    const answer = (score: number) =>
      new Map([
        ["label", output("label", labels(["cat"]))],
        ["score", output("score", floats([score]))],
      ]);
    const misfit = new Map([["label", { kind: "topK", k: 1 } as const]]);
    assert.equal(compare(answer(1), answer(1), misfit).kind, "incomparable");
    const compared = compare(answer(1), answer(2), misfit);
    assert.ok(compared.kind === "compared" && !compared.agrees);
    assert.equal(compare(answer(1), new Map([["label", output("label", labels(["cat"]))]]), misfit).kind, "different");
  });

  it("are told by the types that they say, whatever they are held as", () => {
    const said = (declared: string) => new Map([["y", { ...floats([1]), name: "y", declared }]]);
    const compared = compare(said("FP16"), said("FP32"), new Map());
    assert.deepEqual(compared, {
      kind: "different",
      reason: 'output "y" is FP16 [1] of stable, FP32 [1] of the canary',
    });
    const held = (value: Tensor) => new Map([["y", { ...value, name: "y", declared: "INT64" }]]);
    const long = tensor("INT64", [1], BigInt64Array.of(7n));
    const same = compare(held(long), held(tensor("FP64", [1], Float64Array.of(7))), new Map());
    assert.ok(same.kind === "compared" && same.agrees);
  });

  it("of one output without a name are held to the only tolerance that there is", () => {
    const unnamed = (...values: number[]) =>
      new Map([["predictions", { ...floats(values, [1, values.length]), name: undefined, declared: undefined }]]);
    const [a, b] = [unnamed(0.1, 0.9), unnamed(0.4, 0.6)];
    const agrees = (tolerances: [string, Tolerance][]) => {
      const compared = compare(a, b, new Map(tolerances));
      return compared.kind === "compared" && compared.agrees;
    };
    const best: Tolerance = { kind: "topK", k: 1 };
    assert.deepEqual(
      [
        agrees([]),
        agrees([["p", best]]),
        agrees([
          ["p", best],
          ["q", best],
        ]),
      ],
      [false, true, false],
    );
  });

  it("of no known type are classes where all numbers are whole: that two are close to each other is nothing", () => {
    const untyped = (...values: number[]) =>
      new Map([["label", { ...floats(values), name: "label", declared: undefined }]]);
    const agrees = (a: number[], b: number[]) => {
      const compared = compare(untyped(...a), untyped(...b), new Map());
      return compared.kind === "compared" && compared.agrees;
    };
    assert.deepEqual([agrees([1001], [1001]), agrees([1001], [1002]), agrees([1001], [1002.5])], [true, false, true]);
  });

  it("have rows as long as a vocabulary", () => {
    const logits = floats(Array.from({ length: 300_000 }, (_, at) => Math.sin(at)));
    for (const tolerance of ALL) assert.equal(differing(logits, logits, tolerance), 0);
  });

  it("with no rows agree", () => {
    for (const tolerance of ALL) assert.equal(differing(floats([], [0, 3]), floats([], [0, 3]), tolerance), 0);
  });
});
