/** inference.GRPCInferenceService: the Open Inference Protocol over gRPC, for one model. */
import { performance } from "node:perf_hooks";
import { RequestError } from "../../../errors/request-error.ts";
import type { Duration, Inference, Service } from "../../../inference/index.ts";
import type { TensorInfo } from "../../../tensors/index.ts";
import { AS_BYTES } from "../../../transport/grpc/as-bytes.ts";
import { statusOf } from "../../../transport/grpc/status.ts";
import type { GrpcService, Method, UnaryCall, UnaryMethod } from "../../../transport/grpc/types.ts";
import { classify } from "../classification.ts";
import { checkModel, toCall, wantedClasses } from "./check.ts";
import { decodeRequest } from "./request.ts";
import { createEncoder, type Outputs } from "./response.ts";
import { type Asked, streamInfer } from "./stream.ts";

const NAME = "inference.GRPCInferenceService";
const FIXED = "this server serves one model for its whole life";
const UNSUPPORTED: Record<string, string> = {
  RepositoryModelLoad: `models cannot be loaded: ${FIXED}`,
  RepositoryModelUnload: `models cannot be unloaded: ${FIXED}`,
  SystemSharedMemoryStatus: "shared memory is not supported: send tensors in the messages",
  SystemSharedMemoryRegister: "shared memory is not supported: send tensors in the messages",
  SystemSharedMemoryUnregister: "shared memory is not supported: send tensors in the messages",
  CudaSharedMemoryStatus: "shared memory is not supported: send tensors in the messages",
  CudaSharedMemoryRegister: "shared memory is not supported: send tensors in the messages",
  CudaSharedMemoryUnregister: "shared memory is not supported: send tensors in the messages",
  TraceSetting: "tracing cannot be set by clients",
  LogSettings: "logging cannot be set by clients",
};

type Named = { name: string; version: string };

/**
 * @param report is told of failures that are not a RequestError, which clients learn nothing of
 * @param now in ms, on the clock of the calls' deadlines
 */
export const createInferenceService = (
  service: Service,
  report: (error: unknown) => void,
  now: () => number = () => performance.now(),
): GrpcService => {
  const encoder = createEncoder(service.model);
  return {
    name: NAME,
    protoFiles: [new URL("inference.proto", import.meta.url)],
    methods: {
      ...serverMethods(service),
      ...modelMethods(service),
      ...inferMethods(service, report, now),
      ...UNSUPPORTED_METHODS,
    },
    // Requests are decoded by the handler, whose refusals name the field.
    codecs: {
      ModelInfer: { requestDeserialize: AS_BYTES.requestDeserialize, responseSerialize: encoder.response },
      ModelStreamInfer: { requestDeserialize: AS_BYTES.requestDeserialize, responseSerialize: encoder.streamResponse },
    },
  };
};

const unary = <Request>(answer: (request: Request) => object): UnaryMethod<Request> => ({ answer });

const serverMethods = (service: Service): Record<string, Method> => ({
  ServerLive: unary(() => ({ live: true })),
  ServerReady: unary(() => ({ ready: service.ready() })),
  ServerMetadata: unary(() => ({
    name: "berth",
    version: service.serverVersion,
    extensions: [
      "binary_tensor_data",
      "classification",
      "parameters",
      "schedule_policy",
      "statistics",
      "model_configuration",
    ],
  })),
  RepositoryIndex: unary(({ ready }: { ready: boolean }) => ({
    models: ready && !service.ready() ? [] : [indexed(service)],
  })),
});

const indexed = ({ model: { name, version }, ready }: Service) => ({
  name,
  version,
  state: ready() ? "READY" : "UNAVAILABLE",
  reason: "",
});

const modelMethods = (service: Service): Record<string, Method> => {
  const { model } = service;
  const ofModel = (answer: () => object): UnaryMethod<Named> =>
    unary(({ name, version }) => {
      checkModel(model, name, version);
      return answer();
    });
  return {
    ModelReady: ofModel(() => ({ ready: service.ready() })),
    ModelMetadata: ofModel(() => ({
      name: model.name,
      versions: [model.version],
      platform: "onnxruntime_onnx",
      inputs: model.inputs.map(metadataOf),
      outputs: model.outputs.map(metadataOf),
    })),
    ModelConfig: ofModel(() => ({
      config: {
        name: model.name,
        platform: "onnxruntime_onnx",
        backend: "onnxruntime",
        // 0: shapes are the whole shapes, with the dimension of the batch, whether the server batches or not.
        max_batch_size: 0,
        input: model.inputs.map(configOf),
        output: model.outputs.map(configOf),
      },
    })),
    ModelStatistics: unary(({ name, version }: Named) => {
      if (name !== "" || version !== "") checkModel(model, name === "" ? model.name : name, version);
      return { model_stats: [statisticsOf(service)] };
    }),
  };
};

const inferMethods = (
  service: Service,
  report: (error: unknown) => void,
  now: () => number,
): { ModelInfer: UnaryMethod<Buffer>; ModelStreamInfer: Method } => {
  const infer = (message: Buffer, told: UnaryCall): Asked => ask(service, message, told, now());
  return {
    ModelInfer: { answer: (message, told) => infer(message, told).response },
    ModelStreamInfer: streamInfer(infer, (error) => statusOf(error, report).details),
  };
};

const ask = ({ infer, model }: Service, message: Buffer, told: UnaryCall, now: number): Asked => {
  const request = decodeRequest(message);
  const call = toCall(model, request, now, told.deadline);
  const classes = wantedClasses(model, request);
  if (classes.size > 0) call.classes = classes;
  const { cancel, result } = infer(call);
  told.onCancelled = cancel;
  const response = result.then((all) => ({ id: request.id, outputs: outputsOf(call.outputs, classes, all) }));
  return { request, response };
};

const outputsOf = (
  names: readonly string[],
  classes: ReadonlyMap<string, number>,
  all: Awaited<Inference["result"]>,
): Outputs =>
  names.map((name) => {
    const tensor = all.get(name);
    if (tensor === undefined) throw new RequestError("Internal", `output "${name}": the model did not compute it`);
    const wanted = classes.get(name);
    return [name, wanted === undefined ? tensor : classify(name, tensor, wanted)];
  });

const UNSUPPORTED_METHODS: Record<string, Method> = Object.fromEntries(
  Object.entries(UNSUPPORTED).map(([name, reason]) => [
    name,
    unary(() => {
      throw new RequestError("Unsupported", `${name}: ${reason}`);
    }),
  ]),
);

const metadataOf = ({ name, datatype, shape }: TensorInfo) => ({
  name,
  datatype,
  shape: shape.map((size) => size ?? -1),
});

const configOf = ({ name, datatype, shape, default: value }: TensorInfo) => ({
  name,
  data_type: datatype === "BYTES" ? "TYPE_STRING" : `TYPE_${datatype}`,
  dims: shape.map((size) => size ?? -1),
  ...(value === undefined ? {} : { optional: true }),
});

const NEVER: Duration = { count: 0, ns: 0 };

const statisticsOf = ({ model, statistics }: Service) => {
  const all = statistics();
  return {
    name: model.name,
    version: model.version,
    last_inference: all.lastInferenceMs,
    inference_count: all.inferenceCount,
    execution_count: all.executionCount,
    inference_stats: {
      success: rounded(all.success),
      fail: rounded(all.fail),
      queue: rounded(all.queue),
      compute_input: rounded(all.computeInput),
      compute_infer: rounded(all.computeInfer),
      compute_output: rounded(all.computeOutput),
      cache_hit: NEVER,
      cache_miss: NEVER,
    },
    batch_stats: all.batches.map(({ size, computeInput, computeInfer, computeOutput }) => ({
      batch_size: size,
      compute_input: rounded(computeInput),
      compute_infer: rounded(computeInfer),
      compute_output: rounded(computeOutput),
    })),
  };
};

const rounded = ({ count, ns }: Duration): Duration => ({ count, ns: Math.round(ns) });
