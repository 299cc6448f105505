import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { closed, jsonSchemas } from "./json-schemas.ts";

test("objects are closed at every depth, maps and lists keep what they hold, and Kubernetes' own keywords go", () => {
  const leaf = { type: "object", properties: { a: { type: "string" } }, "x-kubernetes-validations": [] };
  assert.deepEqual(
    closed({
      type: "object",
      properties: {
        list: { type: "array", "x-kubernetes-list-type": "set", items: leaf },
        map: { type: "object", maxProperties: 3, additionalProperties: leaf },
      },
    }),
    {
      type: "object",
      additionalProperties: false,
      properties: {
        list: {
          type: "array",
          uniqueItems: true,
          items: { type: "object", properties: { a: { type: "string" } }, additionalProperties: false },
        },
        map: {
          type: "object",
          maxProperties: 3,
          additionalProperties: { type: "object", properties: { a: { type: "string" } }, additionalProperties: false },
        },
      },
    },
  );
});

test("numbers or strings are just that", () => {
  const bounds = { minimum: 0, pattern: "^1$" };
  const anyOf = [{ type: "integer" }, { type: "string" }];
  assert.deepEqual(closed({ ...bounds, anyOf, "x-kubernetes-int-or-string": true }), {
    ...bounds,
    type: ["integer", "string"],
  });
  assert.deepEqual(
    closed({
      ...bounds,
      ...{ minItems: 1, maxItems: 0, minProperties: 1, maxProperties: 0, not: { enum: [false, true] } },
      "x-kubernetes-preserve-unknown-fields": true,
    }),
    { ...bounds, type: ["number", "string"] },
  );
});

const Node = z.looseObject({ type: z.unknown(), properties: z.record(z.string(), z.unknown()).optional() });

/** The paths of objects that take any field. */
const openIn = (value: unknown, path: string): string[] => {
  if (typeof value !== "object" || value === null) return [];
  const inner = Object.entries(value).flatMap(([key, child]) => openIn(child, `${path}/${key}`));
  const node = Node.safeParse(value);
  const isOpen = node.success && node.data.type === "object" && node.data.additionalProperties === undefined;
  return isOpen ? [path, ...inner] : inner;
};

test("nothing in the schemas is left open but what the API server keeps for itself", () => {
  const schemas = jsonSchemas();
  assert.deepEqual(
    schemas.map(({ path }) => path),
    ["schemas/modeldeployment_v1alpha1.json", "schemas/modelrollout_v1alpha1.json"],
  );
  for (const { text } of schemas)
    assert.deepEqual(openIn(JSON.parse(text), ""), ["/properties/metadata/properties/managedFields/items"]);
});
