import { elementCount, elements, type Tensor } from "../../tensors/index.ts";
import { stringStarts } from "../../tensors/strings.ts";
import { NUMBER_ROOM, putFloat, putInteger, putText } from "./digits.ts";
import { type NotFinite, writeNotFinite } from "./not-finite.ts";

/** What is written so far: whole chunks, and one that is being filled. No text is copied, at most one chunk is not full. */
type Output = { readonly chunks: Uint8Array[]; bytes: Uint8Array; view: DataView; at: number };

/** Small enough to come from the allocator's own heap and to stay in the processor's cache, large enough to be few. */
const CHUNK_BYTES = 65_536;

/** The longest text of an element with its comma: "-123456790000000000000,". */
const WIDEST = 23;

const COMMA = 0x2c;
const OPEN = 0x5b;
const CLOSE = 0x5d;

/** Writes the elements from `from` to before `to`, with commas between them. */
type Fill = (output: Output, from: number, to: number) => void;

/**
 * A tensor of one element or more as lists nested by `shape`, in chunks; undefined for types that it does not write.
 * @param base64 whether elements of BYTES are written as {"b64": "…"}
 */
export const writeLarge = (
  tensor: Tensor,
  shape: readonly number[],
  base64 = false,
  notFinite: NotFinite = "bare",
): Uint8Array[] | undefined => {
  const fill = tensor.datatype === "BYTES" ? strings(tensor, base64) : fillOf(tensor, notFinite);
  if (fill === undefined) return undefined;
  const size = shape.at(-1) ?? 1;
  // how many innermost lists one list of each axis holds
  const spans = shape.map(() => 1);
  for (let axis = shape.length - 2; axis >= 0; axis--) spans[axis] = (spans[axis + 1] ?? 1) * (shape[axis] ?? 1);
  const rows = spans[0] ?? 1;
  const wanted = rows * (size * WIDEST + 2) + 2 * shape.length + NUMBER_ROOM;
  const bytes = Buffer.allocUnsafe(Math.min(wanted, CHUNK_BYTES));
  const output: Output = { chunks: [], bytes, view: viewOf(bytes), at: 0 };
  put(output, OPEN, shape.length);
  for (let row = 0; row < rows; row++) {
    if (row > 0) {
      let lists = 1;
      while (row % (spans[shape.length - 1 - lists] ?? rows) === 0) lists++;
      put(output, CLOSE, lists);
      put(output, COMMA, 1);
      put(output, OPEN, lists);
    }
    fill(output, row * size, row * size + size);
  }
  put(output, CLOSE, shape.length);
  output.chunks.push(output.bytes.subarray(0, output.at));
  return output.chunks;
};

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

const nextChunk = (output: Output): void => {
  output.chunks.push(output.bytes.subarray(0, output.at));
  output.bytes = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  output.view = viewOf(output.bytes);
  output.at = 0;
};

const put = (output: Output, byte: number, times: number): void => {
  for (let i = 0; i < times; i++) {
    if (output.at === output.bytes.length) nextChunk(output);
    output.bytes[output.at++] = byte;
  }
};

const fillOf = ({ datatype, bytes }: Tensor, notFinite: NotFinite): Fill | undefined => {
  if (datatype === "FP16" || datatype === "BYTES") return undefined;
  const values = elements(datatype, bytes);
  if (values instanceof Float64Array || values instanceof BigUint64Array) return undefined;
  if (values instanceof Float32Array) return floats(values, notFinite);
  if (values instanceof BigInt64Array) return longs(values);
  if (datatype === "BOOL")
    return each((output, at, i) => putText(output.bytes, at, values[i] === 1 ? "true" : "false"));
  return each(({ bytes: out, view }, at, i) => putInteger(out, view, at, values[i] ?? 0));
};

const floats = (values: Float32Array, notFinite: NotFinite): Fill => {
  const bits = new Int32Array(values.buffer, values.byteOffset, values.length);
  if (notFinite !== "bare") {
    return each(({ bytes, view }, at, i) => {
      const value = values[i] ?? 0;
      if (!Number.isFinite(value)) return putText(bytes, at, writeNotFinite(value, notFinite));
      return putFloat(bytes, view, at, value, bits[i] ?? 0);
    });
  }
  return each(({ bytes, view }, at, i) => putFloat(bytes, view, at, values[i] ?? 0, bits[i] ?? 0));
};

/** Nearly all of them are small: class numbers, token numbers. */
const longs = (values: BigInt64Array): Fill => {
  const halves = new Int32Array(values.buffer, values.byteOffset, 2 * values.length);
  return each(({ bytes, view }, at, i) => {
    const low = halves[2 * i] ?? 0;
    return halves[2 * i + 1] === low >> 31 ? putInteger(bytes, view, at, low) : putText(bytes, at, String(values[i]));
  });
};

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Most are short and need no escape: those are copied as they are. */
const strings = ({ bytes, shape }: Tensor, base64: boolean): Fill => {
  const starts = stringStarts(bytes, elementCount(shape) ?? 0) ?? new Uint32Array();
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return (output, from, to) => {
    for (let i = from; i < to; i++) {
      if (i > from) put(output, COMMA, 1);
      const start = starts[i] ?? 0;
      const end = (starts[i + 1] ?? 0) - 4;
      if (base64) putBytes(output, Buffer.from(`{"b64":"${all.toString("base64", start, end)}"}`));
      else if (end - start > SHORT_BYTES || !isPlain(all, start, end)) {
        putBytes(output, Buffer.from(JSON.stringify(all.toString("utf8", start, end))));
      } else {
        if (output.at + end - start + 2 > output.bytes.length) nextChunk(output);
        output.bytes[output.at++] = QUOTE;
        for (let at = start; at < end; at++) output.bytes[output.at++] = all[at] ?? 0;
        output.bytes[output.at++] = QUOTE;
      }
    }
  };
};

const SHORT_BYTES = 64;

/** Whether it stands in JSON as it is: ASCII without what needs an escape. */
const isPlain = (bytes: Uint8Array, from: number, to: number): boolean => {
  for (let at = from; at < to; at++) {
    const byte = bytes[at] ?? 0;
    if (byte < 0x20 || byte >= 0x80 || byte === QUOTE || byte === BACKSLASH) return false;
  }
  return true;
};

const putBytes = (output: Output, text: Uint8Array): void => {
  if (output.at + text.length > output.bytes.length) {
    nextChunk(output);
    if (text.length > output.bytes.length) {
      output.chunks.push(text);
      return;
    }
  }
  output.bytes.set(text, output.at);
  output.at += text.length;
};

const each =
  (write: (output: Output, at: number, index: number) => number): Fill =>
  (output, from, to) => {
    let { at } = output;
    for (let i = from; i < to; i++) {
      if (at + NUMBER_ROOM >= output.bytes.length) {
        output.at = at;
        nextChunk(output);
        at = 0;
      }
      if (i > from) output.bytes[at++] = COMMA;
      at = write(output, at, i);
    }
    output.at = at;
  };
