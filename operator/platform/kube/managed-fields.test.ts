import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { withoutManagedFields } from "./managed-fields.ts";

const NAME = "managedFields";

/** The same, parsed: without the lists of that name, at any depth. */
const without = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(without);
  if (typeof value !== "object" || value === null) return value;
  const kept = Object.entries(value).filter(([name, inner]) => name !== NAME || !Array.isArray(inner));
  return Object.fromEntries(kept.map(([name, inner]) => [name, without(inner)]));
};

describe("JSON without managedFields", () => {
  const text = fc.oneof(fc.string({ unit: "binary" }), fc.constantFrom(NAME, `"${NAME}":[`, "\\", '\\"', "]}", "[{"));
  const { json } = fc.letrec<{ json: unknown }>((tie) => ({
    json: fc.oneof(
      { maxDepth: 4 },
      text,
      fc.integer(),
      fc.constant(null),
      fc.array(tie("json"), { maxLength: 4 }),
      fc.dictionary(text, tie("json"), { maxKeys: 5 }),
      fc.record(
        { a: tie("json"), [NAME]: fc.array(tie("json"), { maxLength: 3 }), z: tie("json") },
        { requiredKeys: [] },
      ),
    ),
  }));

  it("is what remains when they are taken away after it is parsed", () => {
    fc.assert(
      fc.property(json, (value) => {
        const written = JSON.stringify(value);
        const read: unknown = JSON.parse(written);
        assert.deepEqual(JSON.parse(withoutManagedFields(written)), without(read));
      }),
      { numRuns: 2000 },
    );
  });

  it("is left as it is where it has none, or does not end", () => {
    for (const other of ["", "<html>", '{"a":1}', '{"managedFields":[{"a":"', '{"managedFields": []}'])
      assert.equal(withoutManagedFields(other), other);
  });
});
