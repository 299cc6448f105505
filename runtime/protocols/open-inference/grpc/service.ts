/** inference.GRPCInferenceService: the Open Inference Protocol over gRPC, for one model. */
import { performance } from "node:perf_hooks";
import type { handleUnaryCall, ServerDuplexStream, UntypedServiceImplementation } from "@grpc/grpc-js";
import { RequestError } from "../../../inference/errors.ts";
import type { Duration, Inference, Service } from "../../../inference/index.ts";
import { statusOf } from "../../../server/grpc/status.ts";
import type { GrpcService } from "../../../server/grpc/types.ts";
import type { TensorInfo } from "../../../tensors/index.ts";
import { checkModel, toCall } from "./check.ts";
import { decodeRequest, type InferRequest } from "./request.ts";
import { createEncoder, type InferResponse, type Outputs, type StreamResponse } from "./response.ts";
import { type Started, streamInfer } from "./stream.ts";

/** `now` is performance.now's clock, on which deadlines of inferences are; `wall` is that of gRPC's, since 1970. In ms. */
export type Clocks = { now(): number; wall(): number };
const CLOCKS: Clocks = { now: () => performance.now(), wall: () => Date.now() };

const NAME = "inference.GRPCInferenceService";
const FIXED = "this server's one model is fixed at its start";
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
type Unary<Request> = handleUnaryCall<Request, object>;

/** @param report is told of failures that are not a RequestError, which clients learn nothing of */
export const createInferenceService = (
  service: Service,
  report: (error: unknown) => void,
  clocks: Clocks = CLOCKS,
): GrpcService => {
  const { model } = service;
  const encoder = createEncoder(model);

  const outputsOf = (names: readonly string[], all: Awaited<Inference["result"]>): Outputs =>
    names.map((name) => {
      const tensor = all.get(name);
      if (tensor === undefined) throw new RequestError("Internal", `output "${name}": the model did not give it`);
      return [name, tensor];
    });

  const start = (request: InferRequest, deadline: Date | number): Started => {
    const until = Number(deadline);
    const now = clocks.now();
    const call = toCall(model, request, now, Number.isFinite(until) ? now + until - clocks.wall() : until);
    const inference = service.infer(call);
    return { id: request.id, inference, outputs: (all) => outputsOf(call.outputs, all) };
  };

  const modelInfer: handleUnaryCall<Buffer, InferResponse> = (call, callback) => {
    let started: Started;
    try {
      started = start(decodeRequest(call.request), call.getDeadline());
    } catch (error) {
      callback(statusOf(error, report));
      return;
    }
    const { id, inference, outputs } = started;
    let answered = false;
    // grpc-js emits it at the end of every call, not only of one that the client gave up or whose deadline passed.
    call.once("cancelled", () => {
      if (!answered) inference.cancel();
    });
    inference.result
      .then((all) => {
        const response = { id, outputs: outputs(all) };
        answered = true;
        callback(null, response);
      })
      .catch((error: unknown) => {
        answered = true;
        callback(statusOf(error, report));
      });
  };

  /** Answers with what `answer` returns, or with the status of what it throws. */
  const unary =
    <Request>(answer: (request: Request) => object): Unary<Request> =>
    ({ request }, callback) => {
      let response: object;
      try {
        response = answer(request);
      } catch (error) {
        callback(statusOf(error, report));
        return;
      }
      callback(null, response);
    };
  const ofModel = (answer: () => object): Unary<Named> =>
    unary(({ name, version }) => {
      checkModel(model, name, version);
      return answer();
    });

  const implementation: UntypedServiceImplementation = {
    ServerLive: unary(() => ({ live: true })),
    ServerReady: unary(() => ({ ready: service.ready() })),
    ModelReady: ofModel(() => ({ ready: service.ready() })),
    ServerMetadata: unary(() => ({
      name: "berth",
      version: service.serverVersion,
      extensions: ["binary_tensor_data", "parameters", "schedule_policy", "statistics", "model_configuration"],
    })),
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
    RepositoryIndex: unary(({ ready }: { ready: boolean }) => ({
      models:
        ready && !service.ready()
          ? []
          : [
              {
                name: model.name,
                version: model.version,
                state: service.ready() ? "READY" : "UNAVAILABLE",
                reason: "",
              },
            ],
    })),
    ModelInfer: modelInfer,
    ModelStreamInfer: (call: ServerDuplexStream<Buffer, StreamResponse>) =>
      streamInfer(
        call,
        (request) => start(request, call.getDeadline()),
        (error) => statusOf(error, report).details,
      ),
  };
  for (const [name, reason] of Object.entries(UNSUPPORTED)) {
    implementation[name] = unary(() => {
      throw new RequestError("Unsupported", `${name}: ${reason}`);
    });
  }

  const asItIs = (bytes: Buffer): Buffer => bytes;
  return {
    name: NAME,
    protoFiles: [new URL("inference.proto", import.meta.url)],
    implementation,
    // Requests are decoded by the handler: what grpc-js's own decoding refuses would be answered with INTERNAL.
    codecs: {
      ModelInfer: { requestDeserialize: asItIs, responseSerialize: encoder.response },
      ModelStreamInfer: { requestDeserialize: asItIs, responseSerialize: encoder.streamResponse },
    },
  };
};

const metadataOf = ({ name, datatype, shape }: TensorInfo) => ({
  name,
  datatype,
  shape: shape.map((size) => size ?? -1),
});

const configOf = ({ name, datatype, shape }: TensorInfo) => ({
  name,
  data_type: datatype === "BYTES" ? "TYPE_STRING" : `TYPE_${datatype}`,
  dims: shape.map((size) => size ?? -1),
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
