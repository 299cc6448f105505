import { invalid, RequestError } from "../../errors/request-error.ts";
import { boundStrings } from "../../inference/strings.ts";
import {
  bytesOf,
  DATATYPES,
  type Datatype,
  elementCount,
  elements,
  type NumericDatatype,
  type Tensor,
  type TensorInfo,
} from "../../tensors/index.ts";
import { kindOf, stringStarts } from "../../tensors/strings.ts";
import { checkBinaryData } from "../open-inference/binary-data.ts";
import { checkShape } from "./check.ts";
import { FIELD, TYPES, typeName } from "./types.ts";
import {
  add,
  addBytes,
  addMessage,
  addNumber,
  type Cursor,
  FIXED32,
  FIXED64,
  LENGTH,
  numberOf,
  type Pieces,
  pieces,
  readVarint,
  readVarint64,
  VARINT,
  visitFields,
  writeVarint,
  writeVarint64,
} from "./wire.ts";

/**
 * A TensorProto as a tensor for the input `info`. Content and packed floats are passed on without a copy. As in TensorFlow
 * content goes before typed values; of these the last repeats where they are too few, and none are zeros.
 * @param maxBytes the most bytes that the tensor may have: repeated values take more than they took in the message
 */
export const readTensorProto = (info: TensorInfo, message: Uint8Array, maxBytes: number): Tensor => {
  const label = `input "${info.name}"`;
  const { name: wanted, number, field: valuesField } = TYPES[info.datatype];
  let dtype = 0;
  let shape: number[] | undefined = [];
  let content: Uint8Array | undefined;
  const alone = wireOf(info.datatype);
  const eachValue: EachValue = (take) =>
    visitFields(message, (field, wire, value) => {
      if (field !== valuesField) return;
      checkWire(label, wire, alone);
      take(value);
    });
  visitFields(message, (field, wire, value) => {
    if (field === 1 && wire === 0) dtype = numberOf(value);
    else if (field === 2 && wire === 2) shape = readShape(value);
    else if (field === 4 && wire === 2) content = value;
  });
  if (dtype !== number) throw invalid(`${label}: dtype is ${typeName(dtype)}, the model wants ${wanted}`);
  if (shape === undefined) throw invalid(`${label}: tensor_shape has an unknown rank; give the sizes`);
  checkShape(info, shape);
  const count = elementCount(shape);
  if (count === undefined)
    throw invalid(`${label}: shape [${shape}] has more elements than can be counted; correct the shape`);
  const { datatype } = info;
  if (datatype === "BYTES") {
    if (content !== undefined && content.length > 0) {
      throw invalid(`${label}: strings in tensor_content are not supported; give string_val`);
    }
    boundStrings(label, count);
    return { datatype, shape, bytes: readStrings(label, eachValue, count, maxBytes) };
  }
  const size = count * DATATYPES[datatype].bytes;
  if (content !== undefined && content.length > 0) {
    if (content.length !== size) {
      throw invalid(`${label}: tensor_content has ${content.length} bytes, the shape [${shape}] wants ${size}`);
    }
    if (datatype === "BOOL") checkBinaryData(label, datatype, content, count);
    return { datatype, shape, bytes: content };
  }
  if (size > maxBytes) throw tooLarge(label, size, maxBytes);
  return { datatype, shape, bytes: readNumbers(label, datatype, joined(eachValue), count) };
};

/** Numbers may be packed or stand one by one, in the form `alone`; what else there is would become numbers of other bytes. */
export const checkWire = (label: string, wire: number, alone: number): void => {
  if (wire !== LENGTH && wire !== alone) throw invalid(`${label}: its values have the wrong wire type ${wire}`);
};

const wireOf = (datatype: Datatype): number => {
  if (datatype === "BYTES") return LENGTH;
  if (datatype === "FP64") return FIXED64;
  return datatype === "FP32" ? FIXED32 : VARINT;
};

/** Calls `take` for each field with values. They are not kept in a list: one may be two bytes of many megabytes. */
type EachValue = (take: (value: Uint8Array) => void) => void;

/** All that `each` gives, one after the other: a slice of the message where it is in one piece. */
export const joined = (each: EachValue): Uint8Array => {
  let pieces = 0;
  let total = 0;
  let only: Uint8Array = new Uint8Array();
  each((value) => {
    pieces++;
    total += value.length;
    only = value;
  });
  if (pieces <= 1) return only;
  const whole = Buffer.allocUnsafe(total);
  let at = 0;
  each((value) => {
    whole.set(value, at);
    at += value.length;
  });
  return whole;
};

const tooLarge = (label: string, size: number, most: number) =>
  new RequestError("TooLarge", `${label}: has ${size} bytes, this server takes at most ${most}`);

const MAX_DIMENSIONS = 64;

/** Undefined: the rank is not known. */
const readShape = (message: Uint8Array): number[] | undefined => {
  const shape: number[] = [];
  let unknown = false;
  visitFields(message, (field, wire, value) => {
    if (field === 2 && wire === 2) {
      let size = 0;
      visitFields(value, (inner, kind, content) => {
        if (inner === 1 && kind === 0) size = numberOf(content);
      });
      if (shape.length === MAX_DIMENSIONS) throw invalid(`a tensor_shape has more than ${MAX_DIMENSIONS} dimensions`);
      shape.push(size);
    } else if (field === 3 && wire === 0) unknown = numberOf(value) !== 0;
  });
  return unknown ? undefined : shape;
};

const readNumbers = (label: string, datatype: NumericDatatype, packed: Uint8Array, count: number): Uint8Array => {
  const fixed = datatype === "FP32" || datatype === "FP64";
  return fixed
    ? repeatLast(label, packed, DATATYPES[datatype].bytes, count)
    : readIntegers(label, datatype, packed, count);
};

const tooMany = (label: string, given: number, count: number) =>
  invalid(`${label}: has ${given} values, the shape has ${count} elements`);

const repeatLast = (label: string, values: Uint8Array, size: number, count: number): Uint8Array => {
  if (values.length === size * count) return values;
  if (values.length % size !== 0) throw invalid(`${label}: the last of its values is cut off`);
  if (values.length > size * count) throw tooMany(label, values.length / size, count);
  const bytes = Buffer.alloc(size * count);
  bytes.set(values);
  if (values.length > 0) bytes.fill(values.subarray(values.length - size), values.length);
  return bytes;
};

/** Bounds of the types that travel as wider numbers. */
const RANGE: Partial<Record<NumericDatatype, readonly [number, number]>> = {
  INT8: [-128, 127],
  INT16: [-32768, 32767],
  INT32: [-(2 ** 31), 2 ** 31 - 1],
  UINT8: [0, 255],
  UINT16: [0, 65535],
  UINT32: [0, 2 ** 32 - 1],
  FP16: [0, 65535],
};

/** Varints as the elements of an integer type, of BOOL, or of FP16 (its bits). Missing ones are as in `repeatLast`. */
export const readIntegers = (
  label: string,
  datatype: NumericDatatype,
  packed: Uint8Array,
  count: number,
): Uint8Array => {
  const { Array: Typed, bytes: size } = DATATYPES[datatype];
  const array = new Typed(count);
  const bytes = bytesOf(array);
  const cursor: Cursor = { bytes: packed, at: 0 };
  const range = RANGE[datatype] ?? [0, 0];
  // 64-bit elements are two 32-bit words each, the lower one first: no BigInt is made
  const words = size === 8 ? new Uint32Array(array.buffer) : undefined;
  let i = 0;
  for (; cursor.at < packed.length; i++) {
    if (i === count) throw tooMany(label, countVarints(packed), count);
    if (words !== undefined) {
      const { low, high } = readVarint64(cursor);
      words[2 * i] = low;
      words[2 * i + 1] = high;
    } else {
      const value = readVarint(cursor);
      if (datatype === "BOOL") bytes[i] = value === 0 ? 0 : 1;
      else if (value < range[0] || value > range[1]) {
        throw invalid(`${label}: value ${i} is ${value}, ${TYPES[datatype].name} holds ${range[0]} to ${range[1]}`);
      } else if (!(array instanceof BigInt64Array || array instanceof BigUint64Array)) array[i] = value;
    }
  }
  return i === 0 || i === count ? bytes : repeatLast(label, bytes.subarray(0, i * size), size, count);
};

/** Each varint ends with the only byte of it that is below 0x80. */
export const countVarints = (packed: Uint8Array): number => {
  let count = 0;
  for (const byte of packed) if (byte < 0x80) count++;
  return count;
};

/** Throws a RequestError where the model cannot be given the string. */
export const checkString = (label: string, index: number, value: Uint8Array): void => {
  // onnxruntime ends a text at NUL and takes nothing but UTF-8
  const kind = kindOf(value, 0, value.length);
  if (kind === "nul") throw invalid(`${label}: string ${index} has a NUL byte, at which the model would end it`);
  if (kind === "other") throw invalid(`${label}: string ${index} is not UTF-8`);
};

const readStrings = (label: string, each: EachValue, count: number, maxBytes: number): Uint8Array => {
  let given = 0;
  let size = 0;
  let last: Uint8Array = new Uint8Array();
  each((value) => {
    checkString(label, given, value);
    given++;
    size += 4 + value.length;
    last = value;
  });
  if (given > count) throw tooMany(label, given, count);
  size += (count - given) * (4 + last.length);
  if (size > maxBytes) throw tooLarge(label, size, maxBytes);
  return writeStrings(each, size, count - given, last);
};

/** Strings as a tensor's bytes, of `size`: those that `each` gives and then `last` so many times more. */
export const writeStrings = (each: EachValue, size: number, more: number, last: Uint8Array): Uint8Array => {
  const bytes = Buffer.allocUnsafe(size);
  let at = 0;
  const write = (value: Uint8Array): void => {
    at = bytes.writeUInt32LE(value.length, at);
    bytes.set(value, at);
    at += value.length;
  };
  each(write);
  for (let i = 0; i < more; i++) write(last);
  return bytes;
};

/** A TensorProto with typed values, as TensorFlow Serving answers: clients read `float_val` and its like. */
export const writeTensorProto = ({ datatype, shape, bytes }: Tensor): Pieces => {
  const message = pieces();
  const { number, field } = TYPES[datatype];
  addNumber(message, 1, number);
  addMessage(message, 2, writeShape(shape));
  if (datatype === "BYTES") {
    add(message, packStrings(field, bytes, elementCount(shape) ?? 0));
  } else if (bytes.length > 0) {
    const plain = field === FIELD.float || field === FIELD.double || field === FIELD.bool;
    addBytes(message, field, plain ? bytes : packIntegers(datatype, bytes));
  }
  return message;
};

/** A size of `null` is written as -1: any. `anyRank`: the number of dimensions is open as well. */
export const writeShape = (shape: readonly (number | null)[], anyRank = false): Pieces => {
  const message = pieces();
  if (anyRank) addNumber(message, 3, 1);
  for (const size of shape) {
    const dimension = pieces();
    addNumber(dimension, 1, size ?? -1);
    addMessage(message, 2, dimension);
  }
  return message;
};

/** A field for each string, all in one piece: two pieces for each would take a hundred times what an empty one has. */
const packStrings = (field: number, bytes: Uint8Array, count: number): Uint8Array => {
  const starts = stringStarts(bytes, count);
  if (starts === undefined) throw new Error("the model's strings are not those of its shape");
  // the field's number takes a byte, and a length up to five instead of four
  const packed = Buffer.allocUnsafe(bytes.length + 2 * count);
  let at = 0;
  for (let i = 0; i < count; i++) {
    const start = starts[i] ?? 0;
    const end = (starts[i + 1] ?? 0) - 4;
    packed[at] = field * 8 + LENGTH;
    at = writeVarint(end - start, packed, at + 1);
    packed.set(bytes.subarray(start, end), at);
    at += end - start;
  }
  return packed.subarray(0, at);
};

const packIntegers = (datatype: NumericDatatype, bytes: Uint8Array): Uint8Array => {
  const array = elements(datatype, bytes);
  // 10 bytes: what a negative number takes
  const packed = Buffer.allocUnsafe(array.length * 10);
  let end = 0;
  if (array instanceof BigInt64Array || array instanceof BigUint64Array) {
    const words = new Uint32Array(array.buffer, array.byteOffset, array.length * 2);
    for (let i = 0; i < words.length; i += 2) end = writeVarint64(words[i] ?? 0, words[i + 1] ?? 0, packed, end);
  } else for (const value of array) end = writeVarint(value, packed, end);
  return packed.subarray(0, end);
};
