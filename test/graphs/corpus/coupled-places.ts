/** Rows that are moved, cut, counted or told apart by their place. */
import type { Builder, Name } from "../builder.ts";
import { tensor } from "../builder.ts";
import { coupled, type GraphCase, ids, texts, x } from "../case.ts";
import { TREE } from "../trees.ts";

const rows = (b: Builder, given: Name, shape: readonly number[] = [1]): Name =>
  b.op("Gather", [b.op("Shape", [given]), b.ints([0], shape)]);
const asFloat = (b: Builder, given: Name): Name => b.op("Cast", [given], { to: 1 });
/** 0, 1, 2 … for the rows. */
const counted = (b: Builder, given: Name): Name =>
  b.op("Range", [b.ints([0], []), rows(b, given, []), b.ints([1], [])]);
const ones = (b: Builder, shape: Name): Name =>
  b.op("ConstantOfShape", [shape], { value: { tensor: tensor("", "FP32", [1], [1]) } });

const moved: GraphCase[] = [
  coupled("less the first row", (b, given) => b.op("Sub", [given, b.op("Gather", [given, b.ints([0])])])),
  coupled("less the last row", (b, given) => b.op("Sub", [given, b.op("Gather", [given, b.ints([-1])])])),
  coupled("less the first row, by Slice", (b, given) =>
    b.op("Sub", [given, b.op("Slice", [given, b.ints([0]), b.ints([1]), b.ints([0])])]),
  ),
  coupled("in reverse", (b, given) => b.op("Slice", [given, b.ints([-1]), b.ints([-1000]), b.ints([0]), b.ints([-1])])),
  coupled("less the row before", (b, given) => {
    const padded = b.op("Pad", [given, b.ints([1, 0, 0, 0])]);
    return b.op("Sub", [given, b.op("Slice", [padded, b.ints([0]), b.ints([-1]), b.ints([0])])]);
  }),
  coupled("with a row before", (b, given) => b.op("Concat", [b.floats([1, 2, 3, 4], [1, 4]), given], { axis: 0 })),
  coupled("twice", (b, given) => b.op("Concat", [given, given], { axis: 0 })),
  coupled("repeated", (b, given) => b.op("Tile", [given, b.ints([2, 1])])),
  coupled("padded with a row", (b, given) => b.op("Pad", [given, b.ints([0, 0, 1, 0])])),
  coupled("padded with the last row", (b, given) => b.op("Pad", [given, b.ints([0, 0, 2, 0])], { mode: "edge" })),
  coupled("padded with a row, axes given", (b, given) => b.op("Pad", [given, b.ints([0, 1]), "", b.ints([0])]), {
    opset: 18,
  }),
  coupled("picked along the batch", (b, given) => {
    const places = b.op("Mul", [b.op("Cast", [b.op("Sign", [b.op("Abs", [given])])], { to: 7 }), b.ints([0])]);
    return b.op("GatherElements", [given, places], { axis: 0 });
  }),
  coupled("the first row by GatherND", (b, given) =>
    b.op("Sub", [given, b.op("GatherND", [given, b.ints([0], [1, 1])])]),
  ),
  coupled("written to the first row", (b, given) =>
    b.op("ScatterND", [given, b.ints([0], [1, 1]), b.floats([1, 2, 3, 4], [1, 4])]),
  ),
  coupled(
    "written along the batch",
    (b, given) => {
      const places = b.op("Mul", [b.op("Cast", [b.op("Sign", [b.op("Abs", [given])])], { to: 7 }), b.ints([0])]);
      return b.op("ScatterElements", [given, places, given], { axis: 0, reduction: "add" });
    },
    { opset: 16 },
  ),
  coupled("the first row alone", (b, given) =>
    b.op("Add", [given, b.op("Compress", [given, b.held("BOOL", [1], [1])], { axis: 0 })]),
  ),
  coupled("what is not 0", (b, given) => ({
    name: b.op("Transpose", [b.op("NonZero", [b.op("Relu", [given])])]),
    type: "INT64" as const,
  })),
  coupled("each value once", (b, given) => {
    const [first = ""] = b.ops("Unique", [b.op("Sign", [given])], { axis: 0 }, 1);
    return first;
  }),
  coupled("boxes that do not overlap", (b, given) => {
    const boxes = b.op("Unsqueeze", [given, b.ints([0])]);
    const scores = b.op("Unsqueeze", [
      b.op("Transpose", [b.op("Gather", [given, b.ints([0])], { axis: 1 })]),
      b.ints([0]),
    ]);
    const chosen = b.op("NonMaxSuppression", [boxes, scores, b.ints([10]), b.floats([0.5]), b.floats([0])]);
    return { name: chosen, type: "INT64" as const };
  }),
  coupled("turned around along the batch", (b, given) =>
    b.op("ReverseSequence", [given, b.op("Expand", [rows(b, given), b.ints([4])])], { time_axis: 0, batch_axis: 1 }),
  ),
  coupled("the lower triangle", (b, given) => b.op("Trilu", [given], { upper: 0 })),
  coupled("one on the diagonal", (b, given) => b.op("Add", [given, b.op("EyeLike", [given])])),
  coupled(
    "cut to one row",
    (b, given) => b.op("Add", [given, b.op("CenterCropPad", [given, b.ints([1])], { axes: [0] })]),
    { opset: 18 },
  ),
  coupled("scaled along the batch", (b, given) => b.op("Resize", [given, "", b.floats([2, 1])], { mode: "linear" })),
  coupled(
    "scaled along the batch in version 10",
    (b, given) => b.op("Resize", [given, b.floats([2, 1])], { mode: "linear" }),
    { opset: 10 },
  ),
  coupled("of two rows one", (b, given) => b.op("Resize", [given, "", b.floats([0.5, 1])], { mode: "nearest" })),
  coupled("split into rows", (b, given) => {
    const [first = "", rest = ""] = b.ops(
      "Split",
      [given, b.op("Concat", [b.ints([1]), b.op("Sub", [rows(b, given), b.ints([1])])], { axis: 0 })],
      { axis: 0 },
      2,
    );
    return b.op("Concat", [rest, first], { axis: 0 });
  }),
];

const reshaped: GraphCase[] = [
  coupled("normalised as one row", (b, given) =>
    b.op("Reshape", [b.op("Softmax", [b.op("Flatten", [given], { axis: 0 })], { axis: 1 }), b.ints([-1, 4])]),
  ),
  coupled("in other rows", (b, given) =>
    b.op("Reshape", [b.op("Softmax", [b.op("Reshape", [given, b.ints([4, -1])])], { axis: 1 }), b.ints([-1, 4])]),
  ),
  coupled("in the order of columns", (b, given) => b.op("Reshape", [b.op("Transpose", [given]), b.ints([-1, 4])])),
  coupled("without axes of 1", (b, given) => b.op("Squeeze", [given])),
  coupled("two rows in one", (b, given) =>
    b.op("Reshape", [b.op("Concat", [given, given], { axis: 0 }), b.ints([-1, 8])]),
  ),
  coupled("all in one row, and the mean of it", (b, given) =>
    b.op("Sub", [given, b.op("ReduceMean", [b.op("Reshape", [given, b.ints([1, -1])])], { axes: [1] })]),
  ),
  coupled("in one axis with the features, and then cut", (b, given) =>
    b.op("Slice", [b.op("Reshape", [given, b.ints([-1])]), b.ints([0]), b.ints([4]), b.ints([0])]),
  ),
  coupled(
    "features before the batch in one axis",
    (b, given) => b.op("Reshape", [b.op("Transpose", [given], { perm: [2, 0, 1] }), b.ints([-1, 3])]),
    { inputs: [x("N", 3, 4)] },
  ),
];

const numbered: GraphCase[] = [
  coupled("divided by the number of rows", (b, given) => b.op("Div", [given, asFloat(b, rows(b, given))])),
  coupled("times the number of elements", (b, given) => b.op("Mul", [given, asFloat(b, b.op("Size", [given]))])),
  coupled("plus its place", (b, given) =>
    b.op("Add", [given, b.op("Unsqueeze", [asFloat(b, counted(b, given)), b.ints([1])])]),
  ),
  coupled("plus a row of a table by its place", (b, given) =>
    b.op("Add", [given, b.op("Gather", [b.weights(64, 4), counted(b, given)])]),
  ),
  coupled("plus the first rows of a table", (b, given) =>
    b.op("Add", [given, b.op("Slice", [b.weights(64, 4), b.ints([0]), rows(b, given), b.ints([0])])]),
  ),
  coupled("plus a count of rows", (b, given) => {
    const shape = b.op("Concat", [rows(b, given), b.ints([1])], { axis: 0 });
    return b.op("Add", [given, b.op("CumSum", [ones(b, shape), b.ints([0], [])])]);
  }),
  coupled("every second row", (b, given) => {
    const odd = b.op("Equal", [b.op("Mod", [counted(b, given), b.ints([2], [])]), b.ints([0], [])]);
    return b.op("Where", [b.op("Unsqueeze", [odd, b.ints([1])]), given, b.op("Neg", [given])]);
  }),
  coupled("to the power of the number of rows", (b, given) =>
    b.op("Pow", [b.op("Abs", [given]), asFloat(b, rows(b, given))]),
  ),
  coupled("clipped at the number of rows", (b, given) => b.op("Clip", [given, "", asFloat(b, rows(b, given, []))])),
  coupled("a column for each row", (b, given) =>
    b.op("MatMul", [given, ones(b, b.op("Concat", [b.ints([4]), rows(b, given)], { axis: 0 }))]),
  ),
  coupled("plus the sum of as many numbers as there are rows", (b, given) =>
    b.op("Add", [
      given,
      b.op("ReduceSum", [b.op("Slice", [b.weights(64), b.ints([0]), rows(b, given)])], { keepdims: 0 }),
    ]),
  ),
  coupled(
    "the sum of as many features as there are rows",
    (b, given) => b.op("ReduceSum", [b.op("Slice", [given, b.ints([0]), rows(b, given), b.ints([1])]), b.ints([1])]),
    { inputs: [x("N", 16)] },
  ),
  coupled(
    "all features but as many as there are rows",
    (b, given) => b.op("ReduceSum", [b.op("Slice", [given, rows(b, given), b.ints([100]), b.ints([1])]), b.ints([1])]),
    { inputs: [x("N", 16)] },
  ),
  coupled("plus the sum of a table that is scaled to as many rows", (b, given) => {
    const sizes = b.op("Concat", [rows(b, given), b.ints([4])], { axis: 0 });
    const table = b.op("Resize", [b.weights(3, 4), "", "", sizes], { mode: "linear" });
    return b.op("Add", [given, b.op("ReduceSum", [table], { keepdims: 0 })]);
  }),
  coupled(
    "plus the sum of a grid of as many points as rows",
    (b, given) => {
      const sizes = b.op("Concat", [b.ints([1, 1]), rows(b, given), b.ints([2])], { axis: 0 });
      const grid = b.op("AffineGrid", [b.weights(1, 2, 3), sizes]);
      return b.op("Add", [given, b.op("ReduceSumSquare", [grid], { keepdims: 0 })]);
    },
    { opset: 20 },
  ),
  coupled("plus the sum of ones, one for each row", (b, given) =>
    b.op("Add", [given, b.op("ReduceSum", [ones(b, rows(b, given))], { keepdims: 0 })]),
  ),
  coupled("plus the length of a list with an entry for each row", (b, given) =>
    b.op("Add", [given, asFloat(b, b.op("Size", [b.op("Expand", [b.floats([1]), rows(b, given)])]))]),
  ),
  coupled("plus the greatest of as many repeats as rows", (b, given) =>
    b.op("Add", [given, b.op("ReduceSum", [b.op("Tile", [b.floats([1, 2]), rows(b, given)])], { keepdims: 0 })]),
  ),
  coupled("plus a product over its shape", (b, given) =>
    b.op("Add", [given, asFloat(b, b.op("ReduceProd", [b.op("Shape", [given])], { keepdims: 0 }))]),
  ),
  coupled("one-hot of its place", (b, given) => b.op("OneHot", [counted(b, given), b.ints([8]), b.floats([0, 1])])),
];

const image = [x("N", 2, 4, 4)];
/** [N, 4] as [1, 4, N]: a signal along the batch. */
const signal = (b: Builder, given: Name): Name => b.op("Unsqueeze", [b.op("Transpose", [given]), b.ints([0])]);
const back = (b: Builder, given: Name): Name => b.op("Transpose", [b.op("Squeeze", [given, b.ints([0])])]);

const windows: GraphCase[] = [
  coupled("convolved along the batch", (b, given) =>
    back(b, b.op("Conv", [signal(b, given), b.weights(4, 4, 3)], { pads: [1, 1] })),
  ),
  coupled("convolved along the batch and the features", (b, given) =>
    b.op("Squeeze", [
      b.op("Conv", [b.op("Unsqueeze", [given, b.ints([0, 1])]), b.weights(1, 1, 3, 3)], { pads: [1, 1, 1, 1] }),
      b.ints([0, 1]),
    ]),
  ),
  coupled("convolved back along the batch", (b, given) =>
    back(b, b.op("ConvTranspose", [signal(b, given), b.weights(4, 4, 3)], { pads: [1, 1] })),
  ),
  coupled("the maximum of neighbours", (b, given) =>
    back(b, b.op("MaxPool", [signal(b, given)], { kernel_shape: [3], pads: [1, 1] })),
  ),
  coupled("the mean of neighbours", (b, given) =>
    back(b, b.op("AveragePool", [signal(b, given)], { kernel_shape: [3], pads: [1, 1] })),
  ),
  coupled("the norm of neighbours", (b, given) =>
    back(b, b.op("LpPool", [signal(b, given)], { kernel_shape: [3], pads: [1, 1] })),
  ),
  coupled("less the mean of all by pooling", (b, given) =>
    back(b, b.op("Sub", [signal(b, given), b.op("GlobalAveragePool", [signal(b, given)])])),
  ),
  coupled("less the maximum of all by pooling", (b, given) =>
    back(b, b.op("Sub", [signal(b, given), b.op("GlobalMaxPool", [signal(b, given)])])),
  ),
  coupled("InstanceNormalization along the batch", (b, given) =>
    back(b, b.op("InstanceNormalization", [signal(b, given), b.floats([1, 1, 1, 1]), b.floats([0, 0, 0, 0])])),
  ),
  coupled(
    "GroupNormalization along the batch",
    (b, given) =>
      back(
        b,
        b.op("GroupNormalization", [signal(b, given), b.floats([1, 1, 1, 1]), b.floats([0, 0, 0, 0])], {
          num_groups: 2,
        }),
      ),
    { opset: 21 },
  ),
  coupled("LRN with rows for channels", (b, given) =>
    b.op("Squeeze", [
      b.op("LRN", [b.op("Unsqueeze", [given, b.ints([0, 3])])], { size: 3, alpha: { float: 1 } }),
      b.ints([0, 3]),
    ]),
  ),
  coupled(
    "where maxima are in the whole batch",
    (b, given) => {
      const [, places = ""] = b.ops("MaxPool", [given], { kernel_shape: [2, 2], strides: [2, 2] }, 2);
      return { name: places, type: "INT64" as const };
    },
    { inputs: image },
  ),
  coupled(
    "regions of the first image",
    (b, given) => {
      const boxes = b.op("Expand", [
        b.floats([0, 0, 3, 3], [1, 4]),
        b.op("Concat", [rows(b, given), b.ints([4])], { axis: 0 }),
      ]);
      const which = b.op("ConstantOfShape", [rows(b, given)], { value: { tensor: tensor("", "INT64", [1], [0]) } });
      return b.op("RoiAlign", [given, boxes, which], { output_height: 2, output_width: 2 });
    },
    { inputs: image },
  ),
  coupled("a spectrum along the batch", (b, given) =>
    b.op("DFT", [b.op("Unsqueeze", [b.op("Unsqueeze", [given, b.ints([0])]), b.ints([3])])], { axis: 1 }),
  ),
];

const recurrent = (operator: string, gates: number, direction = "forward"): GraphCase =>
  coupled(`${operator} along the batch, ${direction}`, (b, given) => {
    const directions = direction === "bidirectional" ? 2 : 1;
    const weights = [b.weights(directions, gates * 3, 4), b.weights(directions, gates * 3, 3)];
    const [y = ""] = b.ops(
      operator,
      [b.op("Unsqueeze", [given, b.ints([1])]), ...weights],
      { hidden_size: 3, direction },
      1,
    );
    return b.op("Squeeze", [y, b.ints([2])]);
  });

const rest: GraphCase[] = [
  recurrent("LSTM", 4),
  recurrent("GRU", 3),
  recurrent("RNN", 1),
  recurrent("LSTM", 4, "reverse"),
  recurrent("GRU", 3, "bidirectional"),
  coupled("attention with rows for tokens", (b, given) => {
    const tokens = b.op("Unsqueeze", [given, b.ints([0])]);
    return b.op("Squeeze", [
      b.op("MultiHeadAttention", [tokens, tokens, tokens], { num_heads: 1 }, "com.microsoft"),
      b.ints([0]),
    ]);
  }),
  coupled("packed attention with rows for tokens", (b, given) =>
    b.op("Squeeze", [
      b.op(
        "Attention",
        [b.op("Unsqueeze", [given, b.ints([0])]), b.weights(4, 12), b.weights(12)],
        { num_heads: 2 },
        "com.microsoft",
      ),
      b.ints([0]),
    ]),
  ),
  coupled(
    "words, filled up to the longest",
    (b, given) => ({
      name: b.op("Tokenizer", [given], { separators: [" "], pad_value: "#", mark: 0, mincharnum: 1 }, "com.microsoft"),
      type: "BYTES" as const,
    }),
    { inputs: [texts(["a", "a b", "a b c d", "b a"], "N")] },
  ),
  coupled(
    "counts of words, the filling among them",
    (b, given) => {
      const words = b.op(
        "Tokenizer",
        [given],
        { separators: [" "], pad_value: "#", mark: 0, mincharnum: 1 },
        "com.microsoft",
      );
      return b.op("TfIdfVectorizer", [words], {
        mode: "TF",
        min_gram_length: 1,
        max_gram_length: 1,
        max_skip_count: 0,
        ngram_counts: [0],
        ngram_indexes: [0, 1, 2],
        pool_strings: ["a", "b", "#"],
      });
    },
    { inputs: [texts(["a", "a b", "a b c d", "b a"], "N")] },
  ),
  coupled(
    "words without the common ones",
    (b, given) => ({
      name: b.op("StringNormalizer", [given], {
        case_change_action: "LOWER",
        is_case_sensitive: 1,
        stopwords: ["the"],
        locale: "C",
      }),
      type: "BYTES" as const,
    }),
    { inputs: [texts(["the", "cat", "Dog"], "N")] },
  ),
  coupled(
    "split texts",
    (b, given) => ({ name: b.ops("StringSplit", [given], { delimiter: " " }, 2)[0] ?? "", type: "BYTES" as const }),
    { opset: 20, inputs: [texts(["a", "a b", "a b c"], "N")] },
  ),
  coupled(
    "a list of numbers normalised as one row",
    (b, given) => b.op("Normalizer", [given], { norm: "L2" }, "ai.onnx.ml"),
    { inputs: [x("N")] },
  ),
  coupled("normalised with rows for features", (b, given) =>
    b.op("Transpose", [b.op("Normalizer", [b.op("Transpose", [given])], { norm: "MAX" }, "ai.onnx.ml")]),
  ),
  coupled("the first row picked as a feature", (b, given) =>
    b.op("Sub", [
      given,
      b.op("Transpose", [b.op("ArrayFeatureExtractor", [b.op("Transpose", [given]), b.ints([0])], {}, "ai.onnx.ml")]),
    ]),
  ),
  coupled("a tree that gets all as one row", (b, given) =>
    b.op("Add", [
      given,
      b.op("TreeEnsembleRegressor", [b.op("Reshape", [given, b.ints([1, -1])])], TREE, "ai.onnx.ml"),
    ]),
  ),
  coupled(
    "indices that pick from all rows",
    (b, given, tokens) => b.op("GatherND", [given, b.op("Unsqueeze", [tokens, b.ints([1])])]),
    { inputs: [x("N", 4), ids(0, "N")] },
  ),
];

export const COUPLED_PLACES: readonly GraphCase[] = [...moved, ...reshaped, ...numbered, ...windows, ...rest];
