/** Checks a decoded request against the model. Messages are worded as those of the REST side. */
import { invalid, RequestError } from "../../../errors/request-error.ts";
import type { InferenceCall, Model } from "../../../inference/index.ts";
import { addDefaults, fits } from "../../../inference/inputs.ts";
import { boundStrings } from "../../../inference/strings.ts";
import { DATATYPES, elementCount, type NumericDatatype, type Tensor, type TensorInfo } from "../../../tensors/index.ts";
import { wrongStrings } from "../../../tensors/strings.ts";
import { readClasses } from "../classification.ts";
import { readContents } from "./contents.ts";
import type { InferRequest, Parameter, Parameters, RequestInput } from "./request.ts";

/** NotFound where `name` and `version` are not the model's. An empty version means any. */
export const checkModel = (model: Model, name: string, version: string): void => {
  if (name !== model.name) {
    throw new RequestError("NotFound", `model "${shorten(name)}" is unknown; this server has "${model.name}"`);
  }
  if (version !== "" && version !== model.version) {
    throw new RequestError(
      "NotFound",
      `model "${model.name}" has no version "${shorten(version)}"; this server has version ${model.version}`,
    );
  }
};

/**
 * @param now milliseconds on the clock of `InferenceCall.deadline`
 * @param deadline of the call itself, on the same clock; Infinity where it has none
 */
export const toCall = (model: Model, request: InferRequest, now: number, deadline: number): InferenceCall => {
  checkModel(model, request.modelName, request.modelVersion);
  const call: InferenceCall = { inputs: readInputs(model, request), outputs: wantedOutputs(model, request) };
  let until = deadline;
  if (request.parameters.size > 0) {
    const timeout = wholeNumber(request.parameters, "timeout", "microseconds");
    if (timeout !== undefined && timeout > 0) until = Math.min(until, now + timeout / 1000);
    const priority = wholeNumber(request.parameters, "priority", "priority, 1 is the highest");
    if (priority !== undefined) call.priority = priority;
  }
  if (until !== Number.POSITIVE_INFINITY) call.deadline = until;
  return call;
};

const readInputs = (model: Model, request: InferRequest): Map<string, Tensor> => {
  const { inputs, raw } = request;
  if (raw.length > 0 && raw.length !== inputs.length) {
    throw invalid(
      `raw_input_contents has ${raw.length} entries for ${inputs.length} inputs; send one for each, in order`,
    );
  }
  const tensors = new Map<string, Tensor>();
  for (const [index, input] of inputs.entries()) {
    const info = model.inputs.find(({ name }) => name === input.name);
    if (info === undefined) {
      throw invalid(`input "${shorten(input.name)}" is unknown; the model's inputs are ${list(model.inputs)}`);
    }
    const { name } = info;
    if (tensors.has(name)) throw invalid(`input "${name}" is given twice; send it once`);
    tensors.set(name, readInput(info, input, raw[index]));
  }
  const missing = addDefaults(model, tensors);
  if (missing.length > 0)
    throw invalid(
      `input ${missing.map((name) => `"${name}"`).join(", ")} is missing; send every input that has no default`,
    );
  return tensors;
};

const readInput = (info: TensorInfo, input: RequestInput, raw: Buffer | undefined): Tensor => {
  const { name, datatype } = info;
  if (input.datatype !== datatype) {
    throw invalid(`input "${name}": datatype is ${shorten(input.datatype)}, the model wants ${datatype}`);
  }
  if (!fits(info, input.shape)) {
    const wanted = info.shape.map((size) => size ?? -1);
    throw invalid(`input "${name}": shape is [${input.shape}], the model wants [${wanted}] (-1: any size)`);
  }
  const count = elementCount(input.shape);
  if (count === undefined) {
    throw invalid(`input "${name}": shape [${input.shape}] has more elements than can be counted; correct the shape`);
  }
  if (datatype === "BYTES") boundStrings(`input "${name}"`, count);
  if (input.parameters.has("shared_memory_region")) {
    throw new RequestError("Unsupported", `input "${name}": shared memory is not supported; send the data itself`);
  }
  const { contents } = input;
  if (raw === undefined) {
    const bytes = readContents(name, datatype, contents ?? [], count);
    if (datatype === "BYTES") checkStrings(name, bytes, count);
    return { datatype, shape: input.shape, bytes };
  }
  if (contents?.some((message) => message.length > 0)) {
    throw invalid(`input "${name}": has both contents and raw_input_contents; send one of them`);
  }
  if (datatype === "BYTES") checkStrings(name, raw, count);
  else checkRaw(name, datatype, raw, count);
  return { datatype, shape: input.shape, bytes: raw };
};

const checkRaw = (name: string, datatype: NumericDatatype, bytes: Buffer, count: number): void => {
  const size = count * DATATYPES[datatype].bytes;
  if (bytes.length !== size) {
    throw invalid(
      `input "${name}": its shape wants ${size} bytes of ${datatype}, raw_input_contents has ${bytes.length}`,
    );
  }
  if (datatype !== "BOOL") return;
  const wrong = bytes.findIndex((value) => value > 1);
  if (wrong >= 0) throw invalid(`input "${name}": data[${wrong}] is ${bytes[wrong]}, BOOL wants 0 or 1`);
};

const checkStrings = (name: string, bytes: Uint8Array, count: number): void => {
  const wrong = wrongStrings(bytes, count);
  if (wrong !== undefined) throw invalid(`input "${name}": ${wrong}`);
};

const wantedOutputs = (model: Model, request: InferRequest): string[] => {
  if (request.outputs.length === 0) return model.outputs.map(({ name }) => name);
  const names = new Set<string>();
  for (const { name, parameters } of request.outputs) {
    if (!model.outputs.some((output) => output.name === name)) {
      throw invalid(`output "${shorten(name)}" is unknown; the model's outputs are ${list(model.outputs)}`);
    }
    if (names.has(name)) throw invalid(`output "${name}" is requested twice; ask for it once`);
    if (parameters.has("shared_memory_region")) {
      throw new RequestError("Unsupported", `output "${name}": parameter shared_memory_region is not supported`);
    }
    names.add(name);
  }
  return [...names];
};

const NO_CLASSES: ReadonlyMap<string, number> = new Map();

/** Of the outputs that are asked for, those that should be classified, and by how many classes. */
export const wantedClasses = (model: Model, { outputs }: InferRequest): ReadonlyMap<string, number> => {
  if (outputs.every(({ parameters }) => !parameters.has("classification"))) return NO_CLASSES;
  const wanted = new Map<string, number>();
  for (const info of model.outputs) {
    const asked = outputs.find(({ name }) => name === info.name);
    const classes = readClasses(info, asked?.parameters.get("classification"));
    if (classes !== undefined) wanted.set(info.name, classes);
  }
  return wanted;
};

/** A parameter that is a whole number, 0 or more, or such a number as a string. */
const wholeNumber = (parameters: Parameters, name: string, meaning: string): number | undefined => {
  const value: Parameter = parameters.get(name);
  if (value === undefined) return undefined;
  const number = typeof value === "string" && /^\d{1,16}$/.test(value) ? Number(value) : value;
  const whole = typeof number === "bigint" ? Number(number) : number;
  if (typeof whole === "number" && Number.isSafeInteger(whole) && whole >= 0) return whole;
  throw invalid(`parameter ${name} is ${shorten(String(value))}; give a whole number (${meaning})`);
};

const list = (tensors: readonly TensorInfo[]): string => tensors.map(({ name }) => `"${name}"`).join(", ");

/** What a client sent, in a message: as much of it as helps to find it. */
const shorten = (text: string): string => (text.length > 64 ? `${text.slice(0, 64)}…` : text);
