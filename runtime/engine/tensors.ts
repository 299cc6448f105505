/** The Open Inference Protocol's tensor types, and how onnxruntime calls them and JavaScript holds them. */
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
export type NumericData =
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
export type TensorData = NumericData | string[];

export const isDatatype = (name: string): name is Datatype => name === "BYTES" || Object.hasOwn(DATATYPES, name);

/** The protocol's name of an onnxruntime type; undefined where the protocol has none. */
export const fromOnnxType = (type: string): Datatype | undefined => {
  if (type === "string") return "BYTES";
  return Object.keys(DATATYPES)
    .filter(isDatatype)
    .find((datatype) => toOnnxType(datatype) === type);
};

export const toOnnxType = (datatype: Datatype): string => (datatype === "BYTES" ? "string" : DATATYPES[datatype].onnx);

/** A zeroed tensor's data of `length` elements; strings are empty. */
export const zeros = (datatype: Datatype, length: number): TensorData =>
  datatype === "BYTES" ? Array<string>(length).fill("") : new DATATYPES[datatype].Array(length);

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
