import { invalid } from "../../errors/request-error.ts";
import type { Model } from "../../inference/index.ts";
import { addDefaults, fits, namelessInput } from "../../inference/inputs.ts";
import { elements, type Tensor, type TensorInfo } from "../../tensors/index.ts";
import { encodeStrings } from "../../tensors/strings.ts";
import { parseDocument } from "../json/document.ts";
import type { NotFinite } from "../json/not-finite.ts";
import type { Choose, TensorSpec } from "../json/types.ts";
import { append, type JsonText, writeNested } from "../json/write.ts";
import { checkShape, quoted, shown, showShape, unknownInput } from "./check.ts";
import { rowStarts } from "./rows.ts";
import { checkSignature } from "./signature.ts";
import { checkString } from "./tensor-proto.ts";

/** Rows: a list of instances, answered with a list of predictions. Columns: whole tensors, answered with whole tensors. */
export type Form = "rows" | "columns";
export type PredictRequest =
  | { form: "columns"; inputs: Map<string, Tensor> }
  /** `byRow`: the inputs that have a row for each of `count` instances. */
  | { form: "rows"; inputs: Map<string, Tensor>; byRow: ReadonlySet<string>; count: number };

/** What to send where rows cannot be answered. */
export const COLUMNS_INSTEAD = `send "inputs" (columns) instead of "instances", which are answered with whole tensors`;

const OPEN_OBJECT = 0x7b;
/** The first byte of `null`, with which clients write what they leave out. */
const NULL = 0x6e;

/** A reader of the bodies of POST …:predict. It throws a RequestError. */
export const createPredictReader = (model: Model): ((body: Uint8Array) => PredictRequest) => {
  const only = namelessInput(model);
  const all: ReadonlySet<string> = new Set(model.inputs.map(({ name }) => name));
  const infos = new Map(model.inputs.map((info) => [info.name, info]));
  return (body) => {
    const document = readObject(parseDocument(body, chooseFor(infos, only, hasInnerObject(body))));
    checkSignatureName(document);
    const instances = document.instances ?? undefined;
    const inputs = document.inputs ?? undefined;
    if ((instances === undefined) === (inputs === undefined)) {
      throw invalid(`the request needs exactly one of "instances" (rows) and "inputs" (columns)`);
    }
    const rows = instances === undefined ? undefined : readRows(model, only, instances);
    const tensors = rows?.tensors ?? readColumns(model, only, inputs);
    for (const info of model.inputs) {
      const tensor = tensors.get(info.name);
      if (tensor === undefined) continue;
      if (rows !== undefined && info.shape.length === 0 && info.anyRank !== true) {
        throw invalid(`input "${info.name}" has no batch dimension, so it cannot be given in rows; give "inputs"`);
      }
      if (!fits(info, tensor.shape)) checkShape(info, tensor.shape, hintOf(info, tensor));
    }
    const byRow = tensors.size === all.size ? all : new Set(tensors.keys());
    const [missing] = addDefaults(model, tensors);
    if (missing !== undefined) throw invalid(`input "${missing}" is missing; send it`);
    return rows === undefined
      ? { form: "columns", inputs: tensors }
      : { form: "rows", inputs: tensors, byRow, count: rows.count };
  };
};

/** People leave out the last dimension where it is 1, as columns of tables have it: [-1, 1]. */
const hintOf = (info: TensorInfo, { datatype, shape, bytes }: Tensor): string => {
  if (info.anyRank === true || shape.length + 1 !== info.shape.length || !fits(info, [...shape, 1])) return "";
  const value = datatype === "BYTES" ? JSON.stringify(firstString(bytes)) : elements(datatype, bytes)[0];
  return `; put each value in a list of its own: [${value}] instead of ${value}`;
};

const firstString = (bytes: Uint8Array): string => {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return text.length < 4 ? "" : text.toString("utf8", 4, 4 + text.readUInt32LE());
};

/** Where there is no object but the outermost one, a list of instances is one tensor, and can be read as such. */
const hasInnerObject = (body: Uint8Array): boolean => {
  const outer = body.indexOf(OPEN_OBJECT);
  return outer !== -1 && body.indexOf(OPEN_OBJECT, outer + 1) !== -1;
};

const specOf = ({ name, datatype }: TensorInfo, row?: string | number): TensorSpec => ({
  label: row === undefined ? `input "${name}"` : `instance ${row}, input "${name}"`,
  datatype,
  shape: undefined,
  base64: datatype === "BYTES",
});

const chooseFor = (
  infos: ReadonlyMap<string, TensorInfo>,
  only: TensorInfo | undefined,
  innerObject: boolean,
): Choose => {
  return (path, parent, first) => {
    if (first === NULL) return undefined;
    const [root, second, third] = path;
    const plain = first !== OPEN_OBJECT ? only : undefined;
    if (root === "inputs") {
      if (path.length === 1) return plain && specOf(plain);
      const info = path.length === 2 && !Array.isArray(parent) ? infos.get(String(second)) : undefined;
      return info && specOf(info);
    }
    if (root !== "instances") return undefined;
    if (path.length === 1) return innerObject || plain === undefined ? undefined : specOf(plain);
    if (path.length === 2) return Array.isArray(parent) && plain !== undefined ? specOf(plain, second) : undefined;
    const info = path.length === 3 && !Array.isArray(parent) ? infos.get(String(third)) : undefined;
    return info && specOf(info, second);
  };
};

type Fields = Readonly<Record<string, unknown>>;
const isFields = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isTensor = (value: unknown): value is Tensor => isFields(value) && value.bytes instanceof Uint8Array;

export const readObject = (document: unknown): Fields => {
  if (!isFields(document)) throw invalid("the request must be a JSON object");
  return document;
};

export const checkSignatureName = ({ signature_name: name }: Fields): void => {
  if (name === undefined || name === null) return;
  if (typeof name !== "string") throw invalid("signature_name must be a string");
  checkSignature(name);
};

/** `{"b64": "…"}` where it stood for a whole value, and so was not known to be one while it was read. */
const base64Of = (label: string, value: unknown): Tensor | undefined => {
  if (!isFields(value) || typeof value.b64 !== "string" || Object.keys(value).length !== 1) return undefined;
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(value.b64)) throw invalid(`${label}: b64 is not base64`);
  const bytes = Buffer.from(value.b64, "base64");
  checkString(label, 0, bytes);
  return { datatype: "BYTES", shape: [], bytes: encodeStrings([bytes]) };
};

const readColumns = (model: Model, only: TensorInfo | undefined, inputs: unknown): Map<string, Tensor> => {
  if (only !== undefined) {
    const tensor = isTensor(inputs) ? inputs : only.datatype === "BYTES" ? base64Of("inputs", inputs) : undefined;
    if (tensor !== undefined) return new Map([[only.name, tensor]]);
  }
  if (!isFields(inputs)) throw invalid(`"inputs" must be an object: the model has the inputs ${names(model)}`);
  return new Map(namedTensors(model, "inputs", inputs));
};

const names = (model: Model): string => quoted(model.inputs.map(({ name }) => name));

const namedTensors = (model: Model, where: string, fields: Fields): [string, Tensor][] =>
  Object.entries(fields).flatMap(([name, value]): [string, Tensor][] => {
    if (isTensor(value)) return [[name, value]];
    if (!model.inputs.some((info) => info.name === name)) throw unknownInput(name, model.inputs);
    if (value === null) return [];
    throw invalid(`${where}: input ${shown(name)} holds no tensor`);
  });

type Rows = { tensors: Map<string, Tensor>; count: number };

const readRows = (model: Model, only: TensorInfo | undefined, instances: unknown): Rows => {
  if (only !== undefined && isTensor(instances)) {
    const [count] = instances.shape;
    if (count === undefined) throw invalid(`"instances" must be a list`);
    if (count === 0) throw invalid('"instances" is empty; send at least one row');
    return { tensors: new Map([[only.name, instances]]), count };
  }
  if (!Array.isArray(instances)) throw invalid(`"instances" must be a list`);
  if (instances.length === 0) throw invalid('"instances" is empty; send at least one row');
  const rows = new Map<string, Tensor[]>(model.inputs.map(({ name }) => [name, []]));
  let named: boolean | undefined;
  for (const [i, instance] of instances.entries()) {
    const bare = isTensor(instance) || only?.datatype !== "BYTES" ? undefined : base64Of(`instance ${i}`, instance);
    const value = only !== undefined && isTensor(instance) ? instance : bare;
    if (value === undefined && !isFields(instance)) {
      throw invalid(`instance ${i} must be an object: the model has the inputs ${names(model)}`);
    }
    named ??= value === undefined;
    if (named !== (value === undefined))
      throw invalid(`instance ${i} is ${named ? "no" : "an"} object, unlike instance 0`);
    const given: [string, Tensor][] =
      value !== undefined && only !== undefined
        ? [[only.name, value]]
        : namedTensors(model, `instance ${i}`, isFields(instance) ? instance : {});
    for (const [name, tensor] of given) rows.get(name)?.push(tensor);
    for (const info of model.inputs) {
      const list = rows.get(info.name) ?? [];
      if (list.length === i + 1 || (list.length === 0 && info.default !== undefined)) continue;
      const [without, other] = given.some(([name]) => name === info.name) ? [0, i] : [i, 0];
      const why = info.default === undefined ? "is missing" : `is missing, and instance ${other} has it`;
      throw invalid(`instance ${without}: input "${info.name}" ${why}`);
    }
  }
  const given = [...rows].filter(([, list]) => list.length > 0);
  return { tensors: new Map(given.map(([name, list]) => [name, stack(name, list)])), count: instances.length };
};

const stack = (name: string, rows: readonly Tensor[]): Tensor => {
  const [first] = rows;
  if (first === undefined) throw new Error(`input "${name}" has no rows`);
  const shape = String(first.shape);
  for (const [i, row] of rows.entries()) {
    if (String(row.shape) === shape && row.shape.length === first.shape.length) continue;
    throw invalid(
      `instance ${i}, input "${name}": shape is ${showShape(row.shape)}, that of instance 0 is ${showShape(first.shape)}`,
    );
  }
  const bytes = rows.length === 1 ? first.bytes : Buffer.concat(rows.map((row) => row.bytes));
  return { datatype: first.datatype, shape: [rows.length, ...first.shape], bytes };
};

/** Throws a RequestError where the outputs have no such form: better before the model runs than after. */
export const checkForm = (model: Model, form: Form): void => {
  for (const { name, datatype, shape, anyRank } of model.outputs) {
    if (datatype === "FP16") throw invalid(`output "${name}": FP16 has no JSON form; ask over gRPC`);
    if (form === "rows" && shape.length === 0 && anyRank !== true) {
      throw invalid(`output "${name}" has no batch dimension, so there are no predictions of rows; ${COLUMNS_INSTEAD}`);
    }
  }
};

/**
 * The answer: without the output's name where the model has just one. Outputs named …_bytes are base64. In rows each output has
 * as many as there are instances.
 */
export const writePredict = (
  model: Model,
  form: Form,
  outputs: ReadonlyMap<string, Tensor>,
  notFinite: NotFinite = "bare",
): JsonText => {
  const tensors = model.outputs.map(({ name }) => {
    const tensor = outputs.get(name);
    if (tensor === undefined) throw new Error(`the model computed no output "${name}"`);
    return { name, tensor, key: `${JSON.stringify(name)}:`, base64: name.endsWith("_bytes") };
  });
  const [first] = tensors;
  const key = form === "rows" ? `{"predictions":` : `{"outputs":`;
  if (first !== undefined && tensors.length === 1)
    return [key, ...writeNested(first.tensor, first.base64, notFinite), "}"];
  const parts: JsonText = [key];
  if (form === "columns") {
    for (const [i, one] of tensors.entries()) {
      append(parts, [`${i === 0 ? "{" : ","}${one.key}`]);
      append(parts, writeNested(one.tensor, one.base64, notFinite));
    }
    append(parts, ["}}"]);
    return parts;
  }
  const rows = first?.tensor.shape[0] ?? 0;
  const starts = tensors.map(({ tensor }) => rowStarts(tensor));
  append(parts, ["["]);
  for (let row = 0; row < rows; row++) {
    for (const [i, { key: name, tensor, base64 }] of tensors.entries()) {
      const { datatype, shape } = tensor;
      const bytes = tensor.bytes.subarray(starts[i]?.[row], starts[i]?.[row + 1]);
      append(parts, [`${i > 0 ? "," : row > 0 ? ",{" : "{"}${name}`]);
      append(parts, writeNested({ datatype, shape: shape.slice(1), bytes }, base64, notFinite));
    }
    append(parts, ["}"]);
  }
  append(parts, ["]}"]);
  return parts;
};
