/** The tensors, classes and values in the answers of TensorFlow Serving's gRPC services. Pure. */
import { readTensorProto } from "../../protocols/tensorflow-serving/tensor-proto.ts";
import { TYPES } from "../../protocols/tensorflow-serving/types.ts";
import {
  entryOf,
  FIXED32,
  LENGTH,
  numberOf,
  textOf,
  VARINT,
  visitFields,
} from "../../protocols/tensorflow-serving/wire.ts";
import { bytesOf, type Datatype } from "../../tensors/index.ts";
import { encodeStrings } from "../../tensors/strings.ts";
import { opaque, tensorOfBytes } from "./binary.ts";
import { addOutput, type Output, type Outputs } from "./outputs.ts";

const BFLOAT16 = 14;

/** @param most the most bytes of a tensor whose last value repeats */
export const readPredict = (message: Uint8Array, most: number): Outputs => {
  const outputs = new Map<string, Output>();
  eachMessage(message, 1, (entry) => {
    const { key: name, value } = entryOf(entry);
    addOutput(outputs, name, { ...readTensor(name, value, most), name });
  });
  return outputs;
};

const readTensor = (name: string, message: Uint8Array, most: number): Omit<Output, "name"> => {
  let dtype = 0;
  let content: Uint8Array = new Uint8Array();
  const shape: number[] = [];
  visitFields(message, (field, wire, value) => {
    if (field === 1 && wire === VARINT) dtype = numberOf(value);
    else if (field === 4 && wire === LENGTH) content = value;
    else if (field === 2 && wire === LENGTH) eachMessage(value, 2, (dimension) => shape.push(sizeOf(dimension)));
  });
  const datatype = datatypeOf(dtype);
  if (datatype !== undefined) {
    const info = { name, datatype, shape: shape.map(() => null), symbols: shape.map(() => null) };
    return { ...readTensorProto(info, message, most), declared: datatype };
  }
  if (dtype === BFLOAT16 && content.length > 0)
    return { ...tensorOfBytes(name, "BF16", shape, content), declared: "BF16" };
  return { ...opaque(shape, message), declared: `DataType ${dtype}` };
};

const isDatatype = (name: string): name is Datatype => Object.hasOwn(TYPES, name);
const datatypeOf = (dtype: number): Datatype | undefined =>
  Object.keys(TYPES).find((name): name is Datatype => isDatatype(name) && TYPES[name].number === dtype);

const sizeOf = (dimension: Uint8Array): number => {
  let size = 0;
  visitFields(dimension, (field, wire, value) => {
    if (field === 1 && wire === VARINT) size = numberOf(value);
  });
  return size;
};

export const readClassify = (message: Uint8Array): Outputs => {
  const outputs = new Map<string, Output>();
  eachMessage(message, 1, (result) => addClasses(outputs, "", result));
  return outputs;
};

export const readRegress = (message: Uint8Array): Outputs => {
  const outputs = new Map<string, Output>();
  eachMessage(message, 1, (result) => addValues(outputs, "", result));
  return outputs;
};

export const readMultiInference = (message: Uint8Array): Outputs => {
  const outputs = new Map<string, Output>();
  let results = 0;
  eachMessage(message, 1, (result) => {
    const prefix = `results[${results++}].`;
    eachMessage(result, 2, (classes) => addClasses(outputs, prefix, classes));
    eachMessage(result, 3, (values) => addValues(outputs, prefix, values));
  });
  return outputs;
};

/** Of a ClassificationResult: the label and score of each class of each example. */
const addClasses = (outputs: Map<string, Output>, prefix: string, result: Uint8Array): void => {
  const labels: string[] = [];
  const scores: number[] = [];
  const lengths: number[] = [];
  eachMessage(result, 1, (example) => {
    const before = labels.length;
    eachMessage(example, 1, (one) => {
      let [label, score] = ["", 0];
      visitFields(one, (field, wire, value) => {
        if (field === 1 && wire === LENGTH) label = textOf(value);
        else if (field === 2 && wire === FIXED32) score = floatOf(value);
      });
      labels.push(label);
      scores.push(score);
    });
    lengths.push(labels.length - before);
  });
  addText(outputs, `${prefix}classes`, labels);
  addFloats(outputs, `${prefix}scores`, scores);
  addText(outputs, `${prefix}classes (lengths)`, [lengths.join(" ")]);
};

/** Of a RegressionResult: a value for each example. */
const addValues = (outputs: Map<string, Output>, prefix: string, result: Uint8Array): void => {
  const values: number[] = [];
  eachMessage(result, 1, (example) => {
    let number = 0;
    visitFields(example, (field, wire, value) => {
      if (field === 1 && wire === FIXED32) number = floatOf(value);
    });
    values.push(number);
  });
  addFloats(outputs, `${prefix}values`, values);
};

const eachMessage = (bytes: Uint8Array, wanted: number, take: (message: Uint8Array) => void): void =>
  visitFields(bytes, (field, wire, value) => {
    if (field === wanted && wire === LENGTH) take(value);
  });

const floatOf = (bytes: Uint8Array): number => new DataView(bytes.buffer, bytes.byteOffset).getFloat32(0, true);

const addText = (outputs: Map<string, Output>, name: string, texts: string[]): void =>
  addOutput(outputs, name, {
    ...{ name, declared: "text", datatype: "BYTES", shape: [texts.length], bytes: encodeStrings(texts) },
  });

const addFloats = (outputs: Map<string, Output>, name: string, values: readonly number[]): void =>
  addOutput(outputs, name, {
    ...{ name, declared: "FP32", datatype: "FP32", shape: [values.length], bytes: bytesOf(Float32Array.from(values)) },
  });
