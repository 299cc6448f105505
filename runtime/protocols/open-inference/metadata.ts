import type { TensorInfo } from "../../engine/index.ts";
import type { Model } from "./request.ts";

export const serverMetadata = (version: string) => ({ name: "berth", version, extensions: ["binary_tensor_data"] });

export const modelMetadata = (model: Model) => ({
  name: model.name,
  versions: [model.version],
  platform: "onnxruntime_onnx",
  inputs: model.inputs.map(tensorMetadata),
  outputs: model.outputs.map(tensorMetadata),
});

/** The protocol writes -1 for a dimension that may have any size. */
const tensorMetadata = ({ name, datatype, shape }: TensorInfo) => ({
  name,
  datatype,
  shape: shape.map((dimension) => dimension ?? -1),
});
