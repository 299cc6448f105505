import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Datatype, elementCount, type Tensor } from "../../tensors/index.ts";
import { encodeStrings } from "../../tensors/strings.ts";
import { joinInput, Misfit, splitOutput } from "./join.ts";

const tensorOf = (datatype: Datatype, shape: number[], salt: number): Tensor => {
  const count = elementCount(shape) ?? 0;
  const values = Array.from({ length: count }, (_, i) => (i * 31 + salt * 7) % 251);
  if (datatype === "BYTES") return { datatype, shape, bytes: encodeStrings(values.map((v) => "x".repeat(v % 5) + v)) };
  return { datatype, shape, bytes: Uint8Array.from(values.flatMap((v) => [v, salt])) };
};

const whole = (name: string, axis: number, tensors: Tensor[]): Tensor => {
  const { datatype, shape, parts } = joinInput(name, axis, tensors);
  return { datatype, shape, bytes: Buffer.concat(parts) };
};

test("what was joined comes apart as it was, along every axis and for strings too", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 4 }),
      fc.nat(3),
      fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 1, maxLength: 5 }),
      fc.constantFrom<Datatype>("INT16", "BYTES"),
      (base, anyAxis, rows, datatype) => {
        const axis = anyAxis % base.length;
        const tensors = rows.map((count, salt) => tensorOf(datatype, base.with(axis, count), salt));
        const joined = whole("x", axis, tensors);
        assert.equal(
          joined.shape[axis],
          rows.reduce((sum, count) => sum + count, 0),
        );
        const apart = splitOutput("x", joined, axis, rows);
        assert.deepEqual(apart.map(plain), tensors.map(plain));
      },
    ),
  );
});

const plain = ({ datatype, shape, bytes }: Tensor) => ({ datatype, shape: [...shape], bytes: [...bytes] });

test("an inner axis interleaves", () => {
  const one: Tensor = { datatype: "UINT8", shape: [2, 1], bytes: Uint8Array.of(1, 2) };
  const two: Tensor = { datatype: "UINT8", shape: [2, 2], bytes: Uint8Array.of(3, 4, 5, 6) };
  assert.deepEqual([...whole("x", 1, [one, two]).bytes], [1, 3, 4, 2, 5, 6]);
});

test("at axis 0 nothing is copied, neither in nor out", () => {
  const tensors = [1, 2].map((salt) => tensorOf("INT16", [2, 3], salt));
  const { parts } = joinInput("x", 0, tensors);
  assert.deepEqual(
    parts.map((part, i) => part === tensors[i]?.bytes),
    [true, true],
  );
  const joined = whole("x", 0, tensors);
  for (const { bytes } of splitOutput("x", joined, 0, [1, 3])) assert.equal(bytes.buffer, joined.bytes.buffer);
});

test("an output without the batch's rows is refused, with its shape", () => {
  const output = tensorOf("INT16", [2, 3], 1);
  assert.throws(() => splitOutput("y", output, 0, [1, 2]), { constructor: Misfit, message: /"y".*\[2, 3\].*of 3/ });
});
