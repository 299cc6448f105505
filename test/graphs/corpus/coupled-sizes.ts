/** Rows that are told how many they are, that meet rows which lie in another order, or that take a way which only numbers show. */
import { type Builder, body, type Name } from "../builder.ts";
import { coupled, type GraphCase, ids, x } from "../case.ts";

const rows = (b: Builder, given: Name, shape: readonly number[] = [1]): Name =>
  b.op("Gather", [b.op("Shape", [given]), b.ints([0], shape)]);
const asFloat = (b: Builder, given: Name): Name => b.op("Cast", [given], { to: 1 });
const shapeOf = (b: Builder, given: Name, ...others: number[]): Name =>
  b.op("Concat", [rows(b, given), b.ints(others)], { axis: 0 });

/** The number of rows as a value that operators pass on which only move elements. */
const values: GraphCase[] = [
  coupled(
    "the feature whose place is the number of rows",
    (b, given) => b.op("Gather", [given, rows(b, given)], { axis: 1 }),
    {
      inputs: [x("N", 16)],
    },
  ),
  coupled(
    "the feature that the number of rows picks for each token",
    (b, given) => b.op("Gather", [given, rows(b, given, [])], { axis: 2 }),
    { inputs: [x("N", 2, 16)] },
  ),
  coupled(
    "one feature of as many as there are rows",
    (b, given) => b.op("Slice", [given, b.ints([0]), b.ints([16]), b.ints([1]), rows(b, given)]),
    { inputs: [x("N", 16)] },
  ),
  coupled("times the number of rows, once for each", (b, given) =>
    b.op("Mul", [given, asFloat(b, b.op("Expand", [rows(b, given), shapeOf(b, given, 1)]))]),
  ),
  coupled("times the number of rows, repeated for each", (b, given) =>
    b.op("Mul", [
      given,
      asFloat(b, b.op("Tile", [b.op("Reshape", [rows(b, given), b.ints([1, 1])]), shapeOf(b, given, 1)])),
    ]),
  ),
  coupled(
    "one of its sizes for each id",
    (b, given) => ({ name: b.op("Gather", [b.op("Shape", [given]), given]), type: "INT64" as const }),
    {
      inputs: [ids(1, "N", 3)],
    },
  ),
  coupled(
    "split by the number of rows",
    (b, given) => {
      const [, rest = ""] = b.ops(
        "Split",
        [given, b.op("Concat", [rows(b, given), b.op("Sub", [b.ints([16]), rows(b, given)])], { axis: 0 })],
        { axis: 1 },
        2,
      );
      return b.op("ReduceSum", [rest, b.ints([1])]);
    },
    { inputs: [x("N", 16)] },
  ),
];

/** [N, 2, …] with the batch behind the 2 in the first axis, and before it. */
const turned = (b: Builder, given: Name, perm: readonly number[], ...sizes: number[]): Name =>
  b.op("Reshape", [b.op("Transpose", [given], { perm }), b.ints([-1, ...sizes])]);
const folded = (b: Builder, given: Name, ...sizes: number[]): Name => b.op("Reshape", [given, b.ints([-1, ...sizes])]);
/** Back to [N, …] from what has the batch behind the 2. */
const apart = (b: Builder, given: Name, ...sizes: number[]): Name =>
  b.op("Transpose", [b.op("Reshape", [given, b.ints([2, -1, ...sizes])])], {
    perm: [1, 0, ...sizes.map((_, i) => i + 2)],
  });

/** Rows in one order meet rows in another one, each in an axis with what is theirs. */
const orders: GraphCase[] = [
  coupled(
    "images sampled at the places of others",
    (b, given, grid) =>
      apart(b, b.op("GridSample", [turned(b, given, [1, 0, 2, 3, 4], 1, 4, 4), folded(b, grid, 3, 3, 2)]), 1, 3, 3),
    {
      inputs: [x("N", 2, 1, 4, 4), { name: "grid", type: "FP32", shape: ["N", 2, 3, 3, 2] }],
      opset: 16,
    },
  ),
  coupled(
    "features of one row beside those of another",
    (b, given, other) =>
      apart(
        b,
        b.op(
          "FeatureVectorizer",
          [turned(b, given, [1, 0, 2], 4), folded(b, other, 3)],
          { inputdimensions: [4, 3] },
          "ai.onnx.ml",
        ),
        7,
      ),
    { inputs: [x("N", 2, 4), { name: "other", type: "FP32", shape: ["N", 2, 3] }] },
  ),
  coupled(
    "added to rows in another order",
    (b, given, other) => apart(b, b.op("Add", [turned(b, given, [1, 0, 2], 4), folded(b, other, 4)]), 4),
    { inputs: [x("N", 2, 4), { name: "other", type: "FP32", shape: ["N", 2, 4] }] },
  ),
  coupled(
    "joined to rows in another order",
    (b, given, other) =>
      apart(b, b.op("Concat", [turned(b, given, [1, 0, 2], 4), folded(b, other, 4)], { axis: 1 }), 8),
    { inputs: [x("N", 2, 4), { name: "other", type: "FP32", shape: ["N", 2, 4] }] },
  ),
  coupled(
    "multiplied with matrices in another order",
    (b, given, other) => apart(b, b.op("MatMul", [turned(b, given, [1, 0, 2, 3], 3, 4), folded(b, other, 4, 2)]), 3, 2),
    { inputs: [x("N", 2, 3, 4), { name: "other", type: "FP32", shape: ["N", 2, 4, 2] }] },
  ),
];

/** Normalised over the batch where `condition` holds, which the model's own numbers decide. */
const meanWhere = (b: Builder, given: Name, condition: Name): Name =>
  b.op("If", [condition], {
    then_branch: body(b, [], (inner) => [
      { name: inner.op("Sub", [given, inner.op("ReduceMean", [given], { axes: [0] })]), type: "FP32" },
    ]),
    else_branch: body(b, [], (inner) => [{ name: inner.op("Neg", [given]), type: "FP32" }]),
  });

const ways: GraphCase[] = [
  coupled("another way where a byte overflows", (b, given) => {
    const cut = b.op("Cast", [b.op("Cast", [b.ints([300], [])], { to: 2 })], { to: 7 });
    return meanWhere(b, given, b.op("Equal", [cut, b.ints([44], [])]));
  }),
  coupled("another way where a product of 32 bits overflows", (b, given) => {
    const large = b.held("INT32", [], [65_536]);
    return meanWhere(b, given, b.op("Less", [b.op("Mul", [large, large]), large]));
  }),
  coupled("another way where floats are rounded", (b, given) =>
    meanWhere(b, given, b.op("Equal", [b.op("Add", [b.floats([0.1], []), b.floats([0.2], [])]), b.floats([0.3], [])])),
  ),
  coupled("another way where a float is beyond whole numbers", (b, given) => {
    const far = b.op("Sub", [b.op("Add", [b.floats([2 ** 24], []), b.floats([1], [])]), b.floats([2 ** 24], [])]);
    return meanWhere(b, given, b.op("Equal", [far, b.floats([0], [])]));
  }),
  coupled("another way where a power is rounded", (b, given) =>
    meanWhere(b, given, b.op("Less", [b.op("Pow", [b.floats([3], []), b.floats([0.5], [])]), b.floats([1.8], [])])),
  ),
];

export const COUPLED_SIZES: readonly GraphCase[] = [...values, ...orders, ...ways];
