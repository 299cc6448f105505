import type { Duration, Model, ModelStatistics } from "../../inference/index.ts";
import type { TensorInfo } from "../../tensors/index.ts";

/** The extensions that work as Triton's documents of them say; "schedule_policy" is the parameters priority and timeout. */
const EXTENSIONS = ["binary_tensor_data", "classification", "schedule_policy", "statistics"];

export const serverMetadata = (version: string) => ({ name: "berth", version, extensions: EXTENSIONS });

export const modelMetadata = (model: Model) => ({
  name: model.name,
  versions: [model.version],
  platform: "onnxruntime_onnx",
  inputs: model.inputs.map(tensorMetadata),
  outputs: model.outputs.map(tensorMetadata),
});

/**
 * The protocol writes -1 for a dimension that may have any size. It has no word for a tensor that may have any number of dimensions, nor
 * for an input that may be left out: these are parameters.
 */
const tensorMetadata = ({ name, datatype, shape, anyRank = false, default: value }: TensorInfo) => {
  const parameters = {
    ...(anyRank ? { unknown_rank: true } : {}),
    ...(value === undefined ? {} : { optional: true }),
  };
  return {
    name,
    datatype,
    shape: shape.map((dimension) => dimension ?? -1),
    ...(Object.keys(parameters).length === 0 ? {} : { parameters }),
  };
};

const duration = ({ count, ns }: Duration) => ({ count, ns: Math.round(ns) });
const NONE = { count: 0, ns: 0 };

export const modelStatistics = (model: Model, statistics: ModelStatistics) => ({
  model_stats: [
    {
      name: model.name,
      version: model.version,
      last_inference: statistics.lastInferenceMs,
      inference_count: statistics.inferenceCount,
      execution_count: statistics.executionCount,
      inference_stats: {
        success: duration(statistics.success),
        fail: duration(statistics.fail),
        queue: duration(statistics.queue),
        compute_input: duration(statistics.computeInput),
        compute_infer: duration(statistics.computeInfer),
        compute_output: duration(statistics.computeOutput),
        cache_hit: NONE,
        cache_miss: NONE,
      },
      response_stats: {},
      batch_stats: statistics.batches.map(({ size, computeInput, computeInfer, computeOutput }) => ({
        batch_size: size,
        compute_input: duration(computeInput),
        compute_infer: duration(computeInfer),
        compute_output: duration(computeOutput),
      })),
      memory_usage: [],
    },
  ],
});
