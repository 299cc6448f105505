import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { bytesOf, type Datatype, elements, type NumericArray, type NumericDatatype } from "../../tensors/index.ts";
import { encodeStrings } from "../../tensors/strings.ts";
import { NUMBER_ROOM, putFloat, putInteger } from "./digits.ts";
import { shortest, writeFloat } from "./float.ts";
import { notFiniteOf } from "./not-finite.ts";
import { append, type JsonText, writeFlat, writeNested } from "./write.ts";

const word = new Int32Array(1);
const float = new Float32Array(word.buffer);
const buffer = Buffer.alloc(2 * NUMBER_ROOM);
const view = new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength);

/** Checks one float given by its bits, and that the text needs no more room than it may. */
const same = (bits: number): void => {
  word[0] = bits;
  const value = float[0] ?? 0;
  buffer[NUMBER_ROOM + 1] = 0;
  const end = putFloat(buffer, view, 1, value, bits | 0);
  const text = buffer.toString("latin1", 1, end);
  if (text !== writeFloat(shortest(value))) assert.equal(text, writeFloat(shortest(value)), `bits ${bits}`);
  if (!Object.is(Math.fround(Number(text)), value)) assert.fail(`bits ${bits}: ${text} is not ${value}`);
  assert.equal(buffer[NUMBER_ROOM + 1], 0);
};
const around = (value: number): void => {
  word[0] = 0;
  float[0] = value;
  const [bits = 0] = word;
  for (const one of [bits, bits + 1, bits - 1]) {
    same(one);
    same(one ^ 0x80000000);
  }
};

describe("a float as bytes is the float as a string", () => {
  it("whatever its bits", () => {
    fc.assert(fc.property(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), same), { numRuns: 20_000 });
  });

  it("next to powers of two, in the subnormals too, and at the ends", () => {
    for (let exponent = -149; exponent < 128; exponent++) around(2 ** exponent);
    for (const value of [0, 3.4028234663852886e38, Number.POSITIVE_INFINITY, Number.NaN, 16777216, 1e9]) around(value);
  });

  it("next to short decimals, which are the usual case", () => {
    for (let exponent = -45; exponent < 39; exponent++) {
      for (let digits = 1; digits < 100; digits++) around(Number(`${digits}e${exponent}`));
    }
  });

  it("where neighbours lie so far apart that six digits suffice though another number of seven is nearer", () => {
    for (let i = 976_563; i < 979_000; i++) around(i / 1e9);
  });

  it("where it is the middle between two decimals", () => {
    for (let i = 1; i < 2000; i++) around(i / 1024 + 1 / 2 ** 16);
  });
});

it("a whole number as bytes is the number as a string", () => {
  const check = (value: number) =>
    assert.equal(buffer.toString("latin1", 1, putInteger(buffer, view, 1, value)), String(value));
  fc.assert(fc.property(fc.integer({ min: -(2 ** 31), max: 2 ** 32 - 1 }), check), { numRuns: 2000 });
  for (let power = 1; power < 1e10; power *= 10) for (const value of [power - 1, power, power % 2 ** 31]) check(value);
  check(2 ** 32 - 1);
  check(-(2 ** 31));
});

describe("a large tensor", () => {
  const text = (parts: JsonText): string => Buffer.concat(parts.map((part) => Buffer.from(part))).toString();
  const wordOf = (value: unknown, datatype: Datatype): string => {
    if (datatype === "BOOL") return value === 1 ? "true" : "false";
    if (typeof value !== "number") return String(value);
    return writeFloat(datatype === "FP32" ? shortest(value) : value);
  };
  const nested = (words: readonly string[], shape: readonly number[]): string => {
    const [size, ...rest] = shape;
    if (size === undefined) return words[0] ?? "";
    const step = words.length / size;
    return `[${Array.from({ length: size }, (_, i) => nested(words.slice(i * step, (i + 1) * step), rest)).join()}]`;
  };
  const tensorOf = (array: NumericArray, datatype: NumericDatatype, shape: number[]) => ({
    datatype,
    shape,
    bytes: bytesOf(array),
  });

  it("of any type and shape is the text that its elements have one by one", () => {
    const types: NumericDatatype[] = [
      ...(["BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64", "FP32", "FP64"] as const),
    ];
    fc.assert(
      fc.property(
        fc.constantFrom(...types),
        fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 3 }),
        fc.integer(),
        fc.boolean(),
        (datatype, small, seed, high) => {
          const shape = [...small, 70];
          const count = shape.reduce((product, one) => product * one, 1);
          // the words of 64 bits are numbers of 32 where `high` is not set
          const words = Int32Array.from({ length: 2 * count }, (_, i) => Math.imul(seed + i, 0x9e3779b1));
          if (!high) for (let i = 1; i < words.length; i += 2) words[i] = (words[i - 1] ?? 0) >> 31;
          const bytes = bytesOf(words);
          const size = elements(datatype, new Uint8Array(8)).length;
          const array = elements(datatype, bytes.subarray(0, (8 / size) * count));
          const expected = Array.from<unknown>(array).map((value) => wordOf(value, datatype));
          for (const dims of [shape, [...shape].reverse(), [count, 1], [1, count, 1, 1]]) {
            assert.equal(text(writeNested(tensorOf(array, datatype, dims))), nested(expected, dims));
          }
          assert.equal(text(writeFlat(tensorOf(array, datatype, shape))), `[${expected.join()}]`);
        },
      ),
      { numRuns: 60 },
    );
  });

  it("is written in chunks of bounded size, at unaligned bytes too", () => {
    const values = Float32Array.from({ length: 30_000 }, (_, i) => Math.fround(i / 7e6));
    const bytes = new Uint8Array(values.byteLength + 1);
    bytes.set(bytesOf(values), 1);
    const parts = writeNested({ datatype: "FP32", shape: [15_000, 2], bytes: bytes.subarray(1) });
    const expected = Array.from(values, (value) => writeFloat(shortest(value)));
    assert.equal(text(parts), nested(expected, [15_000, 2]));
    for (const [i, part] of parts.entries()) {
      assert.ok(part instanceof Uint8Array && part.length <= 65_536);
      if (i < parts.length - 1) assert.ok(part.length > 65_000);
    }
    const deep = [...Array.from({ length: 70_000 }, () => 1), 65];
    const brackets = text(writeNested({ datatype: "UINT8", shape: deep, bytes: new Uint8Array(65) }));
    assert.equal(brackets, `${"[".repeat(70_001)}${"0,".repeat(64)}0${"]".repeat(70_001)}`);
  });

  it("is not joined with the text around it, which is", () => {
    const parts: JsonText = ["a"];
    append(parts, ["b"]);
    append(parts, [new Uint8Array(1), "c"]);
    append(parts, ["d", "e"]);
    assert.deepEqual(parts, ["ab", new Uint8Array(1), "cde"]);
  });
});

describe("strings as bytes", () => {
  const tensorOf = (values: readonly string[], shape: readonly number[]) => ({
    datatype: "BYTES" as const,
    shape,
    bytes: encodeStrings(values),
  });
  const read = (text: JsonText): unknown => JSON.parse(Buffer.concat(text.map((part) => Buffer.from(part))).toString());

  it("are read back as they were, whatever they hold and however long they are", () => {
    const one = fc.oneof(
      fc.string({ unit: "binary", maxLength: 90 }),
      fc.constantFrom("", '"', "\\", "a", "\u2028", "x".repeat(70_000)),
    );
    fc.assert(
      fc.property(fc.array(one, { minLength: 65, maxLength: 80 }), (values) => {
        assert.deepEqual(read(writeFlat(tensorOf(values, [values.length]))), values);
        const encoded = read(writeNested(tensorOf(values, [values.length, 1]), true));
        assert.deepEqual(
          encoded,
          values.map((value) => [{ b64: Buffer.from(value).toString("base64") }]),
        );
      }),
      { numRuns: 200 },
    );
  });

  it("of which there are many are chunks of bytes, not a text and a view for each", () => {
    const values = Array<string>(200_000).fill("");
    const text = writeFlat(tensorOf(values, [values.length]));
    assert.ok(text.length < 20 && text.every((part) => part instanceof Uint8Array), `${text.length} parts`);
    assert.deepEqual(read(text), values);
  });
});

describe("what is not finite", () => {
  const values = [1.5, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0];
  const text = (json: JsonText) => Buffer.concat(json.map((part) => Buffer.from(part))).toString();

  it("is written as bare words, strings or null, of few elements as of many, of floats as of doubles", () => {
    for (const count of [5, 500]) {
      const many = Array.from({ length: count }, (_, i) => values[i % 5] ?? 0);
      const doubles = { datatype: "FP64" as const, shape: [count], bytes: bytesOf(Float64Array.from(many)) };
      const floats = { datatype: "FP32" as const, shape: [count], bytes: bytesOf(Float32Array.from(many)) };
      for (const tensor of [floats, doubles]) {
        assert.match(text(writeFlat(tensor)), /^\[1\.5,NaN,Infinity,-Infinity,-0/);
        const strings = JSON.parse(text(writeFlat(tensor, "string")));
        assert.deepEqual(strings.slice(0, 4), [1.5, "NaN", "Infinity", "-Infinity"]);
        const nulls = JSON.parse(text(writeNested(tensor, false, "null")));
        assert.deepEqual([nulls.length, ...nulls.slice(0, 4)], [count, 1.5, null, null, null]);
      }
    }
  });

  it("is what the query asks for, or a refusal that says what there is", () => {
    assert.deepEqual(["", "a=1", "nan=string", "x=1&nan=null"].map(notFiniteOf), ["bare", "bare", "string", "null"]);
    assert.throws(() => notFiniteOf("nan=zero"), /nan is "zero"; give nan=string or nan=null/);
  });
});
