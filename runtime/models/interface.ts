/** What a model says at its ends: its versions, inputs and outputs, and what of the inputs has a default. */
import { type Field, MalformedModel, type Reader } from "./model-file/reader.ts";

/** TensorProto.DataType by number: the names that ONNX's users know. */
const ELEMENTS: readonly string[] = [
  ...["undefined", "float", "uint8", "int8", "uint16", "int16", "int32", "int64", "string", "bool", "float16"],
  ...["double", "uint32", "uint64", "complex64", "complex128", "bfloat16", "float8e4m3fn", "float8e4m3fnuz"],
  ...["float8e5m2", "float8e5m2fnuz", "uint4", "int4", "float4e2m1", "float8e8m0", "uint2", "int2"],
];
export const elementName = (type: number): string => ELEMENTS[type] ?? `element type ${type}`;

/** `rank` is undefined where any number of dimensions fits. */
export type ValueType =
  | { kind: "tensor"; element: number; rank: number | undefined; first: number | string | undefined }
  | { kind: "a sequence of maps" | "a sequence" | "a map" | "an optional" | "a sparse tensor" | "an opaque value" };

/** Where a field lies in the file, with its key. */
export type Place = { from: number; to: number };

/** `type` is undefined where the model leaves it out, as it may at outputs. */
export type ModelValue = Place & { name: string; type: ValueType | undefined };

/** An initializer with the name of an input: what the input has where it is not given. `at`: of the tensor in the file. */
export type Default = Place & { name: string; element: number; dims: number[]; at: number; external: boolean };

export type Opset = { domain: string; version: number };

export type ModelInterface = {
  irVersion: number;
  opsets: Opset[];
  /** Of the functions that the model brings along. */
  functionOpsets: Opset[];
  /** The graph's field in the file, and where its content begins. */
  graph: Place & { at: number };
  /** Those that must be given. */
  inputs: ModelValue[];
  /** Those that have a default; from IR version 4 on a run may bring another value. */
  defaults: { input: ModelValue; value: Default }[];
  outputs: ModelValue[];
};

const MAX_TEXT = 4096;
const MAX_DIMENSIONS = 64;
const MAX_OPSETS = 1000;

/** Throws MalformedModel. */
export const readInterface = (reader: Reader): ModelInterface => {
  let irVersion = 0;
  const opsets: Opset[] = [];
  const functionOpsets: Opset[] = [];
  let graph: ModelInterface["graph"] | undefined;
  reader.seek(0);
  each(reader, reader.size, (field, from) => {
    if (field.number === 1) irVersion = field.value;
    else if (field.number === 7) graph = { from, to: field.end, at: field.at };
    else if (field.number === 8) opsets.push(readOpset(reader, field));
    else if (field.number === 25) readFunctionOpsets(reader, field, functionOpsets);
  });
  if (graph === undefined) throw new MalformedModel(reader.size, "the model has no graph");
  return { irVersion, opsets, functionOpsets, graph, ...readEnds(reader, graph) };
};

const readEnds = (
  reader: Reader,
  { at, to }: ModelInterface["graph"],
): Pick<ModelInterface, "inputs" | "defaults" | "outputs"> => {
  const inputs: ModelValue[] = [];
  const outputs: ModelValue[] = [];
  reader.seek(at);
  each(reader, to, (field, from) => {
    if (field.number === 11) inputs.push({ from, to: field.end, ...readValue(reader, field) });
    else if (field.number === 12) outputs.push({ from, to: field.end, ...readValue(reader, field) });
  });
  const names = new Set(inputs.map(({ name }) => name));
  const found = new Map<string, Default>();
  reader.seek(at);
  each(reader, to, (field, from) => {
    if (field.number !== 5) return;
    const value = readTensor(reader, field, names);
    if (value !== undefined) found.set(value.name, { from, to: field.end, ...value });
  });
  return {
    inputs: inputs.filter(({ name }) => !found.has(name)),
    defaults: inputs.flatMap((input) => {
      const value = found.get(input.name);
      return value === undefined ? [] : [{ input, value }];
    }),
    outputs,
  };
};

/** Shows each field of a message, and where its key begins, and goes on behind it whatever was read of it. */
export const each = (reader: Reader, end: number, show: (field: Field, from: number) => void): void => {
  while (reader.position() < end) {
    const from = reader.position();
    const field = reader.field(end);
    show(field, from);
    reader.seek(field.end);
  }
};

const inside = (reader: Reader, field: Field, show: (field: Field) => void): void => {
  if (field.wire !== "bytes") return;
  reader.seek(field.at);
  each(reader, field.end, show);
};

/** A model may have as many functions as nodes; of equal ones the first is enough. */
const readFunctionOpsets = (reader: Reader, message: Field, opsets: Opset[]): void => {
  inside(reader, message, (field) => {
    if (field.number !== 9) return;
    const { domain, version } = readOpset(reader, field);
    if (!opsets.some((known) => known.domain === domain && known.version === version) && opsets.length < MAX_OPSETS)
      opsets.push({ domain, version });
  });
};

const readOpset = (reader: Reader, message: Field): Opset => {
  const opset = { domain: "", version: 0 };
  inside(reader, message, (field) => {
    if (field.number === 1) opset.domain = reader.text(field, MAX_TEXT);
    else if (field.number === 2) opset.version = field.value;
  });
  return opset;
};

const readValue = (reader: Reader, message: Field): { name: string; type: ValueType | undefined } => {
  let name = "";
  let type: ValueType | undefined;
  inside(reader, message, (field) => {
    if (field.number === 1) name = reader.text(field, MAX_TEXT);
    else if (field.number === 2) type = readType(reader, field);
  });
  return { name, type };
};

const readType = (reader: Reader, message: Field): ValueType | undefined => {
  let type: ValueType | undefined;
  inside(reader, message, (field) => {
    if (field.number === 1) type = readTensorType(reader, field);
    else if (field.number === 4) {
      let ofMaps = false;
      inside(reader, field, (element) => {
        if (element.number === 1) inside(reader, element, ({ number }) => (ofMaps ||= number === 5));
      });
      type = { kind: ofMaps ? "a sequence of maps" : "a sequence" };
    } else if (field.number === 5) type = { kind: "a map" };
    else if (field.number === 7) type = { kind: "an opaque value" };
    else if (field.number === 8) type = { kind: "a sparse tensor" };
    else if (field.number === 9) type = { kind: "an optional" };
  });
  return type;
};

const readTensorType = (reader: Reader, message: Field): ValueType => {
  let element = 0;
  let rank: number | undefined;
  let first: number | string | undefined;
  inside(reader, message, (field) => {
    if (field.number === 1) element = field.value;
    if (field.number !== 2) return;
    rank = 0;
    inside(reader, field, (dimension) => {
      if (dimension.number !== 1) return;
      if (rank === 0) first = readDimension(reader, dimension);
      rank = (rank ?? 0) + 1;
    });
  });
  return { kind: "tensor", element, rank, first };
};

const readDimension = (reader: Reader, message: Field): number | string | undefined => {
  let dimension: number | string | undefined;
  inside(reader, message, (field) => {
    // exporters write -1 where they mean any size
    if (field.number === 1) dimension = Number.isSafeInteger(field.value) ? field.value : undefined;
    else if (field.number === 2) dimension = reader.text(field, MAX_TEXT);
  });
  return dimension;
};

/** A tensor of one of these names; what others hold is not read. */
const readTensor = (
  reader: Reader,
  message: Field,
  names: ReadonlySet<string>,
): Omit<Default, "from" | "to"> | undefined => {
  const tensor = { name: "", element: 0, dims: [] as number[], at: message.at, external: false };
  inside(reader, message, (field) => {
    if (field.number === 1) readDimensions(reader, field, tensor.dims);
    else if (field.number === 2) tensor.element = field.value;
    else if (field.number === 8) tensor.name = reader.text(field, MAX_TEXT);
    else if (field.number === 13 || (field.number === 14 && field.value !== 0)) tensor.external = true;
  });
  return names.has(tensor.name) ? tensor : undefined;
};

const readDimensions = (reader: Reader, field: Field, dims: number[]): void => {
  if (field.wire === "varint") dims.push(field.value);
  else if (field.wire === "bytes") {
    reader.seek(field.at);
    while (reader.position() < field.end && dims.length <= MAX_DIMENSIONS) dims.push(reader.varint(field.end));
  }
};
