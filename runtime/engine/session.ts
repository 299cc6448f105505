import { dirname } from "node:path";
import type { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import { Failure } from "../errors/termination.ts";
import { readDefaultsFile, writeDefaultsFile } from "../models/defaults-file.ts";
import { type LoadableModel, openModel } from "../models/rewrite.ts";
import {
  bytesOf,
  DATATYPES,
  type Datatype,
  elementCount,
  elements,
  isDatatype,
  type NumericArray,
  type NumericDatatype,
  type Tensor,
  type TensorInfo,
} from "../tensors/index.ts";
import { encodeStrings, MOST_STRINGS, stringStarts } from "../tensors/strings.ts";
import { createBlame } from "./blame.ts";
import { InferenceError } from "./errors.ts";
import type { ExecutionProvider } from "./execution-provider.ts";
import { describeOnnxError } from "./onnxruntime-errors.ts";
import { ort } from "./ort.ts";

/** A loaded model. Runs are not concurrent: the caller waits for one before it starts the next. */
export type Engine = {
  readonly inputs: readonly TensorInfo[];
  readonly outputs: readonly TensorInfo[];
  /**
   * One inference. Computes only what `outputs` names. Bytes that are aligned for their type are not copied. Strings must
   * be UTF-8 without NUL: onnxruntime would change others. Rejects with an InferenceError. Blocks the event loop.
   */
  run(inputs: ReadonlyMap<string, Tensor>, outputs: readonly string[]): Promise<Map<string, Tensor>>;
};

export type LoadOptions = {
  executionProvider: ExecutionProvider;
  /** Threads that one operator may use. */
  intraOpThreads: number;
  /**
   * Memory that a large run has taken is given back after it, rather than kept for the next: measured 80 MB of a shard after one
   * run of 80 MB, for the same rate of small ones. Default: kept.
   */
  givesBack?: boolean;
  /** The file was written by `writeOptimizedCopy`: nothing is left to optimise. */
  optimized?: boolean;
};

/** Loads a model. Throws a Failure: ExecutionProviderUnavailable, or ModelInvalid naming the operator or tensor. */
export const loadModel = async (path: string, options: LoadOptions): Promise<Engine> => {
  const optimized = options.optimized === true;
  const model = openModel(path);
  const session = await createSession(path, model, options, {
    graphOptimizationLevel: optimized ? "disabled" : "all",
  });
  const defaults = optimized ? readDefaultsFile(path) : model.defaults;
  const inputs = session.inputMetadata.map((one) => toTensorInfo(one, "input", model, defaults));
  const outputs = session.outputMetadata.map((one) => toTensorInfo(one, "output", model, defaults));
  const declared = new Map(outputs.map(({ name, datatype }) => [name, datatype]));
  const blame = createBlame(inputs);
  return {
    inputs,
    outputs,
    async run(tensors, wanted) {
      const feeds: Record<string, OrtTensor> = Object.create(null);
      for (const [name, tensor] of tensors) feeds[name] = toOrtTensor(name, tensor);
      let results: InferenceSession.OnnxValueMapType;
      try {
        results = await session.run(feeds, wanted);
      } catch (error) {
        const message = describeOnnxError(error);
        throw new InferenceError(blame.of(message, tensors), message);
      }
      blame.passed(tensors);
      const answers = new Map<string, Tensor>();
      for (const name of wanted) answers.set(name, fromOrtTensor(name, declared.get(name), results[name]));
      return answers;
    },
  };
};

/**
 * Loads the model for the CPU and writes the graph as onnxruntime has optimised it to `to`/model.onnx, and its weights
 * besides, as they are laid out in memory: processes that load this copy map the one file instead of each holding all.
 * The copy fits this version of onnxruntime and this type of processor only. Throws as `loadModel`.
 */
export const writeOptimizedCopy = async (path: string, to: string, intraOpThreads: number): Promise<void> => {
  const file = `${to}/model.onnx`;
  const model = openModel(path);
  const session = await createSession(
    path,
    model,
    { executionProvider: "cpu", intraOpThreads },
    { graphOptimizationLevel: "all", optimizedModelFilePath: file },
    {
      save_external_prepacked_constant_initializers: "1",
      optimized_model_external_initializers_file_name: "weights",
      optimized_model_external_initializers_min_size_in_bytes: "1024",
    },
  );
  await session.release();
  writeDefaultsFile(file, model.defaults);
};

const createSession = async (
  path: string,
  { bytes }: LoadableModel,
  { executionProvider, intraOpThreads, givesBack }: LoadOptions,
  options: InferenceSession.SessionOptions,
  entries: Readonly<Record<string, string>> = {},
): Promise<InferenceSession> => {
  const all = {
    executionProviders: [executionProvider],
    intraOpNumThreads: intraOpThreads,
    logSeverityLevel: 4 as const,
    ...(givesBack === true ? { enableCpuMemArena: false } : {}),
    ...options,
  };
  try {
    if (bytes === undefined) return await ort.InferenceSession.create(path, { ...all, extra: { session: entries } });
    // of bytes onnxruntime would look for external data where this process happens to be
    const session = { ...entries, model_external_initializers_file_folder_path: dirname(path) };
    return await ort.InferenceSession.create(bytes, { ...all, extra: { session } });
  } catch (error) {
    const message = describeOnnxError(error);
    if (
      executionProvider !== "cpu" &&
      /AppendExecutionProvider|Failed to load shared library|CUDA|cudnn|TensorRT/i.test(message)
    ) {
      throw new Failure(
        "ExecutionProviderUnavailable",
        `execution provider ${executionProvider} is not available: ${message}. Use an image and a node that have it, or choose cpu (--execution-provider; in a ModelDeployment spec.server.executionProvider)`,
      );
    }
    // The same model loads where there is more memory: no fault of its own.
    if (/bad_alloc|bad allocation|failed to allocate memory|out of memory/i.test(message)) {
      throw new Error(`the model needs more memory to load: ${message}; raise spec.resources.limits.memory`);
    }
    const [, locale] = /Failed to construct locale with name:\s*([\w.@-]*)/.exec(message) ?? [];
    if (locale !== undefined) throw new Failure("ModelInvalid", missingLocale(locale));
    throw new Failure("ModelInvalid", `the model does not load: ${message}`);
  }
};

/** Text models of scikit-learn ask for en_US.UTF-8, which our image has, and many others have not. */
const missingLocale = (locale: string): string => {
  const [language = "", charset = "UTF-8"] = locale.split(".");
  return `the locale ${locale}, by which the model's StringNormalizer makes letters small or large, is not there: install it where the server runs (Debian, Ubuntu: apt-get install locales && localedef -i ${language} -f ${charset} ${locale}), or export the model with locale "en_US.UTF-8", which the image of the server has`;
};

const FROM_ORT: ReadonlyMap<string, Datatype> = new Map([
  ["string", "BYTES"],
  ...Object.keys(DATATYPES)
    .filter(isDatatype)
    .filter((datatype) => datatype !== "BYTES")
    .map((datatype): [string, Datatype] => [DATATYPES[datatype].onnx, datatype]),
]);

const toTensorInfo = (
  metadata: InferenceSession.ValueMetadata,
  kind: "input" | "output",
  model: LoadableModel,
  defaults: LoadableModel["defaults"],
): TensorInfo => {
  if (!metadata.isTensor) {
    throw new Failure(
      "ModelInvalid",
      `${kind} "${metadata.name}" is a sequence, a map or optional; only tensors are served`,
    );
  }
  const datatype = FROM_ORT.get(metadata.type);
  if (datatype === undefined) {
    throw new Failure("ModelInvalid", `${kind} "${metadata.name}" has type ${metadata.type}, which cannot be served`);
  }
  const value = kind === "input" ? defaults.get(metadata.name) : undefined;
  return {
    name: metadata.name,
    datatype,
    // onnxruntime gives a scalar, and what it knows nothing of, the same shape
    ...(metadata.shape.length === 0 && model.anyRank.has(metadata.name) ? { anyRank: true } : {}),
    ...(value === undefined ? {} : { default: value }),
    shape: metadata.shape.map((dimension) => (typeof dimension === "number" ? dimension : null)),
    // onnxruntime gives an anonymous dimension the name ""
    symbols: metadata.shape.map((dimension) => (typeof dimension === "string" && dimension !== "" ? dimension : null)),
  };
};

// Its declaration has one overload for each type; a union of types fits none of them.
const NumericTensor: new (type: string, data: NumericArray, dims: readonly number[]) => OrtTensor = ort.Tensor;

const toOrtTensor = (name: string, { datatype, shape, bytes }: Tensor): OrtTensor => {
  if (datatype !== "BYTES") return new NumericTensor(DATATYPES[datatype].onnx, elements(datatype, bytes), shape);
  const count = elementCount(shape) ?? -1;
  const starts = stringStarts(bytes, count);
  if (starts === undefined) {
    throw new InferenceError("input", `input "${name}" does not have the number of strings of its shape [${shape}]`);
  }
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const texts = Array.from({ length: count }, (_, i) => text.toString("utf8", starts[i], (starts[i + 1] ?? 0) - 4));
  return new ort.Tensor("string", texts, shape);
};

const fromOrtTensor = (
  name: string,
  datatype: Datatype | undefined,
  value: InferenceSession.OnnxValueMapType[string] | undefined,
): Tensor => {
  if (value === undefined || datatype === undefined || !("dims" in value)) {
    throw new InferenceError("internal", `the model computed no tensor for output "${name}"`);
  }
  const { data, dims } = value;
  if (Array.isArray(data)) {
    if (datatype !== "BYTES") throw new InferenceError("internal", `output "${name}" has strings, not ${datatype}`);
    if (data.length > MOST_STRINGS) {
      throw new InferenceError(
        "input",
        `output "${name}" has ${data.length} strings for this request, at most ${MOST_STRINGS} may be in one tensor; send less at once`,
      );
    }
    return { datatype, shape: dims, bytes: encodeStrings(data) };
  }
  if (datatype === "BYTES" || value.type !== DATATYPES[datatype].onnx) {
    throw new InferenceError("internal", `output "${name}" has type ${value.type}, but ${datatype} is declared`);
  }
  return { datatype, shape: dims, bytes: numericBytes(datatype, data) };
};

const numericBytes = (datatype: NumericDatatype, data: Exclude<OrtTensor["data"], string[]>): Uint8Array =>
  data instanceof DATATYPES[datatype].Array
    ? bytesOf(data)
    : new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
