import { invalid } from "../../errors/request-error.ts";
import { bytesOf, elements, type TensorInfo } from "../../tensors/index.ts";
import type { Example, FeatureValues } from "./examples.ts";
import { checkString, checkWire, countVarints, joined, readIntegers, writeStrings } from "./tensor-proto.ts";
import { entryOf, FIXED32, LENGTH, VARINT, visitFields } from "./wire.ts";

/** An Input message: the examples, and what is common to all of them. */
export type ExampleInput = { examples: Example[]; context: Example | undefined };

/** Each costs a map of its own, of many times the two bytes that an empty one takes in the message. */
const MAX_EXAMPLES = 65_536;

export const readInput = (inputs: readonly TensorInfo[], message: Uint8Array): ExampleInput => {
  let list: Uint8Array | undefined;
  visitFields(message, (field, wire, value) => {
    if ((field === 1 || field === 2) && wire === LENGTH) list = value;
  });
  const result: ExampleInput = { examples: [], context: undefined };
  if (list === undefined) return result;
  // ExampleList is an ExampleListWithContext without its second field
  visitFields(list, (field, wire, value) => {
    if (wire !== LENGTH) return;
    if (field === 1 && result.examples.length === MAX_EXAMPLES)
      throw invalid(`there are more than ${MAX_EXAMPLES} examples`);
    if (field === 1) result.examples.push(readExample(inputs, `example ${result.examples.length}`, value));
    if (field === 2) result.context = readExample(inputs, "the context", value);
  });
  return result;
};

const readExample = (inputs: readonly TensorInfo[], label: string, message: Uint8Array): Example => {
  const example = new Map<string, FeatureValues>();
  visitFields(message, (outer, kind, features) => {
    if (outer !== 1 || kind !== LENGTH) return;
    visitFields(features, (field, wire, entry) => {
      if (field !== 1 || wire !== LENGTH) return;
      const { key, value } = entryOf(entry);
      const info = inputs.find(({ name }) => name === key);
      const values = info === undefined ? undefined : readFeature(`${label}: feature "${key}"`, info, value);
      if (values !== undefined) example.set(key, values);
    });
  });
  return example;
};

const KINDS = ["", "bytes_list", "float_list", "int64_list"];

/** Undefined where the feature holds no list at all. */
const readFeature = (label: string, { datatype }: TensorInfo, message: Uint8Array): FeatureValues | undefined => {
  const wanted = datatype === "BYTES" ? 1 : datatype === "FP32" || datatype === "FP64" ? 2 : 3;
  if (datatype === "FP16") throw invalid(`${label}: an example cannot hold FP16, which the model wants; use Predict`);
  const alone = [LENGTH, LENGTH, FIXED32, VARINT][wanted] ?? VARINT;
  let found: FeatureValues | undefined;
  visitFields(message, (kind, wire, list) => {
    if (wire !== LENGTH || kind < 1 || kind > 3) return;
    if (kind !== wanted) throw invalid(`${label} is a ${KINDS[kind]}, the model wants ${datatype}: a ${KINDS[wanted]}`);
    const eachValue = (take: (value: Uint8Array) => void): void =>
      visitFields(list, (field, wire, value) => {
        if (field !== 1) return;
        checkWire(label, wire, alone);
        take(value);
      });
    if (datatype === "BYTES") {
      let count = 0;
      let size = 0;
      eachValue((value) => {
        checkString(label, count, value);
        count++;
        size += 4 + value.length;
      });
      found = { count, bytes: writeStrings(eachValue, size, 0, new Uint8Array()) };
      return;
    }
    const packed = joined(eachValue);
    if (datatype === "FP32" || datatype === "FP64") {
      if (packed.length % 4 !== 0) throw invalid(`${label}: the last of its values is cut off`);
      const bytes = datatype === "FP32" ? packed : bytesOf(Float64Array.from(elements("FP32", packed), Number));
      found = { count: packed.length / 4, bytes };
    } else {
      const count = countVarints(packed);
      found = { count, bytes: readIntegers(label, datatype, packed, count) };
    }
  });
  return found;
};
