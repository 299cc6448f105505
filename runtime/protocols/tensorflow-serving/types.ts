import type { Datatype } from "../../tensors/index.ts";

/** The fields of TensorProto that hold one type's values. */
export const FIELD = { float: 5, double: 6, int: 7, string: 8, int64: 10, bool: 11, half: 13, uint32: 16, uint64: 17 };

/** TensorFlow's name and number of each type, and where a TensorProto holds its values. */
export const TYPES: Readonly<Record<Datatype, { name: string; number: number; field: number }>> = {
  FP32: { name: "DT_FLOAT", number: 1, field: FIELD.float },
  FP64: { name: "DT_DOUBLE", number: 2, field: FIELD.double },
  INT32: { name: "DT_INT32", number: 3, field: FIELD.int },
  UINT8: { name: "DT_UINT8", number: 4, field: FIELD.int },
  INT16: { name: "DT_INT16", number: 5, field: FIELD.int },
  INT8: { name: "DT_INT8", number: 6, field: FIELD.int },
  BYTES: { name: "DT_STRING", number: 7, field: FIELD.string },
  INT64: { name: "DT_INT64", number: 9, field: FIELD.int64 },
  BOOL: { name: "DT_BOOL", number: 10, field: FIELD.bool },
  UINT16: { name: "DT_UINT16", number: 17, field: FIELD.int },
  FP16: { name: "DT_HALF", number: 19, field: FIELD.half },
  UINT32: { name: "DT_UINT32", number: 22, field: FIELD.uint32 },
  UINT64: { name: "DT_UINT64", number: 23, field: FIELD.uint64 },
};

/** For messages: the name of a number, or the number where it is none of a tensor's. */
export const typeName = (number: number): string =>
  Object.values(TYPES).find((type) => type.number === number)?.name ?? `the DataType ${number}`;
