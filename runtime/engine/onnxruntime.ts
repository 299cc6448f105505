import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import type { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import type { ExecutionProvider } from "../options.ts";
import { Failure } from "../termination.ts";
import { type Engine, InferenceError, type Tensor, type TensorInfo } from "./index.ts";
import { describeOnnxError, isInputError } from "./onnxruntime-errors.ts";
import { DATATYPES, type Datatype, fromOnnxType, type TensorData, toOnnxType } from "./tensors.ts";

// Read once, when the library is loaded: without it onnxruntime ≥ 1.29 reports use to its vendor.
process.env.ORT_DISABLE_TELEMETRY = "1";
const ort = await import("onnxruntime-node");
// Errors come as exceptions; the copies that the library prints would only be noise in the log.
ort.env.logLevel = "fatal";

/**
 * Its first tensor decides how it holds float16: in a Float16Array where the language has one (Node ≥ 24), which its native
 * part (1.30) takes for empty. Without one it takes the 16 bits in a Uint16Array, as this project does.
 */
const float16Array = Object.getOwnPropertyDescriptor(globalThis, "Float16Array");
Reflect.deleteProperty(globalThis, "Float16Array");
new ort.Tensor("float16", new Uint16Array(1), [1]);
if (float16Array !== undefined) Object.defineProperty(globalThis, "Float16Array", float16Array);

/** Loads a model. Throws a Failure: ExecutionProviderUnavailable, or ModelInvalid naming the operator or tensor. */
export const loadModel = async (path: string, executionProvider: ExecutionProvider): Promise<Engine> => {
  const session = await createSession(path, executionProvider);
  const inputs = session.inputMetadata.map((one) => toTensorInfo(one, "input"));
  const outputs = session.outputMetadata.map((one) => toTensorInfo(one, "output"));
  return {
    inputs,
    outputs,
    async run(tensors, wanted) {
      const feeds: Record<string, OrtTensor> = Object.create(null);
      for (const [name, tensor] of tensors) feeds[name] = toOrtTensor(tensor);
      let results: InferenceSession.OnnxValueMapType;
      try {
        results = await session.run(feeds, [...wanted]);
      } catch (error) {
        const message = describeOnnxError(error);
        throw new InferenceError(isInputError(message) ? "input" : "internal", message);
      }
      return new Map(wanted.map((name) => [name, fromOrtTensor(name, results[name])]));
    },
  };
};

const createSession = async (path: string, executionProvider: ExecutionProvider): Promise<InferenceSession> => {
  try {
    return await ort.InferenceSession.create(path, {
      executionProviders: [executionProvider],
      intraOpNumThreads: cpuLimit(),
      logSeverityLevel: 4,
    });
  } catch (error) {
    const message = describeOnnxError(error);
    if (
      executionProvider !== "cpu" &&
      /AppendExecutionProvider|Failed to load shared library|CUDA|cudnn|TensorRT/i.test(message)
    ) {
      throw new Failure(
        "ExecutionProviderUnavailable",
        `execution provider ${executionProvider} cannot be had here: ${message}. Use an image and a node that have it, or choose cpu`,
      );
    }
    // The same model loads where there is more memory: no fault of its own.
    if (/bad_alloc|bad allocation|failed to allocate memory|out of memory/i.test(message)) {
      throw new Error(`the memory was not enough to load the model: ${message}; raise resources.limits.memory`);
    }
    throw new Failure("ModelInvalid", `the model does not load: ${message}`);
  }
};

/** Threads for one operator: the container's CPU limit (cgroup v2), rounded up, or the machine's. */
const cpuLimit = (): number => {
  try {
    const [quota, period] = readFileSync("/sys/fs/cgroup/cpu.max", "utf8").trim().split(" ").map(Number);
    const limit = Math.ceil((quota ?? Number.NaN) / (period ?? Number.NaN));
    if (limit >= 1) return Math.min(limit, availableParallelism());
  } catch {
    // no cgroup v2: no limit that could be read
  }
  return availableParallelism();
};

const toTensorInfo = (metadata: InferenceSession.ValueMetadata, kind: "input" | "output"): TensorInfo => {
  if (!metadata.isTensor) {
    throw new Failure(
      "ModelInvalid",
      `${kind} "${metadata.name}" is a sequence, a map or optional; only tensors are served`,
    );
  }
  const datatype = fromOnnxType(metadata.type);
  if (datatype === undefined) {
    throw new Failure("ModelInvalid", `${kind} "${metadata.name}" has type ${metadata.type}, which cannot be served`);
  }
  return {
    name: metadata.name,
    datatype,
    shape: metadata.shape.map((dimension) => (typeof dimension === "number" ? dimension : null)),
  };
};

const toOrtTensor = ({ datatype, shape, data }: Tensor): OrtTensor => {
  if (Array.isArray(data)) return new ort.Tensor("string", data, shape);
  const Typed: new (type: string, data: TensorData, dims: readonly number[]) => OrtTensor = ort.Tensor;
  return new Typed(toOnnxType(datatype), data, shape);
};

const fromOrtTensor = (name: string, value: InferenceSession.OnnxValueMapType[string] | undefined): Tensor => {
  if (value === undefined || !("dims" in value)) {
    throw new InferenceError("internal", `the model gave no tensor for output "${name}"`);
  }
  const datatype = fromOnnxType(value.type);
  if (datatype === undefined) throw new InferenceError("internal", `output "${name}" has type ${value.type}`);
  return { datatype, shape: [...value.dims], data: toData(datatype, value.data) };
};

const toData = (datatype: Datatype, data: OrtTensor["data"]): TensorData => {
  if (Array.isArray(data)) return data;
  if (datatype === "BYTES") throw new InferenceError("internal", "strings expected");
  return new DATATYPES[datatype].Array(plainBuffer(data.buffer), data.byteOffset, data.length);
};

/** onnxruntime takes and gives no shared memory; the compiler cannot know. */
const plainBuffer = (buffer: ArrayBufferLike): ArrayBuffer => {
  if (buffer instanceof ArrayBuffer) return buffer;
  throw new InferenceError("internal", "shared memory is not expected here");
};
