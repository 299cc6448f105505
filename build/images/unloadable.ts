/** A model that is well-formed ONNX and that no runtime can load, because its one operator does not exist. */
import onnxProto from "onnx-proto";

const { onnx } = onnxProto;

export const MISSING_OPERATOR = "NoSuchOperator";

export const unloadableModel = (): Uint8Array => {
  const float = (name: string) => ({
    name,
    type: { tensorType: { elemType: onnx.TensorProto.DataType.FLOAT, shape: { dim: [{ dimValue: 1 }] } } },
  });
  const node = { name: "impossible", opType: MISSING_OPERATOR, input: ["x"], output: ["y"] };
  const graph = { name: "unloadable", node: [node], input: [float("x")], output: [float("y")] };
  const model = { irVersion: 7, opsetImport: [{ domain: "", version: 13 }], producerName: "berth", graph };
  return onnx.ModelProto.encode(onnx.ModelProto.fromObject(model)).finish();
};
