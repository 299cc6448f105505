import type { Field, Reader } from "./reader.ts";
import type { Constant } from "./structure.ts";

/** Elements of a tensor that are kept: shapes, axes and paddings are far smaller, weights far larger. */
export const MAX_KEPT = 256;
const MAX_RANK = 64;
const MAX_STRING = 4096;

// TensorProto.DataType of what graphs compute shapes and parameters with
const WIDTH: Readonly<Record<number, number>> = { 1: 4, 2: 1, 3: 1, 4: 2, 5: 2, 6: 4, 7: 8, 9: 1, 11: 8, 12: 4, 13: 8 };

const element = (view: DataView, at: number, type: number): number => {
  switch (type) {
    case 1:
      return view.getFloat32(at, true);
    case 3:
      return view.getInt8(at);
    case 4:
      return view.getUint16(at, true);
    case 5:
      return view.getInt16(at, true);
    case 6:
      return view.getInt32(at, true);
    case 7:
      return Number(view.getBigInt64(at, true));
    case 11:
      return view.getFloat64(at, true);
    case 12:
      return view.getUint32(at, true);
    case 13:
      return Number(view.getBigUint64(at, true));
    default:
      return view.getUint8(at);
  }
};

/** Reads one message TensorProto until `end`. */
export const readTensor = (reader: Reader, end: number): { name: string; constant: Constant } => {
  let name = "";
  let type = 0;
  let elsewhere = false;
  let raw: Field | undefined;
  let text: string | undefined;
  const dims: number[] = [];
  const values: number[] = [];
  while (reader.position() < end) {
    const field = reader.field(end);
    switch (field.number) {
      case 1:
        signedNumbers(reader, field, dims, MAX_RANK);
        break;
      case 2:
        type = field.value;
        break;
      case 4:
        fixedNumbers(reader, field, 4, values);
        break;
      case 5:
      case 7:
      case 11:
        signedNumbers(reader, field, values, MAX_KEPT + 1);
        break;
      case 6:
        text = text === undefined ? reader.text(field, MAX_STRING) : undefined;
        break;
      case 8:
        name = reader.text(field, MAX_STRING);
        break;
      case 9:
        raw = field;
        break;
      case 10:
        fixedNumbers(reader, field, 8, values);
        break;
      case 13:
        elsewhere = true;
        break;
      case 14:
        elsewhere ||= field.value !== 0;
        break;
    }
    reader.seek(field.end);
  }
  const count = dims.reduce((product, size) => product * size, 1);
  const width = WIDTH[type];
  const usable = !elsewhere && width !== undefined && count >= 0 && count <= MAX_KEPT;
  if (usable && raw !== undefined && raw.end - raw.at === count * width) {
    const view = reader.bytes(raw, count * width);
    for (let i = 0; i < count; i++) values[i] = element(view, i * width, type);
    values.length = count;
  }
  reader.seek(end);
  const kept = usable && values.length === count ? values : undefined;
  return { name, constant: { type, dims, values: kept, text: count === 1 ? text : undefined } };
};

/** Numbers that are packed or come one by one. */
export const signedNumbers = (reader: Reader, field: Field, into: number[], most: number): void => {
  reader.seek(field.at);
  if (field.wire === "fixed") return;
  do {
    if (field.at === field.end) return;
    const value = reader.signed(field.end);
    if (into.length < most) into.push(value);
  } while (reader.position() < field.end);
};

export const fixedNumbers = (reader: Reader, field: Field, width: 4 | 8, into: number[]): void => {
  const count = Math.floor((field.end - field.at) / width);
  if (field.wire === "varint" || into.length > MAX_KEPT) return;
  const view = reader.bytes(field, Math.min(count, MAX_KEPT + 1) * width);
  for (let at = 0; at + width <= view.byteLength; at += width) {
    into.push(width === 4 ? view.getFloat32(at, true) : view.getFloat64(at, true));
  }
};
