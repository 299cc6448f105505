/** Whole models, small: what exporters write. */
import { type Builder, body, type Name, tensor } from "../builder.ts";
import { type GraphCase, type Input, ids, independent, x } from "../case.ts";
import { TREE, TREE_CLASSES } from "../trees.ts";
import { localFunction } from "./coupled-flow.ts";

const shapeAt = (b: Builder, given: Name, axis: number, scalar = false): Name =>
  b.op("Gather", [b.op("Shape", [given]), b.ints([axis], scalar ? [] : [1])]);
const joined = (b: Builder, ...sizes: Name[]): Name => b.op("Concat", sizes, { axis: 0 });
const dense = (b: Builder, given: Name, from: number, to: number): Name =>
  b.op("Add", [b.op("MatMul", [given, b.weights(from, to)]), b.weights(to)]);
const mask: Input = { name: "mask", type: "INT64", shape: ["N", "T"], sampling: { least: 1, most: 1 } };
const yes = (b: Builder): Name => b.held("BOOL", [], [1]);

/** Query, key and value as PyTorch's BERT has them: sizes from Shape, heads by Reshape and Transpose. */
const attend = (b: Builder, given: Name, bias: Name | undefined): Name => {
  const heads = (from: Name): Name => {
    const shape = joined(
      b,
      b.op("Unsqueeze", [shapeAt(b, from, 0, true), b.ints([0])]),
      b.op("Unsqueeze", [shapeAt(b, from, 1, true), b.ints([0])]),
      b.ints([2]),
      b.ints([4]),
    );
    return b.op("Transpose", [b.op("Reshape", [dense(b, from, 8, 8), shape])], { perm: [0, 2, 1, 3] });
  };
  const scores = b.op("Div", [
    b.op("MatMul", [heads(given), b.op("Transpose", [heads(given)], { perm: [0, 1, 3, 2] })]),
    b.floats([2], []),
  ]);
  const weights = b.op("Softmax", [bias === undefined ? scores : b.op("Add", [scores, bias])], { axis: -1 });
  const mixed = b.op("Transpose", [b.op("MatMul", [weights, heads(given)])], { perm: [0, 2, 1, 3] });
  return b.op("Reshape", [mixed, joined(b, shapeAt(b, mixed, 0), shapeAt(b, mixed, 1), b.ints([8]))]);
};

const bert = (b: Builder, tokens: Name, given: Name): Name => {
  const wide = b.op("Unsqueeze", [given, b.ints([1, 2])]);
  const bias = b.op("Mul", [b.op("Sub", [b.floats([1], []), b.op("Cast", [wide], { to: 1 })]), b.floats([-10000], [])]);
  const positions = b.op("Slice", [
    b.ints(
      Array.from({ length: 16 }, (_, i) => i),
      [1, 16],
    ),
    b.ints([0]),
    shapeAt(b, tokens, 1),
    b.ints([1]),
  ]);
  const kinds = b.op("Expand", [b.ints([0], [1, 1]), b.op("Shape", [tokens])]);
  const sum = b.op("Add", [
    b.op("Add", [b.op("Gather", [b.weights(20, 8), tokens]), b.op("Gather", [b.weights(2, 8), kinds])]),
    b.op("Gather", [b.weights(16, 8), positions]),
  ]);
  const hidden = b.op("LayerNormalization", [sum, b.weights(8), b.weights(8)]);
  return b.op("LayerNormalization", [b.op("Add", [hidden, attend(b, hidden, bias)]), b.weights(8), b.weights(8)]);
};

const transformers: GraphCase[] = [
  independent("BERT", bert, { inputs: [ids(19, "N", "T"), mask] }),
  independent(
    "a sentence embedding: the mean over what the mask shows",
    (b, tokens, given) => {
      const hidden = bert(b, tokens, given);
      const shown = b.op(
        "Cast",
        [b.op("Expand", [b.op("Unsqueeze", [given, b.ints([-1])]), b.op("Shape", [hidden])])],
        { to: 1 },
      );
      const sum = b.op("ReduceSum", [b.op("Mul", [hidden, shown]), b.ints([1])], { keepdims: 0 });
      const mean = b.op("Div", [
        sum,
        b.op("Clip", [b.op("ReduceSum", [shown, b.ints([1])], { keepdims: 0 }), b.floats([1e-9], [])]),
      ]);
      const norm = b.op("Clip", [b.op("ReduceL2", [mean], { axes: [1] }), b.floats([1e-12], [])]);
      return b.op("Div", [mean, b.op("Expand", [norm, b.op("Shape", [mean])])]);
    },
    { inputs: [ids(19, "N", "T"), mask] },
  ),
  independent(
    "the first token classified",
    (b, tokens, given) =>
      dense(b, b.op("Tanh", [b.op("Gather", [bert(b, tokens, given), b.ints([0], [])], { axis: 1 })]), 8, 2),
    { inputs: [ids(19, "N", "T"), mask] },
  ),
  independent(
    "a causal mask from the lengths",
    (b, given) => {
      const length = shapeAt(b, given, 1);
      const ones = b.op("ConstantOfShape", [joined(b, length, length)], {
        value: { tensor: tensor("", "FP32", [1], [-10000]) },
      });
      return attend(b, given, b.op("Unsqueeze", [b.op("Trilu", [ones, b.ints([1], [])]), b.ints([0, 1])]));
    },
    { inputs: [x("N", "T", 8)] },
  ),
  independent(
    "a causal mask by comparing places",
    (b, given) => {
      const places = b.op("Range", [b.ints([0], []), shapeAt(b, given, 1, true), b.ints([1], [])]);
      const later = b.op("Less", [b.op("Unsqueeze", [places, b.ints([1])]), b.op("Unsqueeze", [places, b.ints([0])])]);
      return attend(b, given, b.op("Where", [later, b.floats([-10000], []), b.floats([0], [])]));
    },
    { inputs: [x("N", "T", 8)] },
  ),
  independent(
    "time before batch, as nn.Transformer has it",
    (b, given) => {
      const first = b.op("Transpose", [given], { perm: [1, 0, 2] });
      const both = b.op("Mul", [shapeAt(b, first, 1), b.ints([2])]);
      const split = (from: Name): Name =>
        b.op(
          "Transpose",
          [b.op("Reshape", [dense(b, from, 8, 8), joined(b, shapeAt(b, first, 0), both, b.ints([4]))])],
          { perm: [1, 0, 2] },
        );
      const scores = b.op(
        "Softmax",
        [b.op("MatMul", [split(first), b.op("Transpose", [split(first)], { perm: [0, 2, 1] })])],
        { axis: -1 },
      );
      const mixed = b.op("Transpose", [b.op("MatMul", [scores, split(first)])], { perm: [1, 0, 2] });
      const back = b.op("Reshape", [mixed, joined(b, shapeAt(b, first, 0), shapeAt(b, first, 1), b.ints([8]))]);
      return b.op("Transpose", [dense(b, back, 8, 8)], { perm: [1, 0, 2] });
    },
    { inputs: [x("N", "T", 8)] },
  ),
  independent(
    "MultiHeadAttention",
    (b, given) => b.op("MultiHeadAttention", [given, given, given], { num_heads: 2 }, "com.microsoft"),
    { inputs: [x("N", 5, 8)] },
  ),
  independent(
    "Attention of the contributed operators",
    (b, given, given2) =>
      b.op(
        "Attention",
        [given, b.weights(8, 24), b.weights(24), b.op("Cast", [given2], { to: 6 })],
        { num_heads: 2 },
        "com.microsoft",
      ),
    { inputs: [x("N", "T", 8), mask] },
  ),
  independent(
    "RotaryEmbedding",
    (b, given) =>
      b.op("RotaryEmbedding", [given, b.ints([0]), b.weights(16, 2), b.weights(16, 2)], {}, "com.microsoft"),
    { inputs: [x("N", 2, 5, 4)] },
  ),
  independent(
    "a vision transformer",
    (b, given) => {
      const patches = b.op("Conv", [given, b.weights(8, 3, 4, 4)], { strides: [4, 4] });
      const flat = b.op("Transpose", [b.op("Reshape", [patches, b.ints([0, 8, -1])])], { perm: [0, 2, 1] });
      const classToken = b.op("Expand", [b.weights(1, 1, 8), joined(b, shapeAt(b, given, 0), b.ints([1, 8]))]);
      const all = b.op("Add", [b.op("Concat", [classToken, flat], { axis: 1 }), b.weights(1, 5, 8)]);
      return dense(b, b.op("Gather", [attend(b, all, undefined), b.ints([0], [])], { axis: 1 }), 8, 3);
    },
    { inputs: [x("N", 3, 8, 8)] },
  ),
];

const block = (b: Builder, given: Name, channels: number): Name => {
  const norm = (from: Name): Name =>
    b.op("BatchNormalization", [
      from,
      ...[0, 1, 2, 3].map(() => b.floats(Array.from({ length: channels }, () => 0.5 + b.random()))),
    ]);
  const conv = (from: Name): Name =>
    norm(b.op("Conv", [from, b.weights(channels, channels, 3, 3)], { pads: [1, 1, 1, 1] }));
  return b.op("Relu", [b.op("Add", [conv(b.op("Relu", [conv(given)])), given])]);
};
const vision: GraphCase[] = [
  independent(
    "ResNet",
    (b, given) => {
      const stem = b.op(
        "MaxPool",
        [b.op("Relu", [b.op("Conv", [given, b.weights(4, 3, 3, 3)], { pads: [1, 1, 1, 1], strides: [2, 2] })])],
        { kernel_shape: [3, 3], pads: [1, 1, 1, 1], strides: [2, 2] },
      );
      return b.op(
        "Gemm",
        [b.op("Flatten", [b.op("GlobalAveragePool", [block(b, block(b, stem, 4), 4)])]), b.weights(5, 4), b.weights(5)],
        { transB: 1 },
      );
    },
    { inputs: [x("N", 3, 16, 16)] },
  ),
  independent(
    "LeNet, whose view has numbers",
    (b, given) => {
      const features = b.op("MaxPool", [b.op("Relu", [b.op("Conv", [given, b.weights(4, 1, 5, 5)])])], {
        kernel_shape: [2, 2],
        strides: [2, 2],
      });
      return dense(b, b.op("Reshape", [features, b.ints([-1, 144])]), 144, 3);
    },
    { inputs: [x("N", 1, 16, 16)] },
  ),
  independent(
    "a graph of tf2onnx: channels last outside, first inside",
    (b, given) => {
      const first = b.op("Transpose", [given], { perm: [0, 3, 1, 2] });
      const conv = b.op(
        "Transpose",
        [b.op("Relu", [b.op("Conv", [first, b.weights(4, 3, 3, 3)], { auto_pad: "SAME_UPPER" })])],
        { perm: [0, 2, 3, 1] },
      );
      const pooled = b.op("ReduceMean", [conv], { axes: [1, 2], keepdims: 0 });
      return b.op("Softmax", [dense(b, pooled, 4, 3)], { axis: -1 });
    },
    { inputs: [x("N", 8, 8, 3)] },
  ),
  independent(
    "squeeze and excitation",
    (b, given) => {
      const whole = b.op("Flatten", [b.op("GlobalAveragePool", [given])]);
      const gates = b.op("Sigmoid", [dense(b, whole, 3, 3)]);
      return b.op("Mul", [given, b.op("Unsqueeze", [gates, b.ints([2, 3])])]);
    },
    { inputs: [x("N", 3, 4, 4)] },
  ),
  independent(
    "a U-Net",
    (b, given) => {
      const down = b.op("MaxPool", [b.op("Conv", [given, b.weights(4, 3, 3, 3)], { pads: [1, 1, 1, 1] })], {
        kernel_shape: [2, 2],
        strides: [2, 2],
      });
      const up = b.op("Resize", [down, "", b.floats([1, 1, 2, 2])], { mode: "nearest" });
      return b.op("Conv", [b.op("Concat", [up, given], { axis: 1 }), b.weights(1, 7, 1, 1)]);
    },
    { inputs: [x("N", 3, "H", "W")].map((input) => ({ ...input, shape: ["N", 3, 4, 4] })) },
  ),
  independent(
    "channels shuffled",
    (b, given) => {
      const split = b.op("Reshape", [given, joined(b, shapeAt(b, given, 0), b.ints([2, 2, 4, 4]))]);
      return b.op("Reshape", [
        b.op("Transpose", [split], { perm: [0, 2, 1, 3, 4] }),
        joined(b, shapeAt(b, given, 0), b.ints([-1, 4, 4])),
      ]);
    },
    { inputs: [x("N", 4, 4, 4)] },
  ),
  independent(
    "pixels shuffled by reshapes",
    (b, given) => {
      const split = b.op("Reshape", [given, b.ints([-1, 2, 2, 2, 3, 3])]);
      return b.op("Reshape", [b.op("Transpose", [split], { perm: [0, 1, 4, 2, 5, 3] }), b.ints([-1, 2, 6, 6])]);
    },
    { inputs: [x("N", 8, 3, 3)] },
  ),
  independent("a statically quantised layer", (b, given) => {
    const [scale, zero] = [b.floats([0.05], []), b.held("UINT8", [], [128])];
    const weights = b.held(
      "INT8",
      [4, 3],
      Array.from({ length: 12 }, () => Math.floor(b.random() * 200) - 100),
    );
    const y = b.op("QLinearMatMul", [
      b.op("QuantizeLinear", [given, scale, zero]),
      scale,
      zero,
      weights,
      b.floats([0.01], []),
      b.held("INT8", [], [0]),
      scale,
      zero,
    ]);
    return b.op("DequantizeLinear", [y, scale, zero]);
  }),
  independent("weights that are quantised, for each channel", (b, given) => {
    const weights = b.held(
      "INT8",
      [4, 3],
      Array.from({ length: 12 }, () => Math.floor(b.random() * 200) - 100),
    );
    return b.op("MatMul", [
      given,
      b.op("DequantizeLinear", [weights, b.floats([0.01, 0.02, 0.03]), b.held("INT8", [3], [0, 0, 0])], { axis: 1 }),
    ]);
  }),
];

const recurrent = (operator: string, gates: number, direction: string): GraphCase =>
  independent(
    `${operator}, ${direction}, batch as axis 1`,
    (b, given) => {
      const directions = direction === "bidirectional" ? 2 : 1;
      const [y = "", last = ""] = b.ops(
        operator,
        [given, b.weights(directions, gates * 3, 4), b.weights(directions, gates * 3, 3)],
        { hidden_size: 3, direction },
        2,
      );
      return [y, last];
    },
    { inputs: [x("T", "N", 4)] },
  );

const sequences: GraphCase[] = [
  recurrent("LSTM", 4, "forward"),
  recurrent("GRU", 3, "bidirectional"),
  recurrent("RNN", 1, "reverse"),
  independent(
    "an LSTM behind a Transpose, with a state of zeros",
    (b, given) => {
      const first = b.op("Transpose", [given], { perm: [1, 0, 2] });
      const state = b.op("ConstantOfShape", [joined(b, b.ints([1]), shapeAt(b, given, 0), b.ints([3]))]);
      const [y = ""] = b.ops(
        "LSTM",
        [first, b.weights(1, 12, 4), b.weights(1, 12, 3), "", "", state, state],
        { hidden_size: 3 },
        1,
      );
      return b.op("Transpose", [b.op("Squeeze", [y, b.ints([1])])], { perm: [1, 0, 2] });
    },
    { inputs: [x("N", "T", 4)] },
  ),
  independent(
    "a state that comes and goes",
    (b, given, state) => {
      const [, h = "", c = ""] = b.ops(
        "LSTM",
        [
          b.op("Unsqueeze", [given, b.ints([0])]),
          b.weights(1, 12, 4),
          b.weights(1, 12, 3),
          "",
          "",
          b.op("Gather", [state, b.ints([0])]),
          b.op("Gather", [state, b.ints([1])]),
        ],
        { hidden_size: 3 },
        3,
      );
      return [b.op("Squeeze", [h, b.ints([0])]), b.op("Concat", [h, c], { axis: 0 })];
    },
    { inputs: [x("N", 4), { name: "state", type: "FP32", shape: [2, "N", 3] }] },
  ),
  independent(
    "sequences with lengths",
    (b, given, lengths) =>
      b.ops(
        "LSTM",
        [given, b.weights(1, 12, 4), b.weights(1, 12, 3), "", b.op("Cast", [lengths], { to: 6 })],
        { hidden_size: 3 },
        1,
      )[0] ?? "",
    {
      inputs: [x(5, "N", 4), { name: "lengths", type: "INT64", shape: ["N"], sampling: { least: 1, most: 5 } }],
    },
  ),
  independent(
    "Scan over tokens",
    (b, given) => {
      const state = b.op("ConstantOfShape", [joined(b, shapeAt(b, given, 0), b.ints([4]))]);
      const [, sums = ""] = b.ops(
        "Scan",
        [state, given],
        {
          num_scan_inputs: 1,
          scan_input_axes: [1],
          scan_output_axes: [1],
          body: body(
            b,
            [
              { name: "sum", type: "FP32" },
              { name: "token", type: "FP32" },
            ],
            (inner) => {
              const next = inner.op("Tanh", [inner.op("Add", ["sum", "token"])]);
              return [
                { name: next, type: "FP32" },
                { name: inner.op("Identity", [next]), type: "FP32" },
              ];
            },
          ),
        },
        2,
      );
      return sums;
    },
    { inputs: [x("N", "T", 4)] },
  ),
  independent("a Loop of a fixed number of rounds", (b, given) => {
    const [result = ""] = b.ops(
      "Loop",
      [b.ints([3], []), yes(b), given],
      {
        body: body(
          b,
          [
            { name: "i", type: "INT64", shape: [] },
            { name: "go", type: "BOOL", shape: [] },
            { name: "carried", type: "FP32" },
          ],
          (inner) => [
            { name: inner.op("Identity", ["go"]), type: "BOOL", shape: [] },
            { name: inner.op("Tanh", [inner.op("MatMul", ["carried", inner.weights(4, 4)])]), type: "FP32" },
          ],
        ),
      },
      1,
    );
    return result;
  }),
  independent(
    "a Loop over tokens that keeps what it sees",
    (b, given) => {
      const [, seen = ""] = b.ops(
        "Loop",
        [shapeAt(b, given, 1, true), yes(b), b.op("Gather", [given, b.ints([0], [])], { axis: 1 })],
        {
          body: body(
            b,
            [
              { name: "i", type: "INT64", shape: [] },
              { name: "go", type: "BOOL", shape: [] },
              { name: "carried", type: "FP32" },
            ],
            (inner) => {
              const next = inner.op("Max", ["carried", inner.op("Gather", [given, "i"], { axis: 1 })]);
              return [
                { name: inner.op("Identity", ["go"]), type: "BOOL", shape: [] },
                { name: next, type: "FP32" },
                { name: inner.op("Identity", [next]), type: "FP32" },
              ];
            },
          ),
        },
        2,
      );
      return b.op("Transpose", [seen], { perm: [1, 0, 2] });
    },
    { inputs: [x("N", "T", 4)] },
  ),
  independent(
    "another way for long texts",
    (b, given) =>
      b.op("If", [b.op("Greater", [shapeAt(b, given, 1, true), b.ints([2], [])])], {
        then_branch: body(b, [], (inner) => [{ name: inner.op("Relu", [given]), type: "FP32" }]),
        else_branch: body(b, [], (inner) => [{ name: inner.op("Neg", [given]), type: "FP32" }]),
      }),
    { inputs: [x("N", "T", 4)] },
  ),
  independent(
    "the last token, by its place",
    (b, given, lengths) => {
      const places = b.op("Expand", [
        b.op("Unsqueeze", [b.op("Sub", [lengths, b.ints([1])]), b.ints([1, 2])]),
        joined(b, shapeAt(b, given, 0), b.ints([1, 4])),
      ]);
      return b.op("Squeeze", [b.op("GatherElements", [given, places], { axis: 1 }), b.ints([1])]);
    },
    { inputs: [x("N", 5, 4), { name: "lengths", type: "INT64", shape: ["N"], sampling: { least: 1, most: 5 } }] },
  ),
];

const ml = "ai.onnx.ml";
const classified = (b: Builder, operator: string, given: Name, attributes: Parameters<Builder["op"]>[2]) => {
  const [label = "", scores = ""] = b.ops(operator, [given], attributes ?? {}, 2, ml);
  return [{ name: label, type: "INT64" as const }, scores];
};

const classical: GraphCase[] = [
  independent("a tree", (b, given) => b.op("TreeEnsembleRegressor", [given], TREE, ml)),
  independent("a tree of classes", (b, given) => classified(b, "TreeEnsembleClassifier", given, TREE_CLASSES)),
  independent("a linear classifier", (b, given) =>
    classified(b, "LinearClassifier", given, {
      classlabels_ints: [0, 1, 2],
      coefficients: { floats: Array.from({ length: 12 }, () => b.random() - 0.5) },
      intercepts: { floats: [0.1, 0, -0.1] },
      post_transform: "SOFTMAX",
    }),
  ),
  independent("a linear regression", (b, given) =>
    b.op(
      "LinearRegressor",
      [given],
      {
        targets: 2,
        coefficients: { floats: Array.from({ length: 8 }, () => b.random() - 0.5) },
        intercepts: { floats: [1, 2] },
      },
      ml,
    ),
  ),
  independent("a scaler, an imputer and a normaliser", (b, given) => {
    const scaled = b.op(
      "Scaler",
      [b.op("Imputer", [given], { imputed_value_floats: { floats: [0] }, replaced_value_float: { float: 1 } }, ml)],
      { offset: { floats: [1, 2, 3, 4] }, scale: { floats: [1, 0.5, 2, 1] } },
      ml,
    );
    return b.op("Normalizer", [scaled], { norm: "L2" }, ml);
  }),
  independent("a support vector machine", (b, given) =>
    b.op(
      "SVMRegressor",
      [given],
      {
        kernel_type: "RBF",
        kernel_params: { floats: [0.01, 0, 3] },
        n_supports: 2,
        coefficients: { floats: [1, -2] },
        support_vectors: { floats: Array.from({ length: 8 }, () => b.random()) },
        rho: { floats: [0.5] },
      },
      ml,
    ),
  ),
  independent(
    "columns of a table, one-hot and joined",
    (b, numbersIn, words) => {
      const hot = b.op("Reshape", [
        b.op("OneHotEncoder", [words], { cats_int64s: [0, 1, 2], zeros: 1 }, ml),
        b.ints([-1, 3]),
      ]);
      return b.op("FeatureVectorizer", [numbersIn, hot], { inputdimensions: [2, 3] }, ml);
    },
    { inputs: [x("N", 2), ids(2, "N", 1)] },
  ),
  independent("labels looked up", (b, given) => {
    const best = b.op("ArgMax", [given], { axis: 1, keepdims: 0 });
    const found = b.op("ArrayFeatureExtractor", [b.ints([10, 20, 30, 40]), best], {}, ml);
    return { name: b.op("Reshape", [found, b.ints([-1])]), type: "INT64" };
  }),
  independent("the nearest neighbours' labels", (b, given) => {
    const distances = b.op("CDist", [given, b.weights(6, 4)], { metric: "euclidean" }, "com.microsoft");
    const [, places = ""] = b.ops("TopK", [distances, b.ints([3])], { axis: 1, largest: 0 }, 2);
    const flat = b.op("Reshape", [places, b.ints([-1])]);
    const found = b.op("ArrayFeatureExtractor", [b.ints([0, 1, 2, 0, 1, 2]), flat], {}, ml);
    const table = b.op("Cast", [b.op("Reshape", [found, b.ints([-1, 3])])], { to: 1 });
    return b.op("ReduceMean", [table], { axes: [1], keepdims: 0 });
  }),
  independent("the nearest neighbours, as scikit-learn's converter has them", (b, given) => {
    const table = b.weights(6, 4);
    const wide = b.op("Sub", [b.op("Unsqueeze", [given, b.ints([1])]), b.op("Unsqueeze", [table, b.ints([0])])]);
    const distances = b.op("Sqrt", [b.op("ReduceSumSquare", [wide], { axes: [2], keepdims: 0 })]);
    const [near = "", places = ""] = b.ops("TopK", [b.op("Neg", [distances]), b.ints([2])], { axis: -1 }, 2);
    const labels = b.op("Gather", [b.floats([0, 1, 0, 1, 1, 0]), places]);
    return [b.op("ReduceMean", [labels], { axes: [1], keepdims: 0 }), near];
  }),
  independent("the nearest neighbours by Scan over what was learnt", (b, given) => {
    const [, distances = ""] = b.ops(
      "Scan",
      [given, b.weights(6, 4)],
      {
        num_scan_inputs: 1,
        body: body(
          b,
          [
            { name: "next_in", type: "FP32" },
            { name: "next", type: "FP32" },
          ],
          (inner) => {
            const norm = inner.op("ReduceSumSquare", [inner.op("Sub", ["next_in", "next"])], {
              axes: [1],
              keepdims: 0,
            });
            return [
              { name: inner.op("Identity", ["next_in"]), type: "FP32" },
              { name: inner.op("Reshape", [norm, inner.ints([-1])]), type: "FP32" },
            ];
          },
        ),
      },
      2,
    );
    const [near = ""] = b.ops(
      "TopK",
      [b.op("Transpose", [distances], { perm: [1, 0] }), b.ints([2])],
      { axis: 1, largest: 0 },
      2,
    );
    return near;
  }),
  independent("trees that vote", (b, given) => {
    const one = b.op("TreeEnsembleRegressor", [given], TREE, ml);
    const other = b.op("TreeEnsembleRegressor", [b.op("Neg", [given])], TREE, ml);
    return b.op("ReduceMean", [b.op("Concat", [one, other], { axis: 1 })], { axes: [1] });
  }),
  independent("principal components and clusters", (b, given) => {
    const reduced = b.op("MatMul", [b.op("Sub", [given, b.weights(4)]), b.weights(4, 2)]);
    const squares = b.op("ReduceSumSquare", [reduced], { axes: [1], keepdims: 1 });
    const scores = b.op("Add", [
      squares,
      b.op("Gemm", [reduced, b.weights(3, 2), b.weights(3)], { transB: 1, alpha: { float: -2 } }),
    ]);
    return { name: b.op("ArgMin", [scores], { axis: 1, keepdims: 0 }), type: "INT64" };
  }),
];

const functions: GraphCase[] = [
  independent("a function of the model", (b, given) => b.op("Half", [given], {}, "local"), {
    functions: [localFunction("Half", (inner, given) => inner.op("Mul", [given, inner.floats([0.5])]))],
  }),
  independent("a function that normalises features", (b, given) => b.op("Features", [given], {}, "local"), {
    functions: [localFunction("Features", (inner, given) => inner.op("Softmax", [given], { axis: 1 }))],
  }),
  independent(
    "a format of before version 4, weights among the inputs",
    (b, given) => {
      const weights = b.weights(4, 3);
      b.input(weights, "FP32", [4, 3]);
      return b.op("MatMul", [given, weights]);
    },
    { irVersion: 3, opset: 8 },
  ),
];

/** What the graph alone does not show, though it is so: they run apart, or another export helps. */
const unproved: GraphCase[] = [
  independent("a sequence of parts", (b, given) => {
    const parts = b.op("SplitToSequence", [given, b.ints([1], [])], { axis: 1, keepdims: 1 });
    return b.op("ConcatFromSequence", [parts], { axis: 1 });
  }),
  independent("written to the first feature by ScatterND", (b, given) => {
    const turned = b.op("Transpose", [given]);
    return b.op("Transpose", [b.op("ScatterND", [turned, b.ints([0], [1, 1]), b.op("Gather", [turned, b.ints([1])])])]);
  }),
];

export const INDEPENDENT_MODELS: readonly GraphCase[] = [
  ...transformers,
  ...vision,
  ...sequences,
  ...classical,
  ...functions,
  ...unproved,
];
