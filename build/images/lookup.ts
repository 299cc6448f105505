/**
 * Small models that differ in one thing each, for rollouts that must tell them apart: each looks the whole number x (0 to 31) up in a table.
 */
import onnxProto from "onnx-proto";

const { onnx } = onnxProto;

/** Input `x`, float32 [1]; output `y`, float32 [1]. */
export type Lookup = {
  table: readonly number[];
  /** From this x on, a run fails as no check of the input foresees. */
  failsFrom?: number;
  /** Products of two matrices of 384 rows and columns, some 1 ms of one core each, that change nothing. */
  effort?: number;
  /** Of the output, for one of another rank. */
  shape?: readonly number[];
};

const ENTRIES = 32;
const RIGHT = Array.from({ length: ENTRIES }, (_, x) => 2 * x + 1);
const SIZE = 384;

export const LOOKUPS: Readonly<Record<string, Lookup>> = {
  "lookup.onnx": { table: RIGHT },
  /** As good as the first, and another file. */
  "lookup-again.onnx": { table: RIGHT, effort: 0, failsFrom: ENTRIES },
  "lookup-failing.onnx": { table: RIGHT, failsFrom: 19 },
  "lookup-wrong.onnx": { table: RIGHT.map((y, x) => (x % 4 === 0 ? y + 1 : y)) },
  "lookup-nan.onnx": { table: RIGHT.map((y, x) => (x === 13 ? Number.NaN : y)) },
  "lookup-shape.onnx": { table: RIGHT, shape: [1, 1] },
  /** Half as slow again, with what a request costs besides. */
  "lookup-slow.onnx": { table: RIGHT, effort: 30 },
  "lookup-slower.onnx": { table: RIGHT, effort: 48 },
};

const { FLOAT, INT64 } = onnx.TensorProto.DataType;

export const lookupModel = ({ effort = 0, failsFrom, shape = [1], table }: Lookup): Uint8Array => {
  const value = (name: string, dims: readonly number[]) => ({
    name,
    type: { tensorType: { elemType: FLOAT, shape: { dim: dims.map((dimValue) => ({ dimValue })) } } },
  });
  const floats = (name: string, values: readonly number[]) => ({
    ...{ name, dataType: FLOAT, dims: [values.length], floatData: [...values] },
  });
  const longs = (name: string, values: readonly number[]) => ({
    ...{ name, dataType: INT64, dims: [values.length], int64Data: [...values] },
  });
  const node = (opType: string, input: string[], output: string, attribute: object[] = []) => ({
    ...{ name: output, opType, input, output: [output], attribute },
  });
  const to = (type: number) => [{ name: "to", type: onnx.AttributeProto.AttributeType.INT, i: type }];
  const nodes = [node("Cast", ["x"], "index", to(INT64)), node("Gather", ["table", "index"], "found")];
  const initializer: object[] = [floats("table", table)];
  let last = "found";

  if (failsFrom !== undefined) {
    // one entry, and the second is asked for: no shape tells beforehand
    initializer.push(floats("limit", [failsFrom]), longs("axis", [0]));
    nodes.push(
      node("GreaterOrEqual", ["x", "limit"], "isBeyond"),
      node("Cast", ["isBeyond"], "beyond", to(INT64)),
      node("Squeeze", ["beyond", "axis"], "place"),
      node("SequenceConstruct", [last], "sequence"),
      node("SequenceAt", ["sequence", "place"], "taken"),
    );
    last = "taken";
  }
  if (effort > 0) {
    initializer.push(longs("size", [SIZE, SIZE]), floats("zero", [0]));
    // depends on x, so that it is not computed once and for all
    nodes.push(node("Expand", ["x", "size"], "matrix0"));
    for (let i = 0; i < effort; i++) {
      nodes.push(node("MatMul", [`matrix${i}`, "matrix0"], `product${i}`));
      nodes.push(node("Tanh", [`product${i}`], `matrix${i + 1}`));
    }
    nodes.push(
      node("ReduceMax", [`matrix${effort}`], "most", [
        { name: "keepdims", type: onnx.AttributeProto.AttributeType.INT, i: 0 },
      ]),
      node("Mul", ["most", "zero"], "nothing"),
      node("Add", [last, "nothing"], "worked"),
    );
    last = "worked";
  }
  initializer.push(longs("shape", shape));
  nodes.push(node("Reshape", [last, "shape"], "y"));
  const graph = { name: "lookup", node: nodes, initializer, input: [value("x", [1])], output: [value("y", shape)] };
  const model = { irVersion: 8, opsetImport: [{ domain: "", version: 13 }], producerName: "berth", graph };
  return onnx.ModelProto.encode(onnx.ModelProto.fromObject(model)).finish();
};
