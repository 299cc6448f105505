import { type Datatype, type TensorData, zeros } from "../../engine/tensors.ts";
import { badRequest } from "./errors.ts";
import { MAX_DEPTH } from "./json-text.ts";

const RANGES: Partial<Record<Datatype, readonly [number, number]>> = {
  UINT8: [0, 0xff],
  UINT16: [0, 0xffff],
  UINT32: [0, 0xffffffff],
  INT8: [-0x80, 0x7f],
  INT16: [-0x8000, 0x7fff],
  INT32: [-0x80000000, 0x7fffffff],
};

/**
 * A tensor's JSON `data`, nested or flat, as `count` elements in row-major order. Strict: no value is rounded,
 * wrapped or converted. `allowInfinity` is false where Infinity can only be a number too large for a double.
 */
export const readJsonData = (
  name: string,
  datatype: Datatype,
  data: unknown,
  count: number,
  allowInfinity: boolean,
): TensorData => {
  if (datatype === "FP16") {
    throw badRequest(`input "${name}": FP16 has no JSON form; send it as binary data (binary_data_size)`);
  }
  if (!Array.isArray(data)) throw badRequest(`input "${name}": data must be an array`);
  const length = countLeaves(name, data);
  if (length !== count) throw badRequest(`input "${name}": its shape wants ${count} elements, data has ${length}`);
  const target = zeros(datatype, count);
  const convert = converter(datatype, allowInfinity);
  let index = 0;
  const walk = (items: readonly unknown[]): void => {
    for (const item of items) {
      if (Array.isArray(item)) walk(item);
      else {
        const value = convert(item);
        if (value === undefined)
          throw badRequest(`input "${name}": data[${index}] is ${show(item)}, ${WANTS[datatype]}`);
        target[index++] = value;
      }
    }
  };
  walk(data);
  return target;
};

const countLeaves = (name: string, data: readonly unknown[]): number => {
  let count = 0;
  const walk = (items: readonly unknown[], depth: number): void => {
    if (depth > MAX_DEPTH) throw badRequest(`input "${name}": data has more than ${MAX_DEPTH} levels of nesting`);
    for (const item of items) {
      if (Array.isArray(item)) walk(item, depth + 1);
      else count++;
    }
  };
  walk(data, 1);
  return count;
};

const WANTS: Record<Datatype, string> = {
  BOOL: "BOOL wants true or false",
  UINT8: "UINT8 wants a whole number from 0 to 255",
  UINT16: "UINT16 wants a whole number from 0 to 65535",
  UINT32: "UINT32 wants a whole number from 0 to 4294967295",
  UINT64: "UINT64 wants a whole number from 0 to 18446744073709551615, in plain digits",
  INT8: "INT8 wants a whole number from -128 to 127",
  INT16: "INT16 wants a whole number from -32768 to 32767",
  INT32: "INT32 wants a whole number from -2147483648 to 2147483647",
  INT64: "INT64 wants a whole number from -9223372036854775808 to 9223372036854775807, in plain digits",
  FP16: "FP16 wants binary data",
  FP32: "FP32 wants a number up to 3.4e38",
  FP64: "FP64 wants a number up to 1.8e308",
  BYTES: "BYTES wants a well-formed string without the character NUL",
};

/** A function that gives the element to store, or undefined where the value is not of the type. */
const converter = (
  datatype: Datatype,
  allowInfinity: boolean,
): ((value: unknown) => number | bigint | string | undefined) => {
  switch (datatype) {
    case "BOOL":
      return (value) => (value === true ? 1 : value === false ? 0 : undefined);
    case "BYTES":
      // onnxruntime would cut a string at NUL without a word
      return (value) =>
        typeof value === "string" && value.isWellFormed() && !value.includes("\0") ? value : undefined;
    case "FP32":
    case "FP64":
    case "FP16": {
      const largest = datatype === "FP32" ? 3.4028235677973366e38 : Number.POSITIVE_INFINITY;
      return (value) => {
        const number = typeof value === "bigint" ? Number(value) : value;
        if (typeof number !== "number") return undefined;
        if (Math.abs(number) === Number.POSITIVE_INFINITY) return allowInfinity ? number : undefined;
        return Math.abs(number) >= largest ? undefined : number;
      };
    }
    case "INT64":
    case "UINT64": {
      const wrap = datatype === "INT64" ? BigInt.asIntN : BigInt.asUintN;
      return (value) => {
        // beyond 2^53 a number with a point or an exponent has been rounded already; plain digits come as bigint
        if (typeof value === "number") return Number.isSafeInteger(value) ? inRange(wrap, BigInt(value)) : undefined;
        return typeof value === "bigint" ? inRange(wrap, value) : undefined;
      };
    }
    default: {
      const [least, greatest] = RANGES[datatype] ?? [0, 0];
      return (value) =>
        typeof value === "number" && Number.isInteger(value) && value >= least && value <= greatest ? value : undefined;
    }
  }
};

const inRange = (wrap: (bits: number, value: bigint) => bigint, value: bigint): bigint | undefined =>
  wrap(64, value) === value ? value : undefined;

const show = (value: unknown): string => {
  if (typeof value === "bigint" || typeof value === "number") return String(value);
  const text = JSON.stringify(value) ?? "undefined";
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
};

/** A tensor's data as the text of a flat JSON array; NaN and the infinities as the bare tokens that clients of the protocol read. */
export const writeJsonData = (datatype: Datatype, data: TensorData): string => {
  if (datatype === "BYTES") return JSON.stringify(data);
  if (datatype === "BOOL") return `[${data.join(",").replaceAll("1", "true").replaceAll("0", "false")}]`;
  if (datatype === "FP32" || datatype === "FP64") return `[${writeFloats(data)}]`;
  return `[${data.join(",")}]`;
};

/** JavaScript writes -0 as "0". */
const writeFloats = (data: TensorData): string =>
  data.some((value) => Object.is(value, -0))
    ? Array.from<unknown>(data)
        .map((value) => (Object.is(value, -0) ? "-0" : String(value)))
        .join(",")
    : data.join(",");
