import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { RequestError } from "../../errors/request-error.ts";
import { bytesOf, type Datatype, elements, type NumericDatatype } from "../../tensors/index.ts";
import { splitStrings } from "../../tensors/strings.ts";
import { parseDocument } from "./document.ts";
import { shortest } from "./float.ts";
import { parseTensor } from "./tensor.ts";
import { writeFlat, writeNested } from "./write.ts";

const read = (text: string, datatype: Datatype, shape?: number[], base64 = false) =>
  parseTensor(Buffer.from(text), { label: 't "x"', datatype, shape, base64 });
const numbers = (text: string, datatype: NumericDatatype, shape?: number[]): unknown[] =>
  Array.from<unknown>(elements(datatype, read(text, datatype, shape).bytes));
const refused = (run: () => unknown, message: RegExp): void => {
  assert.throws(run, (error) => {
    assert.ok(error instanceof RequestError, String(error));
    assert.match(error.message, message);
    return true;
  });
};
const document = (text: string) => parseDocument(Buffer.from(text), () => undefined);

describe("numbers", () => {
  const bits = fc.nat({ max: 0xffffffff }).map((value) => elements("FP32", bytesOf(Uint32Array.of(value)))[0]);
  const text = fc.oneof(
    fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
    bits.filter((value) => Number.isFinite(value)).map(String),
    fc
      .tuple(fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n }), fc.nat(), fc.integer({ min: -330, max: 280 }))
      .map(([whole, fraction, exponent]) => `${whole}.${fraction}e${exponent}`),
  );

  it("are those that JSON.parse reads, in 64 bits and in 32", () => {
    fc.assert(
      fc.property(fc.array(text, { minLength: 1, maxLength: 40 }), fc.constantFrom(",", " ,\n\t"), (texts, comma) => {
        const parsed = texts.map(Number).map((value) => (Number.isFinite(value) ? value : 0));
        const finite = texts.map((one) => (Number.isFinite(Number(one)) ? one : "0"));
        assert.deepEqual(numbers(`[${finite.join(comma)}]`, "FP64"), parsed);
        const single = finite.map((one) => (Number.isFinite(Math.fround(Number(one))) ? one : "0"));
        const floats = single.map((one) => Math.fround(Number(one)));
        assert.deepEqual(numbers(`[${single.join(comma)}]`, "FP32", [single.length]), floats);
      }),
    );
  });

  it("next to the middle between two floats round as a double of the whole text does", () => {
    for (const digits of [
      "16777217",
      "16777217.000000000001",
      "16777216.999999999999",
      "1.00000005960464477539062500001",
    ]) {
      assert.deepEqual(numbers(`[${digits},-${digits}]`, "FP32"), [
        Math.fround(Number(digits)),
        -Math.fround(Number(digits)),
      ]);
    }
  });

  it("of 64 bits are exact", () => {
    fc.assert(
      fc.property(fc.array(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), { minLength: 1 }), (values) => {
        assert.deepEqual(numbers(`[${values.join()}]`, "INT64"), values);
        assert.deepEqual(
          numbers(`[${values.map((value) => BigInt.asUintN(64, value)).join()}]`, "UINT64"),
          values.map((value) => BigInt.asUintN(64, value)),
        );
      }),
    );
  });

  it("are many", () => {
    const values = Array.from({ length: 5000 }, (_, i) => i * 7 - 1000);
    assert.deepEqual(numbers(JSON.stringify(values), "INT32"), values);
    assert.deepEqual(numbers(JSON.stringify(values), "FP32"), values);
    refused(() => read(JSON.stringify([...values, 0.5]), "INT32"), /^t "x": data\[5000\] is 0.5, INT32 wants/);
    refused(() => read(JSON.stringify(values), "INT32", [4999]), /wants 4999 elements/);
    refused(() => read(JSON.stringify(values), "FP32", [4999]), /wants 4999 elements, data has more/);
  });

  it("have JSON's grammar", () => {
    for (const bad of [
      "01",
      "-",
      "1.",
      ".5",
      "1e",
      "+1",
      "0x1",
      "1 2",
      "1,",
      ",1",
      "NaNs",
      "1_0",
      "--1",
      "-01",
      "1.e5",
    ]) {
      refused(() => read(`[${bad}]`, "FP32"), /not JSON/);
      refused(() => document(`[${bad}]`), /not JSON/);
    }
    refused(() => read("[1", "FP32"), /not JSON: .* the end/);
    refused(() => read(`[${"9".repeat(100_000)}]`, "FP32"), /^t "x": data\[0\] is 9+…, FP32 wants/);
    refused(() => read(`[1e${"9".repeat(100_000)}]`, "FP64"), /^t "x": data\[0\] is 1e9+, FP64 wants/);
    assert.deepEqual(numbers(`[0.${"0".repeat(1000)}1, 1e-99999]`, "FP32"), [0, 0]);
    assert.deepEqual(numbers("[-0, -Infinity, Infinity, NaN]", "FP32"), [-0, -Infinity, Infinity, Number.NaN]);
  });
});

describe("nesting", () => {
  it("gives the shape, or must be the shape that is wanted", () => {
    assert.deepEqual(read("[[[1,2]],[[3,4]],[[5,6]]]", "FP32").shape, [3, 1, 2]);
    assert.deepEqual(read("[[],[]]", "FP32").shape, [2, 0]);
    assert.deepEqual(read("[]", "BYTES").shape, [0]);
    assert.deepEqual(read(" 5 ", "INT8").shape, []);
    assert.deepEqual(numbers("[[1,2],[3,4]]", "INT32", [2, 2]), [1, 2, 3, 4]);
    assert.deepEqual(numbers("[[1,2],[3,4]]", "INT32", [2, 1, 2]), [1, 2, 3, 4]);
    refused(() => read("[[1,2,3],[4,5,6]]", "INT32", [3, 2]), /nested as \[2,3\], its shape is \[3,2\]/);
    refused(() => read("5", "INT32", [1]), /data must be an array/);
    const rows = Array.from({ length: 40 }, (_, i) => [i, i + 1]);
    assert.deepEqual(numbers(JSON.stringify(rows), "FP32"), rows.flat());
  });

  it("is not ragged and not deep", () => {
    for (const bad of ["[[1],[2,3]]", "[1,[2]]", "[[1],2]", "[[1],[]]", "[[],[[1]]]", "[[[1]],[2]]"]) {
      for (const type of ["FP32", "INT8"] as const)
        refused(() => read(bad, type), /^t "x": data is ragged: at byte \d/);
    }
    refused(() => read("[".repeat(100_000), "FP32"), /100 levels/);
    refused(() => document("[".repeat(100_000)), /100 levels/);
    refused(() => document('{"a":'.repeat(100_000)), /100 levels/);
    refused(() => read("[1]", "FP32", [2 ** 30]), /its shape wants 1073741824 elements, data has at most/);
  });
});

describe("strings", () => {
  const values = (text: string, base64 = false): string[] => {
    const { bytes, shape } = read(text, "BYTES", undefined, base64);
    return (splitStrings(bytes, shape[0] ?? 0) ?? assert.fail("not strings")).map((value) =>
      Buffer.from(value).toString(),
    );
  };
  it("are those that JSON.parse reads", () => {
    const string = fc.string({ unit: "binary" }).filter((value) => value.isWellFormed() && !value.includes("\0"));
    fc.assert(
      fc.property(fc.array(string), (all) => {
        assert.deepEqual(values(JSON.stringify(all)), all);
        const encoded = all.map((value) => ({ b64: Buffer.from(value).toString("base64") }));
        assert.deepEqual(values(JSON.stringify(encoded), true), all);
      }),
    );
  });
  it("are UTF-8 without NUL", () => {
    refused(() => read('["a\\u0000"]', "BYTES"), /data\[0\] is "a\\u0000", BYTES wants/);
    refused(() => read('["\\ud800"]', "BYTES"), /BYTES wants/);
    refused(
      () => parseTensor(Buffer.from('["\xff"]', "latin1"), { label: "t", datatype: "BYTES", shape: [1] }),
      /UTF-8/,
    );
    refused(() => read('[{"b64":"AA=="}]', "BYTES", undefined, true), /NUL/);
    refused(() => read('[{"b64":"A"}]', "BYTES", undefined, true), /b64/);
    refused(() => read('[{"b64":"QQ=="}]', "BYTES"), /BYTES wants/);
    refused(() => read('["a', "BYTES"), /not closed/);
    refused(() => read('["a\n"]', "BYTES"), /control character/);
  });
});

describe("a document", () => {
  it("is what JSON.parse reads", () => {
    fc.assert(
      fc.property(
        fc.jsonValue({ noUnicodeString: false, stringUnit: "binary" }),
        fc.constantFrom(0, 2),
        (value, indent) => {
          const text = JSON.stringify(value, undefined, indent);
          assert.deepEqual(document(text), JSON.parse(text));
        },
      ),
    );
  });
  it("has each key once, and no special one", () => {
    refused(() => document('{"a":1,"\\u0061":2}'), /the key "a" for the second time at byte 7/);
    refused(() => document('{"__proto__":1,"__proto__":2}'), /second time/);
    const value = document('{"__proto__":{"evil":1},"constructor":2}');
    assert.ok(typeof value === "object" && value !== null && !("evil" in value));
    assert.deepEqual(Object.keys(value), ["__proto__", "constructor"]);
  });
  it("holds tensors where they are chosen, and text where it is for later", () => {
    const text = '{"a": [1, 2] , "b": {"c": ["}", {"d": "\\""}]}, "e": -1.5e3}';
    const value = parseDocument(Buffer.from(text), (path) =>
      path[0] === "a" ? { label: "a", datatype: "INT16", shape: undefined } : path.at(-1) === "c" ? "later" : undefined,
    );
    const c = Buffer.from('["}", {"d": "\\""}]');
    assert.deepEqual(value, {
      a: { datatype: "INT16", shape: [2], bytes: bytesOf(Int16Array.of(1, 2)) },
      b: { c },
      e: -1500,
    });
  });
});

describe("writing", () => {
  it("gives floats with the fewest digits that read back", () => {
    assert.deepEqual(
      [0.1, 3.4e38, 1e-45, 16777216, 0.3333333].map(Math.fround).map(shortest),
      [0.1, 3.4e38, 1e-45, 16777216, 0.3333333],
    );
    fc.assert(
      fc.property(fc.float(), (value) => {
        const short = shortest(value);
        assert.ok(Object.is(Math.fround(short), value));
        const digits = (number: number) =>
          String(number)
            .replace(/e.*|[-.]/g, "")
            .replace(/^0+|0+$/g, "").length;
        const least = [1, 2, 3, 4, 5, 6, 7, 8, 9].find(
          (count) => Math.fround(Number(value.toPrecision(count))) === value,
        );
        if (!Number.isInteger(value) && Number.isFinite(value))
          assert.ok(digits(short) <= (least ?? 9), `${value} ${short}`);
      }),
    );
  });
  it("nests by the shape", () => {
    const all = read("[[[1,2],[3,4]],[[5,6],[7,-0]]]", "FP32");
    assert.deepEqual(writeNested(all), ["[[[1,2],[3,4]],[[5,6],[7,-0]]]"]);
    assert.deepEqual(writeFlat(all), ["[1,2,3,4,5,6,7,-0]"]);
    assert.deepEqual(writeNested(read("7", "UINT64")), ["7"]);
    assert.deepEqual(writeNested(read("[true,false]", "BOOL")), ["[true,false]"]);
    assert.deepEqual(writeNested(read('["a","\u00e9\\n"]', "BYTES")), ['["a","\u00e9\\n"]']);
    assert.deepEqual(writeNested(read('["ab"]', "BYTES"), true), ['[{"b64":"YWI="}]']);
  });
});

it("broken text is refused with a message, and reads nothing beyond its end", () => {
  const good =
    '{"a":[[1,-2.5e3],[NaN,4]],"b":["x\\u00e9\u00fc",{"b64":"YQ=="}],"c":[true,false],"d":[1,2],"e":{"f":null},"g":[9]}';
  const types: Record<string, Datatype> = { a: "FP32", b: "BYTES", c: "BOOL", d: "INT64" };
  const parse = (bytes: Uint8Array) =>
    parseDocument(bytes, ([key, ...rest]) => {
      const datatype = rest.length === 0 ? types[String(key)] : undefined;
      return datatype === undefined
        ? key === "g"
          ? "later"
          : undefined
        : { label: "t", datatype, shape: undefined, base64: true };
    });
  assert.doesNotThrow(() => parse(Buffer.from(good)));
  const length = Buffer.byteLength(good);
  const edit = fc.record({
    at: fc.nat(length - 1),
    byte: fc.oneof(fc.nat(255), fc.constantFrom(...Buffer.from('[]{}",:\\0-e.tN '))),
  });
  fc.assert(
    fc.property(fc.array(edit, { maxLength: 3 }), fc.integer({ min: 0, max: length }), (edits, end) => {
      // what lies behind the end would make the text whole
      const bytes = Buffer.from(good);
      for (const { at, byte } of edits) bytes[at] = byte;
      const cut = bytes.subarray(0, end);
      try {
        parse(cut);
      } catch (error) {
        assert.ok(error instanceof RequestError && error.code === "InvalidArgument", String(error));
        return;
      }
      assert.ok(edits.length > 0 || end === length, `${end} of ${length}`);
    }),
    { numRuns: 3000 },
  );
});

it("more strings than a tensor may have are refused by name, whether the shape says how many there are or not", () => {
  const most = "1048576";
  const text = `[${'"",'.repeat(1_048_576)}""]`;
  refused(() => read(text, "BYTES"), new RegExp(`t "x": has 1048577 strings, at most ${most}`));
  refused(() => read(text, "BYTES", [1_048_577]), new RegExp(`t "x": has 1048577 strings, at most ${most}`));
  assert.equal(read(text.replace('"",', ""), "BYTES").shape[0], 1_048_576);
});

describe("whole numbers", () => {
  it("that are not whole as they are written are refused, though the nearest double is", () => {
    for (const text of [
      "4503599627370497.5",
      "9007199254740990.9",
      "1e-400",
      "-1e-400",
      "0.00000000000000000000001",
      "12e-1",
    ]) {
      for (const datatype of ["INT64", "INT32", "UINT64"] as const) {
        refused(() => read(`[1,${text}]`, datatype), /data\[1\] is .*wants a whole number/);
      }
    }
    refused(() => read("[254.9999999999999999999]", "UINT8"), /data\[0\] is 254\.9{19}, UINT8 wants a whole number/);
  });

  it("that are whole are taken in whatever way they are written", () => {
    const texts = ["1.0", "1.50e1", "100e-2", "0e-400", "0.000", "-2.0e0", "1E2", "1200e-2", "3.00"];
    const numbersOf = texts.map(Number);
    for (const datatype of ["INT64", "INT32"] as const) {
      assert.deepEqual(numbers(`[${texts.join(",")}]`, datatype).map(Number), numbersOf);
    }
  });

  it("as decimals are judged by their digits", () => {
    const text = fc.tuple(fc.nat({ max: 99_999 }), fc.nat({ max: 99_999 }), fc.integer({ min: -8, max: 4 }));
    fc.assert(
      fc.property(text, ([whole, fraction, exponent]) => {
        const written = `${whole}.${fraction}e${exponent}`;
        const scaled = BigInt(`${whole}${fraction}`) * 10n ** 20n;
        const unit = 10n ** BigInt(20 + String(fraction).length - exponent);
        const isWhole = scaled % unit === 0n && scaled / unit < 2n ** 53n;
        let taken = true;
        try {
          assert.equal(BigInt(String(numbers(`[${written}]`, "INT64")[0])), scaled / unit);
        } catch (error) {
          if (!(error instanceof RequestError)) throw error;
          taken = false;
        }
        assert.equal(taken, isWhole, written);
      }),
      { numRuns: 3000 },
    );
  });
});
