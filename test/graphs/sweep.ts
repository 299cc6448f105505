/** Each operator over a tensor of three axes, with the batch along each of them and every axis that it can be told. */
import { type Attributes, type Builder, body, createBuilder, encode, type Name } from "./builder.ts";
import { type GraphCase, x } from "./case.ts";

/** Sizes; the batch is 0. */
type Dims = readonly number[];
type Fill = (b: Builder, given: Name, dims: Dims) => Name | readonly Name[];
type Spec = { name: string; opset: number; fill: Fill };

const AXES = [-3, -2, -1, 0, 1, 2];
const OPSETS = { old: 11, usual: 17, axesAsInputs: 18 };

const one = (dims: Dims, axis: number): number => dims.at(axis) || 1;
const spec = (name: string, fill: Fill, opset: number = OPSETS.usual): Spec => ({ name, opset, fill });
const simple = (operator: string, attributes: Attributes = {}, opset: number = OPSETS.usual): Spec =>
  spec(`${operator} ${JSON.stringify(attributes)} ${opset}`, (b, given) => b.op(operator, [given], attributes), opset);
const asFloat = (b: Builder, given: Name): Name => b.op("Cast", [given], { to: 1 });
/** Whole numbers below `most` that depend on the values. */
const places = (b: Builder, given: Name, most: number): Name =>
  b.op("Mod", [b.op("Cast", [b.op("Abs", [given])], { to: 7 }), b.ints([most], [])]);

const alongAxes: Spec[] = AXES.flatMap((axis) => [
  ...["Softmax", "LogSoftmax", "Hardmax"].flatMap((name) => [
    simple(name, { axis }),
    simple(name, { axis }, OPSETS.old),
  ]),
  ...[0, 1].flatMap((keepdims) => [
    ...["ReduceSumSquare", "ReduceMax", "ReduceMean", "ReduceLogSumExp", "ReduceL1"].map((name) =>
      simple(name, { axes: [axis], keepdims }),
    ),
    spec(`ArgMax ${axis} ${keepdims}`, (b, given) => asFloat(b, b.op("ArgMax", [given], { axis, keepdims }))),
    spec(`ReduceSum ${axis} ${keepdims}`, (b, given) => b.op("ReduceSum", [given, b.ints([axis])], { keepdims })),
    spec(
      `ReduceMin ${axis} ${keepdims}`,
      (b, given) => b.op("ReduceMin", [given, b.ints([axis])], { keepdims }),
      OPSETS.axesAsInputs,
    ),
    spec(`CumSum ${axis} ${keepdims}`, (b, given) =>
      b.op("CumSum", [given, b.ints([axis], [])], { reverse: keepdims, exclusive: keepdims }),
    ),
  ]),
  simple("LpNormalization", { axis, p: 1 }),
  simple("Flatten", { axis }),
  spec(`MeanVarianceNormalization ${axis}`, (b, given) =>
    b.op("MeanVarianceNormalization", [b.op("Unsqueeze", [given, b.ints([3])])], {
      axes: [axis < 0 ? axis + 3 : axis],
    }),
  ),
  spec(`TopK ${axis}`, (b, given) => b.ops("TopK", [given, b.ints([1])], { axis }, 2)[0] ?? ""),
  spec(`where the best is ${axis}`, (b, given) =>
    asFloat(b, b.ops("TopK", [given, b.ints([1])], { axis, largest: 0 }, 2)[1] ?? ""),
  ),
  spec(`Concat ${axis}`, (b, given) => b.op("Concat", [given, given], { axis })),
  spec(`Concat with a constant ${axis}`, (b, given, dims) =>
    b.op("Concat", [given, b.weights(...dims.map((size) => size || 1))], { axis }),
  ),
  spec(`Split ${axis}`, (b, given) => b.ops("Split", [given], { axis }, 2)[1] ?? ""),
  spec(`Split in parts ${axis}`, (b, given) =>
    b.op("Concat", [...b.ops("Split", [given, b.ints([1, 2])], { axis }, 2)].reverse(), { axis }),
  ),
  ...[
    [0, 1, 1],
    [0, 1000, 1],
    [-1, -1000, -1],
    [1, 1000, 1],
    [0, -1, 1],
    [0, 1000, 2],
  ].map(([start = 0, end = 0, step = 1]) =>
    spec(`Slice ${axis} ${start} ${end} ${step}`, (b, given) =>
      b.op("Slice", [given, b.ints([start]), b.ints([end]), b.ints([axis]), b.ints([step])]),
    ),
  ),
  ...[
    [[0], [1]],
    [[0], []],
    [[-1, 0], [2]],
    [
      [0, 0],
      [1, 2],
    ],
  ].map(([values = [], shape = []]) =>
    spec(`Gather ${axis} ${values} ${shape.length}`, (b, given) =>
      b.op("Gather", [given, b.ints(values, shape)], { axis }),
    ),
  ),
  spec(`Gather by values ${axis}`, (b, given, dims) =>
    b.op("Gather", [b.weights(4, 3, 2), places(b, given, Math.min(2, one(dims, axis)))], { axis }),
  ),
  spec(`GatherElements ${axis}`, (b, given, dims) =>
    b.op("GatherElements", [given, places(b, given, one(dims, axis))], { axis }),
  ),
  spec(`GatherElements of a constant ${axis}`, (b, given, dims) =>
    b.op("GatherElements", [b.weights(...dims.map((size) => size || 9)), places(b, given, 3)], { axis }),
  ),
  spec(`GatherElements by constants ${axis}`, (b, given, dims) =>
    b.op(
      "GatherElements",
      [
        given,
        b.ints(
          Array(dims.reduce((all, size) => all * (size || 1), 1)).fill(0),
          dims.map((size) => size || 1),
        ),
      ],
      { axis },
    ),
  ),
  spec(
    `ScatterElements ${axis}`,
    (b, given, dims) =>
      b.op("ScatterElements", [given, places(b, given, one(dims, axis)), given], { axis, reduction: "add" }),
    16,
  ),
  spec(`Compress ${axis}`, (b, given) => b.op("Compress", [given, b.held("BOOL", [2], [0, 1])], { axis })),
  spec(`Unsqueeze and Squeeze ${axis}`, (b, given) =>
    b.op("Squeeze", [b.op("Unsqueeze", [given, b.ints([axis])]), b.ints([axis])]),
  ),
  spec(`Squeeze ${axis}`, (b, given) => b.op("Squeeze", [given, b.ints([axis])])),
  spec(`LayerNormalization ${axis}`, (b, given, dims) =>
    b.op("LayerNormalization", [given, b.weights(...dims.slice(axis).map((size) => size || 1))], { axis }),
  ),
  spec(`OneHot ${axis}`, (b, given) => b.op("OneHot", [places(b, given, 5), b.ints([5]), b.floats([0, 1])], { axis })),
  ...["constant", "edge", "reflect"].map((mode) =>
    spec(
      `Pad ${axis} ${mode}`,
      (b, given) => b.op("Pad", [given, b.ints([1, 1]), "", b.ints([axis])], { mode }),
      OPSETS.axesAsInputs,
    ),
  ),
  spec(`DFT ${axis}`, (b, given) =>
    b.op("DFT", [b.op("Unsqueeze", [given, b.ints([3])])], { axis: axis < 0 ? axis + 3 : axis }),
  ),
  spec(`scales for each place ${axis}`, (b, given, dims) => {
    const scales = b.floats(Array.from({ length: one(dims, axis) }, (_, i) => 0.1 + i));
    const zeros = b.held("INT8", [one(dims, axis)], Array(one(dims, axis)).fill(0));
    return b.op("DequantizeLinear", [b.op("QuantizeLinear", [given, scales, zeros], { axis }), scales, zeros], {
      axis,
    });
  }),
  spec(
    `CenterCropPad ${axis}`,
    (b, given) => b.op("CenterCropPad", [given, b.ints([2])], { axes: [axis] }),
    OPSETS.axesAsInputs,
  ),
  spec(`a scan ${axis}`, (b, given, dims) => {
    const rest = dims.toSpliced(axis < 0 ? axis + 3 : axis, 1).map((size) => size || 1);
    const [, sums = ""] = b.ops(
      "Scan",
      [b.weights(...rest.map(() => 1)), given],
      {
        num_scan_inputs: 1,
        scan_input_axes: [axis],
        body: body(
          b,
          [
            { name: "sum", type: "FP32" },
            { name: "part", type: "FP32" },
          ],
          (inner) => [
            { name: inner.op("Identity", ["sum"]), type: "FP32" },
            { name: inner.op("Mul", ["part", "sum"]), type: "FP32" },
          ],
        ),
      },
      2,
    );
    return sums;
  }),
]);

const threes = [0, 1, 2];
const shapes: Spec[] = [
  ...[
    [-1, 3, 4],
    [3, -1, 4],
    [3, 4, -1],
    [4, -1, 3],
    [-1, 12],
    [12, -1],
    [3, -1],
    [4, -1],
    [-1, 4],
    [-1, 3],
    [-1],
    [0, -1],
    [0, 0, -1],
    [0, -1, 2, 2],
    [2, -1],
    [-1, 2],
    [6, -1, 2],
    [1, -1],
    [-1, 1],
    [0, 0, 2, -1],
    [-1, 0, 0],
    [3, 2, -1, 2],
  ].map((shape) => spec(`Reshape ${shape}`, (b, given) => b.op("Reshape", [given, b.ints(shape)]))),
  // two in a row: what was put together is taken apart
  ...[[-1, 4], [-1], [3, -1], [1, -1], [-1, 2, 2]].flatMap((first) =>
    [
      [-1, 3, 4],
      [3, -1, 4],
      [4, -1, 3],
      [-1, 12],
      [-1, 2, 6],
      [3, 4, -1],
    ].map((second) =>
      spec(`Reshape ${first}, Relu, ${second}`, (b, given) =>
        b.op("Reshape", [b.op("Relu", [b.op("Reshape", [given, b.ints(first)])]), b.ints(second)]),
      ),
    ),
  ),
  ...[
    [0, 1, 2],
    [0, 2, 1],
    [1, 0, 2],
    [2, 0, 1],
    [1, 2, 0],
    [2, 1, 0],
  ].flatMap((perm) =>
    [[-1, 12], [3, -1], [-1, 3], [12, -1], [-1]].map((shape) =>
      spec(`Transpose ${perm}, Reshape ${shape}`, (b, given) =>
        b.op("Reshape", [b.op("Transpose", [given], { perm }), b.ints(shape)]),
      ),
    ),
  ),
  ...threes.map((axis) =>
    spec(`Tile ${axis}`, (b, given) => b.op("Tile", [given, b.ints(threes.map((at) => (at === axis ? 2 : 1)))])),
  ),
  ...threes.map((axis) =>
    spec(`Resize ${axis}`, (b, given) =>
      b.op("Resize", [given, "", b.floats(threes.map((at) => (at === axis ? 2 : 1)))], { mode: "linear" }),
    ),
  ),
  ...[[1, 1, 1], [2, 1, 1, 1], [1, 3, 1], [1, 1, 4], [3, 1, 1], [5]].map((shape) =>
    spec(`Expand ${shape}`, (b, given) => b.op("Expand", [given, b.ints(shape)])),
  ),
  spec("Squeeze", (b, given) => b.op("Squeeze", [given])),
  spec("Trilu", (b, given) => b.op("Trilu", [given])),
  ...[
    [0, 1],
    [1, 0],
    [0, 2],
    [1, 2],
  ].map(([batch_axis = 0, time_axis = 1]) =>
    spec(`ReverseSequence ${batch_axis} ${time_axis}`, (b, given, dims) =>
      b.op("ReverseSequence", [given, b.ints(Array(one(dims, batch_axis)).fill(1))], { batch_axis, time_axis }),
    ),
  ),
];

const shared = [[4], [1, 4], [3, 4], [3, 1], [1, 3, 1], [3, 1, 1], [4, 1], [2, 1, 1, 1], [1, 1, 1], [3]];
const products: Spec[] = [
  ...shared.flatMap((dims) => [
    spec(`Add ${dims}`, (b, given) => b.op("Add", [given, b.weights(...dims)])),
    spec(`Where ${dims}`, (b, given) =>
      b.op("Where", [b.op("Greater", [b.weights(...dims), b.floats([0])]), given, b.op("Neg", [given])]),
    ),
  ]),
  ...[[4, 2], [3, 4], [3, 3], [2, 4], [2, 3], [1, 1], [3, 4, 2], [4], [3]].flatMap((dims) => [
    spec(`MatMul with ${dims}`, (b, given) => b.op("MatMul", [given, b.weights(...dims)])),
    spec(`MatMul of ${dims}`, (b, given) => b.op("MatMul", [b.weights(...dims), given])),
  ]),
  ...[
    [0, 2, 1],
    [1, 0, 2],
    [2, 1, 0],
    [2, 0, 1],
    [1, 2, 0],
  ].flatMap((perm) => [
    spec(`MatMul with itself ${perm}`, (b, given) => b.op("MatMul", [given, b.op("Transpose", [given], { perm })])),
    spec(`Add to itself ${perm}`, (b, given) => b.op("Add", [given, b.op("Transpose", [given], { perm })])),
  ]),
  ...["abc->abc", "abc->acb", "abc->ab", "abc->bc", "abc->ac", "abc->"].map((equation) =>
    simple("Einsum", { equation }),
  ),
  ...[
    "abc,abd->acd",
    "abc,adc->abd",
    "abc,dbc->ad",
    "abc,abc->abc",
    "abc,abc->a",
    "abc,abc->b",
    "abc,abc->c",
    "abc,dec->abde",
  ].map((equation) => spec(`Einsum ${equation}`, (b, given) => b.op("Einsum", [given, given], { equation }))),
  ...[0, 1].flatMap((transA) =>
    [0, 1].flatMap((transB) =>
      [[], [2], [1, 2], [1, 1], [3, 1], [3, 2]].map((c) =>
        spec(`Gemm ${transA}${transB} ${c}`, (b, given, dims) => {
          // the second axis alone of three
          const flat = b.op("Gather", [given, b.ints([0], [])], { axis: dims.lastIndexOf(dims.includes(3) ? 3 : 4) });
          return b.op(
            "Gemm",
            [flat, transB === 1 ? b.weights(2, 4) : b.weights(4, 2), ...(c.length === 0 ? [] : [b.weights(...c)])],
            { transA, transB },
          );
        }),
      ),
    ),
  ),
];

const channel = (dims: Dims): number => one(dims, 1);
const layers: Spec[] = [
  spec("Conv", (b, given, dims) => b.op("Conv", [given, b.weights(2, channel(dims), 2)])),
  spec("Conv of size 1", (b, given, dims) => b.op("Conv", [given, b.weights(2, channel(dims), 1)])),
  spec("ConvTranspose", (b, given, dims) => b.op("ConvTranspose", [given, b.weights(channel(dims), 2, 2)])),
  ...["MaxPool", "AveragePool", "LpPool"].flatMap((name) => [
    simple(name, { kernel_shape: [2], pads: [0, 1] }),
    simple(name, { kernel_shape: [1] }),
  ]),
  ...["GlobalMaxPool", "GlobalAveragePool"].map((name) => simple(name)),
  spec("InstanceNormalization", (b, given, dims) =>
    b.op("InstanceNormalization", [given, b.weights(channel(dims)), b.weights(channel(dims))]),
  ),
  spec(
    "GroupNormalization",
    (b, given, dims) =>
      b.op("GroupNormalization", [given, b.weights(channel(dims)), b.weights(channel(dims))], { num_groups: 1 }),
    21,
  ),
  spec("BatchNormalization", (b, given, dims) => {
    const [c, ones] = [channel(dims), Array(channel(dims)).fill(1)];
    return b.op("BatchNormalization", [given, b.weights(c), b.weights(c), b.weights(c), b.floats(ones)]);
  }),
  spec("LRN", (b, given) => b.op("LRN", [b.op("Unsqueeze", [given, b.ints([3])])], { size: 3, alpha: { float: 1 } })),
  ...["RNN", "GRU", "LSTM"].map((name) =>
    spec(name, (b, given, dims) => {
      const gates = { RNN: 1, GRU: 3, LSTM: 4 }[name] ?? 1;
      return (
        b.ops(
          name,
          [given, b.weights(1, gates * 2, one(dims, 2)), b.weights(1, gates * 2, 2)],
          { hidden_size: 2 },
          1,
        )[0] ?? ""
      );
    }),
  ),
  spec("MultiHeadAttention", (b, given) =>
    b.op("MultiHeadAttention", [given, given, given], { num_heads: 1 }, "com.microsoft"),
  ),
  spec("Attention", (b, given, dims) =>
    b.op("Attention", [given, b.weights(one(dims, 2), 12), b.weights(12)], { num_heads: 2 }, "com.microsoft"),
  ),
  spec("SkipLayerNormalization", (b, given, dims) =>
    b.op("SkipLayerNormalization", [given, given, b.weights(one(dims, 2))], {}, "com.microsoft"),
  ),
  ...[0, 1].map((trans) =>
    spec(`FusedMatMul ${trans}`, (b, given) =>
      b.op("FusedMatMul", [given, given], { transA: trans, transB: 1 - trans }, "com.microsoft"),
    ),
  ),
  ...[0, 1].map((trans) =>
    spec(`FusedMatMul of batches ${trans}`, (b, given) =>
      b.op("FusedMatMul", [given, given], { transBatchA: trans, transBatchB: 1, transB: 1 }, "com.microsoft"),
    ),
  ),
  ...[0, 1, 2].flatMap((axis) => [
    spec(`Normalizer of a table ${axis}`, (b, given) =>
      b.op("Normalizer", [b.op("Gather", [given, b.ints([0], [])], { axis })], { norm: "L1" }, "ai.onnx.ml"),
    ),
    spec(`Scaler of a table ${axis}`, (b, given) =>
      b.op(
        "Scaler",
        [b.op("Gather", [given, b.ints([0], [])], { axis })],
        { offset: { floats: [1, 2, 3, 4] }, scale: { floats: [1, 2, 3, 4] } },
        "ai.onnx.ml",
      ),
    ),
    spec(`LinearRegressor of a table ${axis}`, (b, given) =>
      b.op(
        "LinearRegressor",
        [b.op("Gather", [given, b.ints([0], [])], { axis })],
        { targets: 1, coefficients: { floats: [1, 2, 3, 4] } },
        "ai.onnx.ml",
      ),
    ),
    spec(`ArrayFeatureExtractor of a table ${axis}`, (b, given) =>
      b.op(
        "ArrayFeatureExtractor",
        [b.op("Gather", [given, b.ints([0], [])], { axis }), b.ints([0])],
        {},
        "ai.onnx.ml",
      ),
    ),
    spec(`CDist of a table ${axis}`, (b, given) =>
      b.op(
        "CDist",
        [b.op("Gather", [given, b.ints([0], [])], { axis }), b.weights(5, 4)],
        { metric: "sqeuclidean" },
        "com.microsoft",
      ),
    ),
    spec(`GatherND by values ${axis}`, (b, given) =>
      b.op("GatherND", [
        given,
        b.op("Unsqueeze", [places(b, b.op("Gather", [given, b.ints([0], [])], { axis }), 1), b.ints([2])]),
      ]),
    ),
  ]),
];

/** The tensor comes as [N, 3, 4], and is turned so that the batch lies along `axis`. */
const turned = (b: Builder, given: Name, axis: number): { name: Name; dims: Dims } => {
  const perm = [1, 2].toSpliced(axis, 0, 0);
  return { name: b.op("Transpose", [given], { perm }), dims: perm.map((from) => [0, 3, 4][from] ?? 0) };
};

export type SweepCase = Pick<GraphCase, "name" | "bytes" | "inputs">;

export const sweep = (): SweepCase[] =>
  [...alongAxes, ...shapes, ...products, ...layers].flatMap(({ name, opset, fill }) =>
    threes.map((axis) => {
      const b = createBuilder(5);
      const { name: from, dims } = turned(b, b.input("x", "FP32", ["N", 3, 4]), axis);
      const filled = fill(b, from, dims);
      for (const output of typeof filled === "string" ? [filled] : filled) b.output(output, "FP32");
      return { name: `${name}, the batch as axis ${axis}`, bytes: encode(b, { opset }), inputs: [x("N", 3, 4)] };
    }),
  );
