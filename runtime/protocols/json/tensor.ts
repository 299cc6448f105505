import { invalid, type RequestError } from "../../errors/request-error.ts";
import { boundStrings } from "../../inference/strings.ts";
import {
  bytesOf,
  DATATYPES,
  type Datatype,
  elementCount,
  elements,
  type NumericArray,
  type NumericDatatype,
  type Tensor,
} from "../../tensors/index.ts";
import { type Scan, scanNumbers } from "./scan.ts";
import type { Sink } from "./sink.ts";
import { MAX_DEPTH, nextByte, notJson, type Source, skipValue, sourceOf, takeWord } from "./source.ts";
import { createStrings } from "./strings.ts";
import type { TensorSpec } from "./types.ts";

const OPEN = 0x5b;
const CLOSE = 0x5d;
const COMMA = 0x2c;

/** Reads a whole text as a tensor. Throws a RequestError that names the tensor, and the element where there is one. */
export const parseTensor = (text: Uint8Array, spec: TensorSpec): Tensor => {
  const source = sourceOf(text);
  const tensor = readTensor(source, spec);
  nextByte(source);
  if (source.at < text.length) throw notJson(source, "text after the end");
  return tensor;
};

/** Reads the value at `source.at` as a tensor, and goes behind it. */
export const readTensor = (source: Source, spec: TensorSpec): Tensor => {
  const { datatype, label } = spec;
  if (datatype === "FP16") throw invalid(`${label}: FP16 has no JSON form; send it as binary data`);
  const first = nextByte(source);
  if (first !== OPEN && spec.shape !== undefined) throw invalid(`${label}: data must be an array`);
  const wanted = spec.shape === undefined ? undefined : countOf(source, spec, spec.shape);
  if (datatype === "BYTES" && wanted !== undefined) boundStrings(label, wanted);
  const sink = createSink(datatype, spec, wanted);
  const nesting = readLists(source, spec, sink, first);
  const { shape = nesting.sizes } = spec;
  if (wanted !== undefined) {
    if (nesting.count !== wanted)
      throw invalid(`${label}: its shape wants ${wanted} elements, data has ${nesting.count}; correct one of the two`);
    if (nesting.sizes.length > 1 && !fits(nesting.sizes, shape)) {
      throw invalid(
        `${label}: data is nested as [${nesting.sizes}], its shape is [${shape}]; nest it as its shape or not at all`,
      );
    }
  }
  return { datatype, shape, bytes: sink.finish() };
};

/** Each element takes a digit and a comma, so that a text's length bounds what is set aside for its elements. */
const countOf = (source: Source, { label }: TensorSpec, shape: readonly number[]): number => {
  const count = elementCount(shape);
  if (count === undefined)
    throw invalid(`${label}: shape [${shape}] has more elements than can be counted; correct the shape`);
  if (count > source.bytes.length - source.at) {
    throw invalid(
      `${label}: its shape wants ${count} elements, data has at most ${source.bytes.length - source.at}; correct one of the two`,
    );
  }
  return count;
};

/** Dimensions of one change neither the number nor the order of elements. */
const fits = (sizes: readonly number[], shape: readonly number[]): boolean =>
  String(sizes.filter((size) => size !== 1)) === String(shape.filter((size) => size !== 1));

const ragged = ({ label }: TensorSpec, at: number): RequestError =>
  invalid(`${label}: data is ragged: at byte ${at} of the text a list differs in length or depth from those beside it`);

const readLists = (source: Source, spec: TensorSpec, sink: Sink, first: number): { count: number; sizes: number[] } => {
  if (first !== OPEN) return { count: readScalar(source, spec, sink), sizes: [] };
  const counts = [0];
  const sizes: number[] = [];
  let depth = 0;
  let leafDepth = 0;
  let count = 0;
  for (;;) {
    let byte = nextByte(source);
    if (byte === OPEN) {
      if (++depth > MAX_DEPTH) throw invalid(`${spec.label}: data has more than ${MAX_DEPTH} levels of nesting`);
      if (leafDepth > 0 && depth > leafDepth) throw ragged(spec, source.at);
      counts[depth] = 0;
      source.at++;
      byte = nextByte(source);
      if (byte === OPEN) continue;
      if (byte === CLOSE && leafDepth === 0) leafDepth = depth;
    } else if (byte === CLOSE) throw notJson(source);
    if (byte !== CLOSE) {
      if (leafDepth === 0) leafDepth = depth;
      else if (leafDepth !== depth) throw ragged(spec, source.at);
      const read = sink.read(source);
      counts[depth] = read;
      count += read;
      byte = nextByte(source);
      if (byte !== CLOSE) throw byte === OPEN ? ragged(spec, source.at) : notJson(source);
    }
    while (byte === CLOSE) {
      const size = counts[depth] ?? 0;
      sizes[depth - 1] ??= size;
      if (sizes[depth - 1] !== size) throw ragged(spec, source.at);
      source.at++;
      if (--depth === 0) return { count, sizes };
      counts[depth] = (counts[depth] ?? 0) + 1;
      byte = nextByte(source);
    }
    if (byte !== COMMA) throw notJson(source);
    source.at++;
  }
};

/** The value is cut out, so that a comma behind it is not taken for one between elements. */
const readScalar = (source: Source, spec: TensorSpec, sink: Sink): number => {
  const after = { bytes: source.bytes, at: source.at };
  skipValue(after);
  const alone = { bytes: source.bytes.subarray(0, after.at), at: source.at };
  const read = sink.read(alone);
  if (read !== 1 || alone.at < after.at) throw wrong(source, spec, 0);
  source.at = after.at;
  return read;
};

const createSink = (datatype: Exclude<Datatype, "FP16">, spec: TensorSpec, wanted: number | undefined): Sink => {
  switch (datatype) {
    case "BYTES":
      return createStrings(spec, wrong);
    case "BOOL":
      return createBooleans(spec, wanted);
    case "FP32":
    case "FP64":
      return createFloats(datatype, spec, wanted);
    default:
      return createIntegers(datatype, spec, wanted);
  }
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

const VALUE =
  /^(?:"(?:[^"\\]|\\.){0,38}"?|-?(?:0|[1-9]\d{0,38})(?![\d])[-+.\deE]{0,38}|(?:-?Infinity|NaN|null|true|false)\b|\{|\[)/u;

/** The element at `source.at` is not of the type, unless it is no JSON at all. */
const wrong = (source: Source, { label, datatype }: TensorSpec, index: number): RequestError => {
  if (source.bytes[source.at] === OPEN) return ragged({ label, datatype, shape: undefined }, source.at);
  const text = source.bytes.toString("utf8", source.at, source.at + 160);
  const shown = VALUE.exec(text)?.[0];
  if (shown === undefined) {
    // more digits than are shown
    if (/^-?[1-9]\d{39}/.test(text))
      return invalid(`${label}: data[${index}] is ${text.slice(0, 40)}…, ${WANTS[datatype]}`);
    return notJson(source);
  }
  const whole =
    shown.startsWith('"') && (shown.length === 1 || !shown.endsWith('"')) ? `${shown}…` : shown === "{" ? "{…}" : shown;
  return invalid(`${label}: data[${index}] is ${whole}, ${WANTS[datatype]}`);
};

/** The smallest room for elements whose number is not known; doubled as they come. */
const FIRST_ROOM = 16;

// Small buffers come from Node's pool, which is much cheaper than memory of their own; it is aligned for every type.
const newFloats = (datatype: "FP32" | "FP64", length: number): Float32Array | Float64Array => {
  const { Array: Floats, bytes } = DATATYPES[datatype];
  const memory = Buffer.allocUnsafe(length * bytes);
  return memory.byteOffset % bytes === 0 ? new Floats(memory.buffer, memory.byteOffset, length) : new Floats(length);
};

const createFloats = (datatype: "FP32" | "FP64", spec: TensorSpec, wanted: number | undefined): Sink => {
  let out = newFloats(datatype, wanted ?? FIRST_ROOM);
  const scan: Scan = { count: 0, stop: "closed" };
  return {
    read(source) {
      const before = scan.count;
      for (;;) {
        if (wanted === undefined && scan.count === out.length) {
          const more = newFloats(datatype, out.length * 2);
          more.set(out);
          out = more;
        }
        scanNumbers(source, out, scan, datatype === "FP32", undefined);
        if (scan.stop === "closed") return scan.count - before;
        if (scan.stop !== "full") throw wrong(source, spec, scan.count);
        if (wanted !== undefined) throw tooMany(spec, wanted);
      }
    },
    finish: () => bytesOf(out).subarray(0, scan.count * out.BYTES_PER_ELEMENT),
  };
};

const tooMany = ({ label }: TensorSpec, wanted: number): RequestError =>
  invalid(`${label}: its shape wants ${wanted} elements, data has more; correct one of the two`);

// Reading does not wait for anything, so that all may share them.
const CHUNK = 512;
const chunk = new Float64Array(CHUNK);
const starts = new Uint32Array(CHUNK);

const createIntegers = (
  datatype: Exclude<NumericDatatype, "BOOL" | "FP16" | "FP32" | "FP64">,
  spec: TensorSpec,
  wanted: number | undefined,
): Sink => {
  let out = elements(datatype, Buffer.allocUnsafe((wanted ?? FIRST_ROOM) * DATATYPES[datatype].bytes));
  const scan: Scan = { count: 0, stop: "closed" };
  let count = 0;
  const store = (source: Source): void => {
    if (count + scan.count > out.length) {
      if (wanted !== undefined) throw tooMany(spec, wanted);
      const size = Math.max(out.length * 2, count + scan.count);
      const more = Buffer.allocUnsafe(size * out.BYTES_PER_ELEMENT);
      more.set(bytesOf(out));
      out = elements(datatype, more);
    }
    const bad =
      out instanceof BigInt64Array || out instanceof BigUint64Array
        ? storeLong(source, out, count, scan.count)
        : storeShort(out, count, scan.count, RANGES[datatype]);
    if (bad >= 0) throw wrong({ bytes: source.bytes, at: starts[bad] ?? 0 }, spec, count + bad);
    count += scan.count;
  };
  return {
    read(source) {
      const before = count;
      for (;;) {
        scan.count = 0;
        scanNumbers(source, chunk, scan, false, starts);
        store(source);
        if (scan.stop === "closed") return count - before;
        if (scan.stop !== "full") throw wrong(source, spec, count);
      }
    },
    finish: () => bytesOf(out).subarray(0, count * out.BYTES_PER_ELEMENT),
  };
};

const RANGES: Record<NumericDatatype, readonly [number, number]> = {
  UINT8: [0, 0xff],
  UINT16: [0, 0xffff],
  UINT32: [0, 0xffffffff],
  INT8: [-0x80, 0x7f],
  INT16: [-0x8000, 0x7fff],
  INT32: [-0x80000000, 0x7fffffff],
  UINT64: [0, 2 ** 64],
  INT64: [-(2 ** 63), 2 ** 63],
  BOOL: [0, 1],
  FP16: [0, 0],
  FP32: [0, 0],
  FP64: [0, 0],
};

type ShortArray = Exclude<NumericArray, BigInt64Array | BigUint64Array>;

/** Stores `count` numbers of the chunk from `at` on. Gives which of them is out of range or not whole; -1 if none is. */
const storeShort = (
  out: ShortArray,
  at: number,
  count: number,
  [least, greatest]: readonly [number, number],
): number => {
  for (let i = 0; i < count; i++) {
    const value = chunk[i] ?? Number.NaN;
    if (!(value >= least && value <= greatest && Math.floor(value) === value)) return i;
    out[at + i] = value;
  }
  return -1;
};

/** The same for 64 bits, as two halves where a double is exact: a bigint for each element costs several times as much. */
const storeLong = (source: Source, out: BigInt64Array | BigUint64Array, at: number, count: number): number => {
  const halves = new Int32Array(out.buffer, out.byteOffset, out.length * 2);
  const signed = out instanceof BigInt64Array;
  for (let i = 0; i < count; i++) {
    const value = chunk[i] ?? Number.NaN;
    if (Number.isSafeInteger(value)) {
      if (value < 0 && !signed) return i;
      halves[2 * (at + i)] = value;
      halves[2 * (at + i) + 1] = Math.floor(value / 2 ** 32);
      continue;
    }
    const exact = readExact(source, starts[i] ?? 0);
    if (exact === undefined || (signed ? BigInt.asIntN(64, exact) : BigInt.asUintN(64, exact)) !== exact) return i;
    out[at + i] = exact;
  }
  return -1;
};

/** Plain digits; undefined for what a double has rounded, and for more digits than 64 bits can hold. */
const readExact = ({ bytes }: Source, start: number): bigint | undefined => {
  const text = bytes.toString("latin1", start, start + 24);
  const digits = /^-?\d{1,20}(?![\d.eE])/.exec(text)?.[0];
  return digits === undefined ? undefined : BigInt(digits);
};

const createBooleans = (spec: TensorSpec, wanted: number | undefined): Sink => {
  let out = Buffer.allocUnsafe(wanted ?? FIRST_ROOM);
  let count = 0;
  return {
    read(source) {
      const before = count;
      for (;;) {
        const yes = takeWord(source, "true");
        if (!yes && !takeWord(source, "false")) throw wrong(source, spec, count);
        if (count === out.length) {
          if (wanted !== undefined) throw tooMany(spec, wanted);
          out = Buffer.concat([out], out.length * 2);
        }
        out[count++] = yes ? 1 : 0;
        if (nextByte(source) !== COMMA) return count - before;
        source.at++;
        nextByte(source);
      }
    },
    finish: () => out.subarray(0, count),
  };
};
