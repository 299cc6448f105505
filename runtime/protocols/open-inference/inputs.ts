import { invalid, RequestError } from "../../errors/request-error.ts";
import type { Model } from "../../inference/index.ts";
import { addDefaults, fits, namelessInput } from "../../inference/inputs.ts";
import { DATATYPES, elementCount, type Tensor, type TensorInfo } from "../../tensors/index.ts";
import { encodeStrings } from "../../tensors/strings.ts";
import { parseDocument } from "../json/document.ts";
import { parseTensor } from "../json/tensor.ts";
import type { Choose } from "../json/types.ts";
import { checkBinaryData } from "./binary-data.ts";
import { checkEnvelope, isShape } from "./envelope.ts";
import type { InferEnvelope } from "./schema.ts";

/** A request's JSON, and its tensors. `raw`: a body without JSON, whose answer is binary too. */
export type ReadRequest = { envelope: InferEnvelope; inputs: Map<string, Tensor>; raw: boolean };

type RequestInput = InferEnvelope["inputs"][number];

/** The first byte of `null`, with which clients write what they leave out. */
const NULL = 0x6e;

/**
 * A reader of bodies of POST …/infer. Its second argument is the Inference-Header-Content-Length: so many bytes of JSON, then
 * the binary tensors in the order of the inputs; undefined where the body is all JSON.
 */
export const createReader = (model: Model): ((body: Uint8Array, headerLength: string | undefined) => ReadRequest) => {
  const infos = new Map(model.inputs.map((info) => [info.name, info]));
  // Data that come after their name, type and shape, as clients send them, are read at once; others when these are known.
  const choose: Choose = (path, parent, first) => {
    if (path.length !== 3 || path[2] !== "data" || path[0] !== "inputs" || first === NULL) return undefined;
    if (!("name" in parent)) return "later";
    const { name, datatype, shape } = parent;
    const info = typeof name === "string" ? infos.get(name) : undefined;
    if (info === undefined || datatype !== info.datatype || !isShape(shape) || !fits(info, shape)) return "later";
    return { label: `input "${info.name}"`, datatype: info.datatype, shape };
  };
  return (body, headerLength) => {
    const jsonLength = headerLength === undefined ? body.length : readHeaderLength(headerLength, body.length);
    if (jsonLength === 0 && headerLength !== undefined) {
      const read = readRaw(model, body);
      addDefaults(model, read.inputs);
      return read;
    }
    const envelope = checkEnvelope(parseDocument(body.subarray(0, jsonLength), choose));
    checkNames(infos, envelope.inputs);
    const inputs = new Map<string, Tensor>();
    let at = jsonLength;
    for (const input of envelope.inputs) {
      const info = infos.get(input.name);
      if (info === undefined) continue; // checkNames has refused it
      if ((input.parameters?.shared_memory_region ?? undefined) !== undefined) {
        throw new RequestError(
          "Unsupported",
          `input "${info.name}": shared memory is not supported; send the data itself`,
        );
      }
      const size = binarySize(input);
      if (size === undefined) {
        inputs.set(info.name, readData(info, input));
        continue;
      }
      const count = checkType(info, input);
      if ((input.data ?? undefined) !== undefined)
        throw invalid(`input "${info.name}": has both data and binary_data_size; send one of them`);
      if (at + size > body.length) {
        throw invalid(
          `input "${info.name}": binary_data_size is ${size}, the body has ${body.length - at} bytes left; correct one of the two`,
        );
      }
      const bytes = body.subarray(at, at + size);
      checkBinaryData(`input "${info.name}"`, info.datatype, bytes, count);
      inputs.set(info.name, { datatype: info.datatype, shape: input.shape, bytes });
      at += size;
    }
    if (at < body.length)
      throw invalid(
        `the body has ${body.length - at} bytes after the last binary input; correct binary_data_size, or leave them out`,
      );
    addDefaults(model, inputs);
    return { envelope, inputs, raw: false };
  };
};

const readData = (info: TensorInfo, input: RequestInput): Tensor => {
  const { data } = input;
  if (isTensor(data)) return data;
  checkType(info, input);
  if (!(data instanceof Uint8Array)) throw invalid(`input "${info.name}": data must be an array`);
  return parseTensor(data, { label: `input "${info.name}"`, datatype: info.datatype, shape: input.shape });
};

// JSON gives no Uint8Array, so that only the reader of tensors can have made one
const isTensor = (data: unknown): data is Tensor =>
  typeof data === "object" && data !== null && "bytes" in data && data.bytes instanceof Uint8Array;

const readHeaderLength = (header: string, bodyLength: number): number => {
  const length = /^\d{1,15}$/.test(header) ? Number(header) : Number.NaN;
  if (!(length <= bodyLength)) {
    throw invalid(`Inference-Header-Content-Length must be a number from 0 to the body's ${bodyLength} bytes`);
  }
  return length;
};

/** A body that is the bytes of the only input. */
const readRaw = (model: Model, body: Uint8Array): ReadRequest => {
  const info = namelessInput(model);
  if (info === undefined) {
    throw invalid("Inference-Header-Content-Length is 0: without JSON the model must have one input");
  }
  if (info.anyRank === true) {
    throw invalid(`input "${info.name}": without JSON nothing says its shape, and the model does not; send JSON`);
  }
  const { name, datatype, shape } = info;
  const label = `input "${name}"`;
  if (body.length === 0) throw invalid(`${label}: Inference-Header-Content-Length is 0, and so is the body`);
  const open = shape.filter((size) => size === null).length;
  if (open > 1) throw invalid(`${label}: without JSON at most one dimension may be open, ${open} are`);
  const rest = shape.reduce<number>((product, size) => product * (size ?? 1), 1);
  let bytes = body;
  let size = 1;
  if (datatype === "BYTES") bytes = encodeStrings([body]);
  else if (open === 1 && rest > 0) size = Math.floor(body.length / (rest * DATATYPES[datatype].bytes));
  const actual = shape.map((dimension) => dimension ?? size);
  checkBinaryData(label, datatype, bytes, elementCount(actual) ?? 0);
  const envelope = { inputs: [{ name, datatype, shape: actual }] };
  return { envelope, inputs: new Map([[name, { datatype, shape: actual, bytes }]]), raw: true };
};

const list = (names: Iterable<string>): string => [...names].map((name) => `"${name}"`).join(", ");

const checkNames = (infos: ReadonlyMap<string, TensorInfo>, inputs: readonly RequestInput[]): void => {
  for (const [i, { name }] of inputs.entries()) {
    if (!infos.has(name)) {
      throw invalid(`input "${name.slice(0, 253)}" is unknown; the model's inputs are ${list(infos.keys())}`);
    }
    for (let other = 0; other < i; other++) {
      if (inputs[other]?.name === name) throw invalid(`input "${name}" is given twice; send it once`);
    }
  }
  if (inputs.length === infos.size) return;
  const missing = [...infos.values()].filter(
    ({ name, default: value }) => value === undefined && inputs.every((input) => input.name !== name),
  );
  if (missing.length > 0)
    throw invalid(`input ${list(missing.map(({ name }) => name))} is missing; send every input that has no default`);
};

const checkType = (info: TensorInfo, input: RequestInput): number => {
  const { name, datatype, shape } = info;
  if (input.datatype !== datatype) {
    throw invalid(`input "${name}": datatype is ${input.datatype.slice(0, 20)}, the model wants ${datatype}`);
  }
  if (!fits(info, input.shape)) {
    throw invalid(
      `input "${name}": shape is [${input.shape}], the model wants [${shape.map((size) => size ?? -1)}] (-1: any size)`,
    );
  }
  const count = elementCount(input.shape);
  if (count === undefined)
    throw invalid(`input "${name}": shape [${input.shape}] has more elements than can be counted; correct the shape`);
  return count;
};

const binarySize = (input: RequestInput): number | undefined => {
  const size = input.parameters?.binary_data_size;
  if (size === undefined || size === null) return undefined;
  if (typeof size !== "number" || !Number.isSafeInteger(size) || size < 0) {
    throw invalid(`input "${input.name}": binary_data_size must be a number of bytes`);
  }
  return size;
};
