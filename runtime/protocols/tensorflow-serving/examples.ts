/**
 * Classify and Regress: examples, each a few named features, become the model's inputs, and its outputs become classes
 * with scores, or values. A model answers
 * - Classify, if it has an output "scores" or just one output that is FP32 [n, classes]; an output "classes", BYTES of
 *   the same shape, or "scores_classes", which may have INT64, gives the labels, which are empty without it;
 * - Regress, if it has an output "outputs" or just one output that is FP32 [n] or [n, 1].
 */
import { invalid } from "../../errors/request-error.ts";
import type { Model } from "../../inference/index.ts";
import { addDefaults } from "../../inference/inputs.ts";
import { elements, type Tensor, type TensorInfo } from "../../tensors/index.ts";
import { splitStrings } from "../../tensors/strings.ts";
import { quoted, showShape } from "./check.ts";
import type { RowRequest } from "./rows.ts";

/** What to send where the answers to examples cannot be told apart. */
export const PREDICT_INSTEAD = "ask for whole tensors with predict";

/** Values of one feature of one example, in the type of the input of its name. */
export type FeatureValues = { count: number; bytes: Uint8Array };
export type Example = ReadonlyMap<string, FeatureValues>;

/**
 * The inputs for these examples, one row each. What the context has and an example has not is the same for all. Features
 * that are no input are of no account, as where TensorFlow parses examples.
 */
export const inputsOf = (model: Model, examples: readonly Example[], context: Example | undefined): RowRequest => {
  if (examples.length === 0) throw invalid("there are no examples; send at least one");
  const inputs = new Map<string, Tensor>();
  for (const info of model.inputs) {
    const given = examples.map((example) => example.get(info.name) ?? context?.get(info.name));
    if (info.default !== undefined && given.every((values) => values === undefined)) continue;
    const rows = given.map((values, i) => {
      if (values === undefined) throw invalid(`example ${i}: feature "${info.name}" is missing; send it`);
      return values;
    });
    const shape = shapeOf(info, rows);
    const [only] = rows;
    const bytes = rows.length === 1 && only !== undefined ? only.bytes : Buffer.concat(rows.map((row) => row.bytes));
    inputs.set(info.name, { datatype: info.datatype, shape, bytes });
  }
  const byRow = new Set(inputs.keys());
  addDefaults(model, inputs);
  return { inputs, byRow, count: examples.length };
};

const shapeOf = (info: TensorInfo, rows: readonly FeatureValues[]): number[] => {
  // examples are flat lists: of any shape they make rows and values
  if (info.anyRank === true) return shapeOf({ ...info, anyRank: false, shape: [null, null] }, rows);
  const wants = `the model wants ${showShape(info.shape)} (-1: any size), a row for each example`;
  const [batch, ...rest] = info.shape;
  if (batch === undefined) throw invalid(`input "${info.name}" cannot be given as examples: ${wants}`);
  if (batch !== null && batch !== rows.length) throw invalid(`there are ${rows.length} examples; ${wants}`);
  const count = rows[0]?.count ?? 0;
  for (const [i, row] of rows.entries()) {
    if (row.count !== count) {
      throw invalid(`example ${i}: feature "${info.name}" has ${row.count} values, that of example 0 has ${count}`);
    }
  }
  const known = rest.reduce<number>((product, size) => product * (size ?? 1), 1);
  const open = rest.filter((size) => size === null).length;
  const fits = open === 0 ? known === count : known > 0 && count % known === 0;
  if (open > 1 || !fits) throw invalid(`example 0: feature "${info.name}" has ${count} values; ${wants}`);
  return [rows.length, ...rest.map((size) => size ?? count / known)];
};

export type Task = "classify" | "regress";

/** The outputs that answer the task. Throws a RequestError where the model has none. */
export const outputsFor = (model: Model, task: Task): string[] => {
  const [wanted, form, fits] =
    task === "classify"
      ? (["scores", "FP32 [n, classes]", isScores] as const)
      : (["outputs", "FP32 [n] or [n, 1]", isValues] as const);
  const candidates = model.outputs.filter(fits);
  const found = candidates.find(({ name }) => name === wanted) ?? (candidates.length === 1 ? candidates[0] : undefined);
  if (found === undefined) {
    const names = quoted(model.outputs.map(({ name }) => name));
    throw invalid(
      `this model cannot ${task}: it needs one output, or one named "${wanted}", of ${form}; it has ${names}`,
    );
  }
  const labels = task === "classify" ? model.outputs.find((info) => isLabels(info, found.name)) : undefined;
  return labels === undefined ? [found.name] : [found.name, labels.name];
};

const isScores = ({ datatype, shape, anyRank }: TensorInfo) =>
  datatype === "FP32" && (shape.length === 2 || anyRank === true);
const isValues = ({ datatype, shape }: TensorInfo) =>
  datatype === "FP32" && (shape.length === 1 || (shape.length === 2 && (shape[1] ?? 1) === 1));
/** The second name is what scikit-learn's classifiers get here for the keys of their maps. */
const isLabels = ({ name, datatype, shape }: TensorInfo, scores: string) =>
  shape.length === 2 &&
  ((name === "classes" && datatype === "BYTES") ||
    (name === `${scores}_classes` && (datatype === "BYTES" || datatype === "INT64")));

/** The scores of the examples, one after the other, `classes` of each. */
export type Classes = { classes: number; scores: Tensor; labels: readonly Uint8Array[] | undefined };

export const classesOf = (names: readonly string[], outputs: ReadonlyMap<string, Tensor>, count: number): Classes => {
  const scores = outputOf(names[0], outputs);
  const [rows, classes] = scores.shape;
  if (scores.shape.length !== 2 || rows !== count || classes === undefined)
    throw wrongShape(names[0], scores, `[${count}, classes]`);
  const [, labelsName] = names;
  if (labelsName === undefined) return { classes, scores, labels: undefined };
  const labels = outputOf(labelsName, outputs);
  if (labels.shape.length !== 2 || labels.shape[0] !== rows || labels.shape[1] !== classes) {
    throw wrongShape(labelsName, labels, showShape(scores.shape));
  }
  return { classes, scores, labels: textsOf(labels, rows * classes) };
};

/** Labels are texts in this protocol, whatever the classes of the model are. */
const textsOf = ({ datatype, bytes }: Tensor, count: number): readonly Uint8Array[] | undefined =>
  datatype === "BYTES"
    ? splitStrings(bytes, count)
    : Array.from<number | bigint, Uint8Array>(elements(datatype, bytes), (value) => Buffer.from(String(value)));

/** One value for each example. */
export const valuesOf = (names: readonly string[], outputs: ReadonlyMap<string, Tensor>, count: number): Tensor => {
  const values = outputOf(names[0], outputs);
  const [rows, one] = values.shape;
  if (values.shape.length > 2 || rows !== count || (one ?? 1) !== 1)
    throw wrongShape(names[0], values, `[${count}] or [${count}, 1]`);
  return { ...values, shape: [count] };
};

const outputOf = (name: string | undefined, outputs: ReadonlyMap<string, Tensor>): Tensor => {
  const tensor = outputs.get(name ?? "");
  if (tensor === undefined) throw new Error(`the model computed no output "${name}"`);
  return tensor;
};

const wrongShape = (name: string | undefined, { shape }: Tensor, wanted: string) =>
  invalid(`output "${name}" has the shape ${showShape(shape)} where this needs ${wanted}; ask for it with predict`);

export const floatsOf = (tensor: Tensor): ArrayLike<number> => {
  const floats = elements("FP32", tensor.bytes);
  return floats instanceof Float32Array ? floats : [];
};
