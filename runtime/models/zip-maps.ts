import type { ModelInterface, ModelValue, Place } from "./interface.ts";
import { fieldsOf, type MemoryField, textAt, varintsOf } from "./protobuf.ts";

/** A node ZipMap whose maps are an output of the model. */
export type ZipMap = {
  node: Place;
  output: ModelValue;
  /** The tensor of the maps' values, [rows, keys]. */
  source: string;
  keys: { type: "string"; values: string[] } | { type: "int64"; values: bigint[] };
  /** What the keys are called as an output; undefined where the model's operators are too old to give them. */
  keysName: string | undefined;
};

/** From this version on there is Expand. */
const EXPAND_FROM = 8;
const MAX_KEYS = 100_000;

/** `file`: the model's bytes. */
export const readZipMaps = (file: Uint8Array, { graph, opsets, outputs }: ModelInterface): ZipMap[] => {
  const version = opsets.find(({ domain }) => domain === "" || domain === "ai.onnx")?.version ?? EXPAND_FROM;
  const others = new Map(outputs.filter(({ type }) => type?.kind !== "tensor").map((output) => [output.name, output]));
  const taken = new Set(outputs.map(({ name }) => name));
  const found: ZipMap[] = [];
  for (const node of fieldsOf(file, graph.at, graph.to)) {
    if (node.number !== 1 || node.wire !== 2) continue;
    const read = readNode(file, node);
    const output = others.get(read?.output ?? "");
    if (read === undefined || output === undefined) continue;
    let keysName = `${output.name}_classes`;
    while (taken.has(keysName)) keysName += "_";
    taken.add(keysName);
    const { source, keys } = read;
    const place = { from: node.from, to: node.end };
    found.push({ node: place, output, source, keys, keysName: version < EXPAND_FROM ? undefined : keysName });
  }
  return found;
};

const readNode = (
  file: Uint8Array,
  node: MemoryField,
): { source: string; output: string; keys: ZipMap["keys"] } | undefined => {
  let [source, output, operator, domain] = ["", "", "", ""];
  const attributes: MemoryField[] = [];
  for (const field of fieldsOf(file, node.at, node.end)) {
    if (field.number === 1) source ||= textAt(file, field);
    else if (field.number === 2) output ||= textAt(file, field);
    else if (field.number === 4) operator = textAt(file, field);
    else if (field.number === 7) domain = textAt(file, field);
    else if (field.number === 5) attributes.push(field);
  }
  if (operator !== "ZipMap" || domain !== "ai.onnx.ml") return undefined;
  for (const attribute of attributes) {
    const keys = readKeys(file, attribute);
    if (keys !== undefined) return { source, output, keys };
  }
  return undefined;
};

const readKeys = (file: Uint8Array, attribute: MemoryField): ZipMap["keys"] | undefined => {
  const fields = fieldsOf(file, attribute.at, attribute.end);
  const name = fields.find(({ number }) => number === 1);
  const is = name === undefined ? "" : textAt(file, name);
  if (is === "classlabels_strings") {
    const values = fields.filter(({ number }) => number === 9).map((field) => textAt(file, field));
    return values.length > 0 && values.length <= MAX_KEYS ? { type: "string", values } : undefined;
  }
  if (is !== "classlabels_int64s") return undefined;
  const values = fields
    .filter(({ number }) => number === 8)
    .flatMap((field) => varintsOf(file, field))
    .map((value) => BigInt.asIntN(64, value));
  return values.length > 0 && values.length <= MAX_KEYS ? { type: "int64", values } : undefined;
};
