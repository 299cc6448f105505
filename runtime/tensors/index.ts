/** Tensors as they travel: bytes, described by a type of the Open Inference Protocol and a shape. */

/** How each type is held, and how onnxruntime calls it. FP16 is held as its 16 bits. */
export const DATATYPES = {
  BOOL: { onnx: "bool", bytes: 1, Array: Uint8Array },
  UINT8: { onnx: "uint8", bytes: 1, Array: Uint8Array },
  UINT16: { onnx: "uint16", bytes: 2, Array: Uint16Array },
  UINT32: { onnx: "uint32", bytes: 4, Array: Uint32Array },
  UINT64: { onnx: "uint64", bytes: 8, Array: BigUint64Array },
  INT8: { onnx: "int8", bytes: 1, Array: Int8Array },
  INT16: { onnx: "int16", bytes: 2, Array: Int16Array },
  INT32: { onnx: "int32", bytes: 4, Array: Int32Array },
  INT64: { onnx: "int64", bytes: 8, Array: BigInt64Array },
  FP16: { onnx: "float16", bytes: 2, Array: Uint16Array },
  FP32: { onnx: "float32", bytes: 4, Array: Float32Array },
  FP64: { onnx: "float64", bytes: 8, Array: Float64Array },
} as const;

/** Types whose elements have a fixed size. */
export type NumericDatatype = keyof typeof DATATYPES;
export type Datatype = NumericDatatype | "BYTES";

/** What a model declares of one input or output. */
export type TensorInfo = {
  name: string;
  datatype: Datatype;
  /** `null`: any size. */
  shape: (number | null)[];
  /** The model's names of its open dimensions, such as "batch"; `null` where it names none. As long as `shape`. */
  symbols: (string | null)[];
  /** The model does not say how many dimensions there are: any shape fits, and `shape` is empty. */
  anyRank?: boolean | undefined;
  /** Of an input that a request may leave out: what the model then takes. */
  default?: DefaultValue | undefined;
};

/** A tensor of an input's type as plain data, since it goes from process to process as JSON. */
export type DefaultValue = { shape: number[]; base64: string };

/**
 * A value of `shape`, row-major and little-endian. For BYTES each element is its length as an unsigned 32-bit number
 * and then so many bytes, as in the protocol's binary form. `bytes` may lie at any offset of its buffer.
 */
export type Tensor = { datatype: Datatype; shape: readonly number[]; bytes: Uint8Array };

export type NumericArray =
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | BigUint64Array
  | Int8Array
  | Int16Array
  | Int32Array
  | BigInt64Array
  | Float32Array
  | Float64Array;

export const isDatatype = (name: string): name is Datatype => name === "BYTES" || Object.hasOwn(DATATYPES, name);

/** The number of elements of a shape, or undefined where it is not a safe integer. */
export const elementCount = (shape: readonly number[]): number | undefined => {
  if (shape.includes(0)) return 0;
  let count = 1;
  for (const dimension of shape) {
    count *= dimension;
    if (!Number.isSafeInteger(count)) return undefined;
  }
  return count;
};

/** The elements of a numeric tensor. No copy where its bytes are aligned for its type. */
export const elements = (datatype: NumericDatatype, bytes: Uint8Array): NumericArray => {
  const { Array: Typed, bytes: size } = DATATYPES[datatype];
  const aligned = bytes.byteOffset % size === 0 && bytes.buffer instanceof ArrayBuffer;
  const from = aligned ? bytes : Uint8Array.from(bytes);
  return new Typed(from.buffer as ArrayBuffer, from.byteOffset, from.byteLength / size);
};

/** The numbers of a floating point tensor, of halves too, which `elements` gives as their bits; undefined for other types. */
export const floats = ({ datatype, bytes }: Tensor): Float16Array | Float32Array | Float64Array | undefined => {
  if (datatype !== "FP16" && datatype !== "FP32" && datatype !== "FP64") return undefined;
  const held = elements(datatype, bytes);
  if (held instanceof Float32Array || held instanceof Float64Array) return held;
  return new Float16Array(held.buffer, held.byteOffset, held.length);
};

/** The bytes of an array's elements; no copy. */
export const bytesOf = (array: NumericArray): Uint8Array =>
  new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
