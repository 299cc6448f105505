import { isUtf8 } from "node:buffer";
import { invalid, type RequestError } from "../../errors/request-error.ts";
import { boundStrings } from "../../inference/strings.ts";
import { MOST_STRINGS } from "../../tensors/strings.ts";
import type { Sink } from "./sink.ts";
import { findString, nextByte, notJson, QUOTE, readString, type Source, type StringSpan } from "./source.ts";
import type { TensorSpec } from "./types.ts";

const COMMA = 0x2c;
/** A string that is no longer is copied byte by byte: a view of it costs more. At most 255. */
const SHORT_BYTES = 32;

/** Elements of BYTES: strings, and where `spec.base64` says so objects {"b64": "…"}. */
export const createStrings = (
  spec: TensorSpec,
  wrong: (source: Source, spec: TensorSpec, index: number) => RequestError,
): Sink => {
  let out = Buffer.allocUnsafe(64);
  let size = 0;
  let count = 0;
  const span: StringSpan = { end: 0, plain: true, ascii: true };
  const reserve = (bytes: number): void => {
    if (size + 4 + bytes > out.length) out = Buffer.concat([out], Math.max(out.length * 2, size + 4 + bytes));
  };
  const readPlain = (source: Source): void => {
    const { bytes, at } = source;
    findString(source, span);
    // A NUL is no JSON without an escape
    if (span.plain) {
      const from = at + 1;
      const to = span.end - 1;
      if (span.ascii && to - from <= SHORT_BYTES) appendShort(bytes, from, to);
      else {
        const value = bytes.subarray(from, to);
        if (!span.ascii && !isUtf8(value)) throw invalid(`${spec.label}: data[${count}] is not UTF-8`);
        append(value);
      }
      source.at = span.end;
      return;
    }
    const value = readString(source);
    // onnxruntime would cut a string at NUL without a word
    if (value.includes("\0") || !value.isWellFormed()) throw wrong({ bytes, at }, spec, count);
    append(Buffer.from(value));
  };
  const appendShort = (bytes: Uint8Array, from: number, to: number): void => {
    const length = to - from;
    reserve(length);
    // below 256: the other three bytes of its length are 0
    out[size] = length;
    out[size + 1] = 0;
    out[size + 2] = 0;
    out[size + 3] = 0;
    let at = size + 4;
    for (let i = from; i < to; i++) out[at++] = bytes[i] ?? 0;
    size = at;
  };
  const append = (value: Uint8Array): void => {
    reserve(value.length);
    out.writeUInt32LE(value.length, size);
    out.set(value, size + 4);
    size += 4 + value.length;
  };
  const readBase64 = (source: Source): void => {
    const start = source.at;
    const complain = (): RequestError =>
      invalid(`${spec.label}: data[${count}] is an object; give {"b64": "…"} with base64`);
    source.at++;
    if (nextByte(source) !== QUOTE || readString(source) !== "b64") throw complain();
    if (nextByte(source) !== 0x3a) throw notJson(source);
    source.at++;
    if (nextByte(source) !== QUOTE) throw complain();
    const text = readString(source);
    if (nextByte(source) !== 0x7d) throw complain();
    source.at++;
    if (!/^[A-Za-z0-9+/_-]*={0,2}$/.test(text) || text.replace(/=+$/, "").length % 4 === 1) throw complain();
    const value = Buffer.from(text, "base64");
    if (value.includes(0) || !isUtf8(value)) {
      throw invalid(
        `${spec.label}: data[${count}] at byte ${start} holds NUL or is not UTF-8, other bytes cannot be passed on`,
      );
    }
    append(value);
  };
  return {
    read(source) {
      const before = count;
      for (;;) {
        const byte = source.bytes[source.at];
        if (byte === QUOTE) readPlain(source);
        else if (byte === 0x7b && spec.base64 === true) readBase64(source);
        else throw wrong(source, spec, count);
        if (++count > MOST_STRINGS) boundStrings(spec.label, count);
        if (nextByte(source) !== COMMA) return count - before;
        source.at++;
        nextByte(source);
      }
    },
    finish: () => out.subarray(0, size),
  };
};
