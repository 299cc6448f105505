/**
 * Models as onnxruntime's binding for Node can serve them. It takes no value for an input that has a default, and gives no
 * sequence of maps, which scikit-learn's and LightGBM's converters put behind the probabilities (ZipMap). So before a model is
 * loaded its graph is changed, in memory: the initializer of such an input goes, and the server gives the default; instead of
 * the maps come the tensor that they are made of and their keys.
 */
import { closeSync, fstatSync, openSync, readFileSync } from "node:fs";
import type { DefaultValue } from "../tensors/index.ts";
import { mayHaveDefaults, readDefaults } from "./default-values.ts";
import { type ModelInterface, type Place, readInterface } from "./interface.ts";
import { createReader } from "./model-file/reader.ts";
import { field, numberField } from "./protobuf.ts";
import { readZipMaps, type ZipMap } from "./zip-maps.ts";

/** A model that is ready to be loaded: the bytes to load instead of the file, if it had to be changed. */
export type LoadableModel = {
  bytes: Uint8Array | undefined;
  /** Names of inputs and outputs of any number of dimensions. */
  anyRank: ReadonlySet<string>;
  defaults: ReadonlyMap<string, DefaultValue>;
};

/** Reads of a model's file what it takes to load it. Throws MalformedModel where it is none. */
export const openModel = (path: string): LoadableModel => {
  const model = readModelInterface(path);
  const anyRank = new Set(
    [...model.inputs, ...model.defaults.map(({ input }) => input), ...model.outputs]
      .filter(({ type }) => type === undefined || (type.kind === "tensor" && type.rank === undefined))
      .map(({ name }) => name),
  );
  const maps = maySequences(model);
  if (!maps && !mayHaveDefaults(model)) return { bytes: undefined, anyRank, defaults: new Map() };
  const file = readFileSync(path);
  const defaults = readDefaults(file, model);
  const zipMaps = maps ? readZipMaps(file, model) : [];
  if (defaults.size === 0 && zipMaps.length === 0) return { bytes: undefined, anyRank, defaults };
  for (const { output } of zipMaps) anyRank.delete(output.name);
  return { bytes: rewrite(file, model, defaults, zipMaps), anyRank, defaults };
};

/** The outputs that are no tensors in the file, and are when it is loaded. */
export const convertedOutputs = (path: string, model: ModelInterface): ReadonlySet<string> =>
  new Set(maySequences(model) ? readZipMaps(readFileSync(path), model).map(({ output }) => output.name) : []);

const maySequences = ({ outputs }: ModelInterface): boolean =>
  outputs.some(({ type }) => type === undefined || type.kind === "a sequence of maps");

const readModelInterface = (path: string): ModelInterface => {
  const file = openSync(path, "r");
  try {
    return readInterface(createReader(file, fstatSync(file).size));
  } finally {
    closeSync(file);
  }
};

const TENSOR = { string: 8, int64: 7, float: 1 };

const rewrite = (
  file: Uint8Array,
  model: ModelInterface,
  defaults: ReadonlyMap<string, DefaultValue>,
  zipMaps: readonly ZipMap[],
): Uint8Array => {
  const { graph } = model;
  const changes: { place: Place; to: Uint8Array[] }[] = [
    ...model.defaults.flatMap(({ value }) => (defaults.has(value.name) ? [{ place: value, to: [] }] : [])),
    ...zipMaps.map(({ node }) => ({ place: node, to: [] })),
    ...zipMaps.map((zipMap) => ({ place: zipMap.output, to: declarations(zipMap, firstDimension(model)) })),
  ];
  const content = [...spliced(file, graph.at, graph.to, changes), ...zipMaps.flatMap(nodes)];
  const hasOnnx = model.opsets.some(({ domain }) => domain === "" || domain === "ai.onnx");
  return Buffer.concat([
    file.subarray(0, graph.from),
    field(7, ...content),
    ...(hasOnnx ? [] : [field(8, field(1, ""), numberField(2, OPSET))]),
    file.subarray(graph.to),
  ]);
};

/** Of operators of ONNX in a model that has none so far. */
const OPSET = 13;

const spliced = (
  file: Uint8Array,
  from: number,
  to: number,
  changes: readonly { place: Place; to: Uint8Array[] }[],
): Uint8Array[] => {
  const parts: Uint8Array[] = [];
  let at = from;
  for (const { place, to: instead } of changes.toSorted((one, other) => one.place.from - other.place.from)) {
    parts.push(file.subarray(at, place.from), ...instead);
    at = place.to;
  }
  return [...parts, file.subarray(at, to)];
};

const firstDimension = ({ inputs }: ModelInterface): number | string | undefined => {
  for (const { type } of inputs) if (type?.kind === "tensor" && (type.rank ?? 0) > 0) return type.first;
  return undefined;
};

/** ValueInfos of the values and, behind them, of the keys: [rows, keys]. */
const declarations = ({ output, keys, keysName }: ZipMap, first: number | string | undefined): Uint8Array[] => {
  const rows = field(
    1,
    ...(first === undefined ? [] : [typeof first === "number" ? numberField(1, first) : field(2, first)]),
  );
  const shape = field(2, rows, field(1, numberField(1, keys.values.length)));
  const declare = (name: string, element: number): Uint8Array =>
    field(12, field(1, name), field(2, field(1, numberField(1, element), shape)));
  const values = declare(output.name, TENSOR.float);
  return keysName === undefined ? [values] : [values, declare(keysName, TENSOR[keys.type])];
};

/** The values under the name that the maps had; the keys once for each row, so that all outputs have the same rows. */
const nodes = ({ source, output, keys, keysName }: ZipMap): Uint8Array[] => {
  const node = (operator: string, inputs: string[], result: string, ...attributes: Uint8Array[]): Uint8Array =>
    field(1, ...inputs.map((name) => field(1, name)), field(2, result), field(4, operator), ...attributes);
  const identity = node("Identity", [source], output.name);
  if (keysName === undefined) return [identity];
  const values = keys.type === "string" ? keys.values.map((text) => field(6, text)) : [field(9, int64s(keys.values))];
  const tensor = field(5, numberField(1, keys.values.length), numberField(2, TENSOR[keys.type]), ...values);
  const TENSOR_ATTRIBUTE = 4;
  const attribute = field(5, field(1, "value"), tensor, numberField(20, TENSOR_ATTRIBUTE));
  return [
    identity,
    node("Constant", [], `${keysName}/keys`, attribute),
    node("Shape", [source], `${keysName}/shape`),
    node("Expand", [`${keysName}/keys`, `${keysName}/shape`], keysName),
  ];
};

const int64s = (values: readonly bigint[]): Uint8Array => {
  const bytes = Buffer.alloc(8 * values.length);
  for (const [i, value] of values.entries()) bytes.writeBigInt64LE(value, 8 * i);
  return bytes;
};
