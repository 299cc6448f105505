import { invalid } from "../../errors/request-error.ts";
import type { Model } from "../../inference/index.ts";
import { elementCount, type Tensor } from "../../tensors/index.ts";
import { parseDocument } from "../json/document.ts";
import type { NotFinite } from "../json/not-finite.ts";
import { type JsonText, writeFlat } from "../json/write.ts";
import { showShape } from "./check.ts";
import { classesOf, type Example, type FeatureValues, type Task, valuesOf } from "./examples.ts";
import { checkSignatureName, readObject } from "./predict-json.ts";

/** The first byte of `null`, with which clients write what they leave out. */
const NULL = 0x6e;

/** Reads the body of POST …:classify and …:regress. Throws a RequestError. */
export const readExamples = (model: Model, body: Uint8Array): { examples: Example[]; context: Example | undefined } => {
  const infos = new Map(model.inputs.map((info) => [info.name, info]));
  const parsed = parseDocument(body, ([root, second, third, ...more], _parent, first) => {
    if (first === NULL) return undefined;
    const name = root === "examples" ? third : root === "context" && third === undefined ? second : undefined;
    const info = more.length === 0 && typeof name === "string" ? infos.get(name) : undefined;
    if (info === undefined) return undefined;
    const label = `${root === "examples" ? `example ${second}` : "the context"}: feature "${info.name}"`;
    return { label, datatype: info.datatype, shape: undefined, base64: info.datatype === "BYTES" };
  });
  const document = readObject(parsed);
  checkSignatureName(document);
  const { examples, context } = document;
  if (!Array.isArray(examples)) throw invalid(`"examples" must be a list of objects`);
  return {
    examples: examples.map((example, i) => readExample(`example ${i}`, example)),
    context: context === undefined || context === null ? undefined : readExample("the context", context),
  };
};

const readExample = (label: string, value: unknown): Example => {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw invalid(`${label} must be an object`);
  const example = new Map<string, FeatureValues>();
  for (const [name, feature] of Object.entries(value)) {
    if (!isTensor(feature)) continue;
    const { shape, bytes } = feature;
    if (shape.length > 1)
      throw invalid(`${label}: feature "${name}" is nested as ${showShape(shape)}; give a flat list`);
    example.set(name, { count: elementCount(shape) ?? 0, bytes });
  }
  return example;
};

const isTensor = (value: unknown): value is Tensor =>
  typeof value === "object" && value !== null && "bytes" in value && value.bytes instanceof Uint8Array;

/** `{"results": …}`: for each example a list of [label, score], or a value. */
export const writeResults = (
  task: Task,
  names: readonly string[],
  outputs: ReadonlyMap<string, Tensor>,
  count: number,
  notFinite: NotFinite = "bare",
): JsonText => {
  if (task === "regress") return [`{"results":`, ...writeFlat(valuesOf(names, outputs, count), notFinite), "}"];
  const { classes, scores, labels } = classesOf(names, outputs, count);
  const floats = textsOf(writeFlat(scores, notFinite));
  const results = Array.from({ length: count }, (_, row) => {
    const pairs = Array.from({ length: classes }, (_none, i) => {
      const label = Buffer.from(labels?.[row * classes + i] ?? []).toString();
      return `[${JSON.stringify(label)},${floats[row * classes + i]}]`;
    });
    return `[${pairs.join(",")}]`;
  });
  return [`{"results":[${results.join(",")}]}`];
};

/** The numbers of a flat list as texts. */
const textsOf = (list: JsonText): string[] =>
  Buffer.concat(list.map((part) => (typeof part === "string" ? Buffer.from(part) : part)))
    .toString("latin1")
    .slice(1, -1)
    .split(",");
