/** Rows that meet in a sum, a maximum or a scale. */

import type { Builder, Name } from "../builder.ts";
import { coupled, type GraphCase, ids, x } from "../case.ts";

const REDUCTIONS = ["Max", "Min", "Mean", "Sum", "Prod", "L1", "L2", "SumSquare", "LogSumExp"];
const image = [x("N", 3, 6, 6)];

const reductions: GraphCase[] = [
  ...REDUCTIONS.map((name) =>
    coupled(`x less Reduce${name} over the batch`, (b, given) =>
      b.op("Sub", [given, b.op(`Reduce${name}`, [given], name === "Sum" ? {} : { axes: [0], keepdims: 1 })]),
    ),
  ),
  coupled("the logarithm of the sum of all", (b, given) =>
    b.op("Add", [given, b.op("ReduceLogSum", [b.op("Abs", [given])], { keepdims: 0 })]),
  ),
  coupled("divided by the maximum where that is above 1", (b, given) =>
    b.op("Div", [given, b.op("Max", [b.op("ReduceMax", [given], { keepdims: 0 }), b.floats([1], [])])]),
  ),
  coupled("a mean over axis -2", (b, given) => b.op("Sub", [given, b.op("ReduceMean", [given], { axes: [-2] })])),
  coupled(
    "a sum whose axes are an input",
    (b, given) => b.op("Sub", [given, b.op("ReduceSum", [given, b.ints([0])])]),
    { opset: 13 },
  ),
  coupled(
    "a maximum whose axes are an input",
    (b, given) => b.op("Sub", [given, b.op("ReduceMax", [given, b.ints([-2])])]),
    { opset: 18 },
  ),
  coupled("a mean with no axes", (b, given) => b.op("Sub", [given, b.op("ReduceMean", [given, b.ints([])])]), {
    opset: 18,
  }),
  coupled("whitened over the batch", (b, given) => {
    const centred = b.op("Sub", [given, b.op("ReduceMean", [given], { axes: [0] })]);
    const spread = b.op("Sqrt", [
      b.op("Add", [b.op("ReduceMean", [b.op("Mul", [centred, centred])], { axes: [0] }), b.floats([1e-5])]),
    ]);
    return b.op("Div", [centred, spread]);
  }),
  coupled("Softmax over axis 0", (b, given) => b.op("Softmax", [given], { axis: 0 })),
  coupled("Softmax over axis -2", (b, given) => b.op("Softmax", [given], { axis: -2 })),
  coupled("LogSoftmax over axis 0", (b, given) => b.op("LogSoftmax", [given], { axis: 0 })),
  coupled("Hardmax over axis 0", (b, given) => b.op("Hardmax", [given], { axis: 0 })),
  coupled("Softmax over all axes from 0, as before version 13", (b, given) => b.op("Softmax", [given], { axis: 0 }), {
    opset: 11,
  }),
  coupled(
    "LogSoftmax over all axes from 0, as before version 13",
    (b, given) => b.op("LogSoftmax", [given], { axis: 0 }),
    { opset: 11 },
  ),
  coupled("a cumulative sum", (b, given) => b.op("CumSum", [given, b.ints([0], [])])),
  coupled("a cumulative sum from the end", (b, given) => b.op("CumSum", [given, b.ints([-2], [])], { reverse: 1 })),
  coupled("an exclusive cumulative sum", (b, given) => b.op("CumSum", [given, b.ints([0], [])], { exclusive: 1 })),
  coupled("sorted over the batch", (b, given) => {
    const count = b.op("Gather", [b.op("Shape", [given]), b.ints([0])]);
    return b.ops("TopK", [given, count], { axis: 0 }, 2)[0] ?? "";
  }),
  coupled("its place among the rows", (b, given) => {
    const best = b.op("ArgMax", [given], { axis: 0, keepdims: 1 });
    return b.op("Add", [given, b.op("Cast", [best], { to: 1 })]);
  }),
  coupled("its place from below", (b, given) => {
    const best = b.op("ArgMin", [given], { axis: 0, keepdims: 0 });
    return b.op("Mul", [given, b.op("Cast", [best], { to: 1 })]);
  }),
  coupled("LpNormalization over the batch", (b, given) => b.op("LpNormalization", [given], { axis: 0, p: 2 })),
  coupled("MeanVarianceNormalization with its own axes", (b, given) => b.op("MeanVarianceNormalization", [given]), {
    inputs: image,
  }),
  coupled("LayerNormalization from axis 0", (b, given) =>
    b.op("LayerNormalization", [given, b.floats([1, 1, 1, 1])], { axis: 0 }),
  ),
  coupled(
    "BatchNormalization in training",
    (b, given) => {
      const weights = (): Name => b.floats([1, 2, 3]);
      const [y = "", mean = "", variance = ""] = b.ops(
        "BatchNormalization",
        [given, weights(), weights(), weights(), weights()],
        { training_mode: 1 },
        3,
      );
      return [y, mean, variance].slice(0, 1);
    },
    { inputs: image, opset: 15 },
  ),
];

const dynamic = (b: Builder, given: Name): readonly [Name, Name, Name] => {
  const [y = "", scale = "", zero = ""] = b.ops("DynamicQuantizeLinear", [given], {}, 3);
  return [y, scale, zero];
};
const bytes = (b: Builder, ...dims: readonly number[]): Name =>
  b.held(
    "UINT8",
    dims,
    Array.from({ length: dims.reduce((all, one) => all * one, 1) }, () => Math.floor(b.random() * 255)),
  );

const integerProduct = (b: Builder, given: Name, width: number, out: number): Name => {
  const [y, scale, zero] = dynamic(b, given);
  const sums = b.op("MatMulInteger", [y, bytes(b, width, out), zero, b.held("UINT8", [], [128])]);
  return b.op("Mul", [b.op("Cast", [sums], { to: 1 }), b.op("Mul", [scale, b.floats([0.02], [])])]);
};

const quantised: GraphCase[] = [
  coupled("dynamic quantisation there and back", (b, given) => b.op("DequantizeLinear", dynamic(b, given))),
  coupled("a dynamically quantised layer", (b, given) => integerProduct(b, given, 4, 3)),
  coupled(
    "a label of a dynamically quantised layer",
    (b, given) => ({
      name: b.op("ArgMax", [integerProduct(b, given, 64, 4)], { axis: 1, keepdims: 0 }),
      type: "INT64",
    }),
    { inputs: [x("N", 64)] },
  ),
  coupled(
    "embeddings, a dynamically quantised layer, a mean over tokens",
    (b, tokens) => {
      const table = b.floats(
        Array.from({ length: 1600 }, (_, i) => (2 * b.random() - 1) * (0.2 + (6 * Math.floor(i / 16)) / 100)),
        [100, 16],
      );
      return b.op("ReduceMean", [integerProduct(b, b.op("Gather", [table, tokens]), 16, 8)], {
        axes: [1],
        keepdims: 0,
      });
    },
    { inputs: [ids(99, "N", 3)] },
  ),
  coupled("DynamicQuantizeMatMul", (b, given) =>
    b.op(
      "DynamicQuantizeMatMul",
      [given, bytes(b, 4, 3), b.floats([0.02], []), b.held("UINT8", [], [128])],
      {},
      "com.microsoft",
    ),
  ),
  coupled("MatMulIntegerToFloat with the scale of the run", (b, given) => {
    const [y, scale, zero] = dynamic(b, given);
    return b.op(
      "MatMulIntegerToFloat",
      [y, bytes(b, 4, 3), scale, b.floats([0.02], []), zero, b.held("UINT8", [], [128])],
      {},
      "com.microsoft",
    );
  }),
  coupled("quantised by the greatest magnitude", (b, given) => {
    const most = b.op("ReduceMax", [b.op("Abs", [given])], { keepdims: 0 });
    const scale = b.op("Add", [b.op("Div", [most, b.floats([127], [])]), b.floats([1e-6], [])]);
    const zero = b.held("INT8", [], [0]);
    return b.op("DequantizeLinear", [b.op("QuantizeLinear", [given, scale, zero]), scale, zero]);
  }),
  coupled(
    "a dynamically quantised convolution",
    (b, given) => {
      const [y, scale, zero] = dynamic(b, given);
      const sums = b.op("ConvInteger", [y, bytes(b, 2, 3, 3, 3), zero, b.held("UINT8", [], [128])]);
      return b.op("Mul", [b.op("Cast", [sums], { to: 1 }), scale]);
    },
    { inputs: image },
  ),
];

const products: GraphCase[] = [
  coupled("attention among rows", (b, given) => {
    const scores = b.op("MatMul", [given, b.op("Transpose", [given])]);
    return b.op("MatMul", [b.op("Softmax", [scores], { axis: -1 }), given]);
  }),
  coupled("the products of all rows", (b, given) => b.op("Gemm", [given, given], { transB: 1 })),
  coupled("a sum over rows by Gemm", (b, given) =>
    b.op("MatMul", [given, b.op("Gemm", [given, given], { transA: 1 })]),
  ),
  coupled("a sum over rows by FusedMatMul", (b, given) =>
    b.op("MatMul", [given, b.op("FusedMatMul", [given, given], { transA: 1 }, "com.microsoft")]),
  ),
  coupled("a sum over rows by ones", (b, given) => {
    const count = b.op("Gather", [b.op("Shape", [given]), b.ints([0])]);
    const ones = b.op("ConstantOfShape", [b.op("Concat", [b.ints([1]), count], { axis: 0 })], {
      value: { tensor: { name: "", dims: [1], dataType: 1, floatData: [1] } },
    });
    return b.op("Add", [given, b.op("MatMul", [ones, given])]);
  }),
  coupled("the products of all rows by Einsum", (b, given) =>
    b.op("Einsum", [given, given], { equation: "nd,md->nm" }),
  ),
  coupled("a sum over rows by Einsum without a result", (b, given) =>
    b.op("Einsum", [given, given], { equation: "ba,bc" }),
  ),
  coupled("the products of all rows by Einsum without a result", (b, given) =>
    b.op("Einsum", [given, given], { equation: "aj,bj" }),
  ),
  coupled(
    "rows against tokens by Einsum",
    (b, given) =>
      b.op("Einsum", [given, b.op("Transpose", [given], { perm: [1, 0, 2] })], { equation: "...j,...j->...j" }),
    { inputs: [x("N", 1, 4)] },
  ),
  coupled("a sum over rows by Einsum", (b, given) =>
    b.op("Add", [given, b.op("Einsum", [given], { equation: "nd->d" })]),
  ),
  coupled("a weighted sum over rows by Einsum", (b, given) =>
    b.op("Add", [given, b.op("Einsum", [given, given], { equation: "nd,nd->d" })]),
  ),
  coupled("distances between rows", (b, given) =>
    b.op("CDist", [given, given], { metric: "euclidean" }, "com.microsoft"),
  ),
  coupled("the least distance to a row", (b, given) => {
    const all = b.op("Sub", [b.op("Unsqueeze", [given, b.ints([0])]), b.op("Unsqueeze", [given, b.ints([1])])]);
    return b.op("ReduceSum", [b.op("ReduceSumSquare", [all], { axes: [2], keepdims: 0 }), b.ints([1])], {
      keepdims: 0,
    });
  }),
  coupled("each meets all by broadcasting", (b, given) => {
    const column = b.op("Gather", [given, b.ints([0])], { axis: 1 });
    return b.op("ReduceMax", [b.op("Add", [column, b.op("Transpose", [column])])], { axes: [1], keepdims: 0 });
  }),
  coupled("which rows are the same", (b, given) => {
    const column = b.op("Sign", [b.op("Gather", [given, b.ints([0])], { axis: 1 })]);
    const same = b.op("Cast", [b.op("Equal", [column, b.op("Transpose", [column])])], { to: 1 });
    return b.op("ReduceMean", [same], { axes: [1], keepdims: 0 });
  }),
];

export const COUPLED_REDUCTIONS: readonly GraphCase[] = [...reductions, ...quantised, ...products];
