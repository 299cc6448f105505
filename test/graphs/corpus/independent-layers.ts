/** Single layers, each row by itself. */
import { type Builder, type Name, tensor } from "../builder.ts";
import { type GraphCase, ids, independent, texts, x } from "../case.ts";

const image = [x("N", 3, 8, 8)];
const tokens = [x("N", 5, 8)];
const shapeAt = (b: Builder, given: Name, axis: number): Name =>
  b.op("Gather", [b.op("Shape", [given]), b.ints([axis])]);

const UNARY = [
  "Abs",
  "Relu",
  "Sigmoid",
  "Tanh",
  "Exp",
  "Erf",
  "Floor",
  "Ceil",
  "Round",
  "Sign",
  "Neg",
  "Softplus",
  "Softsign",
  "Elu",
  "Selu",
  "HardSigmoid",
  "LeakyRelu",
  "HardSwish",
  "Sin",
  "Identity",
];
const elements: GraphCase[] = [
  ...UNARY.map((name) => independent(`${name} of each element`, (b, given) => b.op(name, [given]))),
  independent("sums and products with constants", (b, given) =>
    b.op("Mul", [b.op("Add", [given, b.weights(4)]), b.weights(1, 4)]),
  ),
  independent("clipped", (b, given) => b.op("Clip", [given, b.floats([-1], []), b.floats([1], [])])),
  independent("PRelu with a slope for each feature", (b, given) => b.op("PRelu", [given, b.weights(4)])),
  independent("one of two by a condition", (b, given) =>
    b.op("Where", [b.op("Greater", [given, b.floats([0], [])]), given, b.op("Mul", [given, b.floats([0.1])])]),
  ),
  independent("the greatest of several", (b, given) => b.op("Max", [given, b.op("Neg", [given]), b.floats([1])])),
  independent("to float and back", (b, given) => b.op("Cast", [b.op("Cast", [given], { to: 7 })], { to: 1 })),
  independent("dropout in inference", (b, given) =>
    b.op("Dropout", [given, b.floats([0.5], []), b.held("BOOL", [], [0])]),
  ),
  independent("Gelu of the contributed operators", (b, given) => b.op("Gelu", [given], {}, "com.microsoft")),
  independent("FastGelu with a bias", (b, given) => b.op("FastGelu", [given, b.weights(4)], {}, "com.microsoft")),
  independent("BiasGelu", (b, given) => b.op("BiasGelu", [given, b.weights(4)], {}, "com.microsoft")),
  independent("QuickGelu", (b, given) => b.op("QuickGelu", [given], {}, "com.microsoft")),
  independent("two inputs added", (b, one, other) => b.op("Add", [one, other]), {
    inputs: [x("N", 4), { name: "other", type: "FP32", shape: ["N", 1] }],
  }),
  independent("an input that all share", (b, one, scale) => b.op("Mul", [one, scale]), {
    inputs: [x("N", 4), { name: "scale", type: "FP32", shape: [1] }],
  }),
];

const matrices: GraphCase[] = [
  independent("MatMul", (b, given) => b.op("MatMul", [given, b.weights(4, 3)])),
  independent("MatMul of tokens", (b, given) => b.op("MatMul", [given, b.weights(8, 3)]), { inputs: tokens }),
  independent("a matrix from the left", (b, given) => b.op("MatMul", [b.weights(2, 5), given]), { inputs: tokens }),
  independent("rows in columns, and back", (b, given) =>
    b.op("Transpose", [b.op("MatMul", [b.weights(3, 4), b.op("Transpose", [given])])]),
  ),
  independent("Gemm with a bias", (b, given) =>
    b.op("Gemm", [given, b.weights(3, 4), b.weights(3)], { transB: 1, alpha: { float: 0.5 } }),
  ),
  independent("Gemm with the batch behind", (b, given) =>
    b.op("Gemm", [b.op("Transpose", [given]), b.weights(4, 3)], { transA: 1 }),
  ),
  independent("FusedMatMul", (b, given) =>
    b.op("FusedMatMul", [given, b.weights(3, 4)], { transB: 1 }, "com.microsoft"),
  ),
  independent("Einsum", (b, given) => b.op("Einsum", [given, b.weights(8, 2, 4)], { equation: "btd,dhk->bhtk" }), {
    inputs: tokens,
  }),
  independent("Einsum without a result", (b, given) => b.op("Einsum", [given, b.weights(4, 5)], { equation: "ij,jk" })),
  independent(
    "Einsum of all axes before",
    (b, given) => b.op("Einsum", [given, b.weights(4, 5)], { equation: "...j,jk->...k" }),
    { inputs: [x("N", 3, 4)] },
  ),
  independent(
    "Einsum of all axes before without a result",
    (b, given) => b.op("Einsum", [given, b.weights(4)], { equation: "...j,j" }),
    { inputs: [x("N", 3, 4)] },
  ),
  independent(
    "scores within a row by Einsum",
    (b, given) => b.op("Einsum", [given, given], { equation: "btd,bsd->bts" }),
    { inputs: tokens },
  ),
  independent("distances to what was learnt", (b, given) =>
    b.op("CDist", [given, b.weights(6, 4)], { metric: "euclidean" }, "com.microsoft"),
  ),
];

const REDUCTIONS = ["Max", "Min", "Mean", "L2", "SumSquare"];
const reductions: GraphCase[] = [
  ...REDUCTIONS.map((name) =>
    independent(`Reduce${name} over features`, (b, given) =>
      b.op("Sub", [given, b.op(`Reduce${name}`, [given], { axes: [-1] })]),
    ),
  ),
  independent("a sum whose axes are an input", (b, given) => b.op("ReduceSum", [given, b.ints([1])], { keepdims: 0 }), {
    inputs: tokens,
  }),
  independent(
    "a mean over pixels, axes an input",
    (b, given) => b.op("ReduceMean", [given, b.ints([2, 3])], { keepdims: 0 }),
    { inputs: image, opset: 18 },
  ),
  independent("no axes, and so nothing", (b, given) => b.op("ReduceSum", [given], { noop_with_empty_axes: 1 })),
  independent("Softmax", (b, given) => b.op("Softmax", [given], { axis: -1 })),
  independent("Softmax as before version 13", (b, given) => b.op("Softmax", [given], { axis: 1 }), {
    opset: 11,
    inputs: tokens,
  }),
  independent("LogSoftmax", (b, given) => b.op("LogSoftmax", [given], { axis: 1 })),
  independent("Hardmax", (b, given) => b.op("Hardmax", [given], { axis: 1 })),
  independent("the best class", (b, given) => ({
    name: b.op("ArgMax", [given], { axis: 1, keepdims: 0 }),
    type: "INT64",
  })),
  independent("the best three", (b, given) => {
    const [best = "", which = ""] = b.ops("TopK", [given, b.ints([3])], { axis: -1 }, 2);
    return [best, { name: which, type: "INT64" }];
  }),
  independent("a cumulative sum over tokens", (b, given) => b.op("CumSum", [given, b.ints([1], [])]), {
    inputs: tokens,
  }),
  independent("LayerNormalization", (b, given) => b.op("LayerNormalization", [given, b.weights(8), b.weights(8)]), {
    inputs: tokens,
  }),
  independent("LpNormalization", (b, given) => b.op("LpNormalization", [given], { axis: -1 })),
  independent(
    "SkipLayerNormalization",
    (b, given) => b.op("SkipLayerNormalization", [given, given, b.weights(8), b.weights(8)], {}, "com.microsoft"),
    { inputs: tokens },
  ),
  independent(
    "MeanVarianceNormalization over pixels",
    (b, given) => b.op("MeanVarianceNormalization", [given], { axes: [2, 3] }),
    { inputs: image },
  ),
];

const images: GraphCase[] = [
  independent(
    "Conv",
    (b, given) => b.op("Conv", [given, b.weights(4, 3, 3, 3), b.weights(4)], { pads: [1, 1, 1, 1] }),
    { inputs: image },
  ),
  independent("Conv along tokens", (b, given) => b.op("Conv", [given, b.weights(4, 5, 3)]), { inputs: tokens }),
  independent(
    "ConvTranspose",
    (b, given) => b.op("ConvTranspose", [given, b.weights(3, 2, 2, 2)], { strides: [2, 2] }),
    { inputs: image },
  ),
  independent(
    "FusedConv",
    (b, given) => b.op("FusedConv", [given, b.weights(4, 3, 3, 3)], { activation: "Relu" }, "com.microsoft"),
    { inputs: image },
  ),
  independent("MaxPool", (b, given) => b.op("MaxPool", [given], { kernel_shape: [2, 2], strides: [2, 2] }), {
    inputs: image,
  }),
  independent(
    "AveragePool",
    (b, given) => b.op("AveragePool", [given], { kernel_shape: [3, 3], ceil_mode: 1, strides: [2, 2] }),
    { inputs: image, opset: 19 },
  ),
  independent("GlobalAveragePool", (b, given) => b.op("Flatten", [b.op("GlobalAveragePool", [given])]), {
    inputs: image,
  }),
  independent(
    "BatchNormalization in inference",
    (b, given) =>
      b.op("BatchNormalization", [
        given,
        b.floats([1, 2, 3]),
        b.floats([0, 1, 2]),
        b.floats([0, 0, 1]),
        b.floats([1, 2, 1]),
      ]),
    { inputs: image },
  ),
  independent(
    "InstanceNormalization",
    (b, given) => b.op("InstanceNormalization", [given, b.floats([1, 2, 3]), b.floats([0, 1, 2])]),
    { inputs: image },
  ),
  independent(
    "GroupNormalization",
    (b, given) => b.op("GroupNormalization", [given, b.floats([1, 2, 3]), b.floats([0, 1, 2])], { num_groups: 3 }),
    { inputs: image, opset: 21 },
  ),
  independent("LRN", (b, given) => b.op("LRN", [given], { size: 3 }), { inputs: image }),
  independent(
    "Resize by scales",
    (b, given) => b.op("Resize", [given, "", b.floats([1, 1, 2, 2])], { mode: "linear" }),
    { inputs: image },
  ),
  independent(
    "Resize to sizes from the shape",
    (b, given) => {
      const front = b.op("Slice", [b.op("Shape", [given]), b.ints([0]), b.ints([2])]);
      return b.op("Resize", [given, "", "", b.op("Concat", [front, b.ints([5, 5])], { axis: 0 })], { mode: "nearest" });
    },
    { inputs: image },
  ),
  independent("Upsample", (b, given) => b.op("Upsample", [given, b.floats([1, 1, 2, 2])]), { inputs: image, opset: 9 }),
  independent(
    "SpaceToDepth and back",
    (b, given) => b.op("DepthToSpace", [b.op("SpaceToDepth", [given], { blocksize: 2 })], { blocksize: 2 }),
    { inputs: image },
  ),
  independent(
    "channels last, and back",
    (b, given) => {
      const first = b.op("Transpose", [given], { perm: [0, 3, 1, 2] });
      return b.op("Transpose", [b.op("Conv", [first, b.weights(4, 3, 1, 1)])], { perm: [0, 2, 3, 1] });
    },
    { inputs: [x("N", 6, 6, 3)] },
  ),
  independent("GridSample", (b, given, grid) => b.op("GridSample", [given, grid]), {
    inputs: [x("N", 2, 4, 4), { name: "grid", type: "FP32", shape: ["N", 3, 3, 2] }],
    opset: 16,
  }),
  independent(
    "quantised pixels with fixed scales",
    (b, given) => {
      const [scale, zero] = [b.floats([0.05], []), b.held("UINT8", [], [128])];
      const y = b.op("QuantizeLinear", [given, scale, zero]);
      return b.op("DequantizeLinear", [y, scale, zero]);
    },
    { inputs: image },
  ),
];

const places: GraphCase[] = [
  independent("features in another order", (b, given) => b.op("Gather", [given, b.ints([3, 1, 2, 0])], { axis: 1 })),
  independent("features in reverse", (b, given) =>
    b.op("Slice", [given, b.ints([-1]), b.ints([-100]), b.ints([1]), b.ints([-1])]),
  ),
  independent("features cut, padded and joined", (b, given) =>
    b.op(
      "Concat",
      [b.op("Slice", [given, b.ints([0]), b.ints([2]), b.ints([1])]), b.op("Pad", [given, b.ints([0, 1, 0, 2])])],
      { axis: -1 },
    ),
  ),
  independent("features split and turned around", (b, given) =>
    b.op("Concat", [...b.ops("Split", [given, b.ints([1, 3])], { axis: 1 }, 2)].reverse(), { axis: 1 }),
  ),
  independent("embedded tokens", (b, given) => b.op("Gather", [b.weights(20, 6), given]), {
    inputs: [ids(19, "N", "T")],
  }),
  independent(
    "picked by each row's own index",
    (b, given, which) => b.op("GatherElements", [given, which], { axis: 1 }),
    { inputs: [x("N", 4), ids(3, "N", 2)] },
  ),
  independent("GatherND within rows", (b, given, which) => b.op("GatherND", [given, which], { batch_dims: 1 }), {
    inputs: [x("N", 4), ids(3, "N", 1)],
  }),
  independent(
    "written within rows",
    (b, given, which) =>
      b.op("ScatterElements", [given, which, b.op("Slice", [given, b.ints([0]), b.ints([2]), b.ints([1])])], {
        axis: 1,
      }),
    { inputs: [x("N", 4), { ...ids(3, "N", 2) }], opset: 11 },
  ),
  independent("one-hot tokens", (b, given) => b.op("OneHot", [given, b.ints([8]), b.floats([0, 1])]), {
    inputs: [ids(7, "N", 3)],
  }),
  independent("triangles of matrices", (b, given) => b.op("Trilu", [given]), { inputs: tokens }),
  independent("repeated features", (b, given) => b.op("Tile", [given, b.ints([1, 3])])),
  independent(
    "heads apart, and together again",
    (b, given) => {
      const heads = b.op("Transpose", [b.op("Reshape", [given, b.ints([0, 0, 2, 4])])], { perm: [0, 2, 1, 3] });
      return b.op("Reshape", [b.op("Transpose", [heads], { perm: [0, 2, 1, 3] }), b.ints([0, 0, 8])]);
    },
    { inputs: tokens },
  ),
  independent(
    "batch and tokens in one axis, and apart",
    (b, given) =>
      b.op("Reshape", [
        b.op("MatMul", [b.op("Reshape", [given, b.ints([-1, 8])]), b.weights(8, 4)]),
        b.ints([-1, 5, 4]),
      ]),
    { inputs: tokens },
  ),
  independent(
    "apart again by the shape",
    (b, given) => {
      const flat = b.op("MatMul", [b.op("Reshape", [given, b.ints([-1, 8])]), b.weights(8, 4)]);
      return b.op("Reshape", [
        flat,
        b.op("Concat", [shapeAt(b, given, 0), shapeAt(b, given, 1), b.ints([4])], { axis: 0 }),
      ]);
    },
    { inputs: [x("N", "T", 8)] },
  ),
  independent(
    "batch times heads, as bmm has it",
    (b, given) => {
      const shape = (...sizes: Name[]): Name => b.op("Concat", sizes, { axis: 0 });
      const both = b.op("Mul", [shapeAt(b, given, 0), b.ints([2])]);
      const split = b.op(
        "Transpose",
        [b.op("Reshape", [given, shape(shapeAt(b, given, 0), shapeAt(b, given, 1), b.ints([2, 4]))])],
        { perm: [0, 2, 1, 3] },
      );
      const flat = b.op("Reshape", [split, shape(both, shapeAt(b, given, 1), b.ints([4]))]);
      const scores = b.op("Softmax", [b.op("MatMul", [flat, b.op("Transpose", [flat], { perm: [0, 2, 1] })])], {
        axis: -1,
      });
      const mixed = b.op("Reshape", [
        b.op("MatMul", [scores, flat]),
        shape(shapeAt(b, given, 0), b.ints([2]), shapeAt(b, given, 1), b.ints([4])),
      ]);
      return b.op("Reshape", [
        b.op("Transpose", [mixed], { perm: [0, 2, 1, 3] }),
        shape(shapeAt(b, given, 0), shapeAt(b, given, 1), b.ints([8])),
      ]);
    },
    { inputs: [x("N", "T", 8)] },
  ),
  independent(
    "a token of its own before each row",
    (b, given) => {
      const shape = b.op("Concat", [shapeAt(b, given, 0), b.ints([1, 8])], { axis: 0 });
      return b.op("Concat", [b.op("Expand", [b.weights(1, 1, 8), shape]), given], { axis: 1 });
    },
    { inputs: tokens },
  ),
  independent(
    "the shape expanded as PyTorch does",
    (b, given) => {
      const wanted = b.op("Concat", [shapeAt(b, given, 0), b.ints([-1, -1])], { axis: 0 });
      const ones = b.op("ConstantOfShape", [b.ints([3])], { value: { tensor: tensor("", "INT64", [1], [1]) } });
      const minus = b.op("Mul", [ones, b.ints([-1])]);
      const shape = b.op("Where", [b.op("Equal", [wanted, minus]), ones, wanted]);
      return b.op("Add", [b.op("Expand", [b.weights(1, 5, 8), shape]), given]);
    },
    { inputs: tokens },
  ),
  independent(
    "sequences turned around",
    (b, given, lengths) => b.op("ReverseSequence", [given, lengths], { time_axis: 1, batch_axis: 0 }),
    { inputs: [x("N", 5, 2), { name: "lengths", type: "INT64", shape: ["N"], sampling: { least: 1, most: 5 } }] },
  ),
  independent(
    "the batch as axis 1",
    (b, given) => b.op("Transpose", [b.op("MatMul", [given, b.weights(4, 3)])], { perm: [1, 0, 2] }),
    { inputs: [x(2, "N", 4)] },
  ),
];

const strings: GraphCase[] = [
  independent(
    "lower case",
    (b, given) => ({
      name: b.op("StringNormalizer", [given], { case_change_action: "LOWER", is_case_sensitive: 1, locale: "C" }),
      type: "BYTES",
    }),
    { inputs: [texts(["Cat", "DOG", "", "a B"], "N")] },
  ),
  independent(
    "counts of words",
    (b, given) => {
      const lower = b.op("StringNormalizer", [given], {
        case_change_action: "LOWER",
        is_case_sensitive: 1,
        locale: "C",
      });
      const words = b.op(
        "Tokenizer",
        [lower],
        { separators: [" "], pad_value: "#", mark: 0, mincharnum: 1 },
        "com.microsoft",
      );
      return b.op("TfIdfVectorizer", [words], {
        mode: "TF",
        min_gram_length: 1,
        max_gram_length: 2,
        max_skip_count: 0,
        ngram_counts: [0, 3],
        ngram_indexes: [0, 1, 2, 3],
        pool_strings: ["a", "b", "c", "a", "b"],
      });
    },
    { inputs: [texts(["a", "A b", "a b c d", "b a", "x"], "N")] },
  ),
  independent(
    "counts of words in a table of one column",
    (b, given) => {
      const words = b.op(
        "Tokenizer",
        [given],
        { separators: [" "], pad_value: "#", mark: 0, mincharnum: 1 },
        "com.microsoft",
      );
      return b.op("TfIdfVectorizer", [b.op("Flatten", [words])], {
        mode: "TFIDF",
        min_gram_length: 1,
        max_gram_length: 1,
        max_skip_count: 0,
        ngram_counts: [0],
        ngram_indexes: [0, 1],
        pool_strings: ["a", "b"],
        weights: { floats: [0.5, 2] },
      });
    },
    { inputs: [texts(["a", "a b", "a b c d", "b a", "x"], "N", 1)] },
  ),
  independent(
    "words to numbers",
    (b, given) => ({
      name: b.op(
        "LabelEncoder",
        [given],
        { keys_strings: ["a", "b"], values_int64s: [1, 2], default_int64: -1 },
        "ai.onnx.ml",
      ),
      type: "INT64",
    }),
    { inputs: [texts(["a", "b", "c"], "N", 2)] },
  ),
  independent("texts of two inputs joined", (b, one) => ({ name: b.op("StringConcat", [one, one]), type: "BYTES" }), {
    inputs: [texts(["a", "bc", ""], "N", 2)],
    opset: 20,
  }),
];

export const INDEPENDENT_LAYERS: readonly GraphCase[] = [
  ...elements,
  ...matrices,
  ...reductions,
  ...images,
  ...places,
  ...strings,
];
