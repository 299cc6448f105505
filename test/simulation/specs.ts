/** Specs that the CRD's schema allows, and that nobody would write: from the zod schema itself, so that a new field is tried as it is added. */
import fc from "fast-check";
import { type ModelDeploymentSpec, specSchema } from "../../operator/api/v1alpha1/index.ts";
import { type JsonSchema, structural, valuesOf } from "../../operator/api/v1alpha1/structural.ts";

const INT32 = 2 ** 31 - 1;

const arbitraryOf = (schema: JsonSchema): fc.Arbitrary<unknown> => {
  if (schema["x-kubernetes-int-or-string"] === true) {
    return fc.oneof(fc.integer({ min: schema.minimum ?? 0, max: INT32 }), textOf(schema));
  }
  if (schema["x-kubernetes-preserve-unknown-fields"] === true) {
    const { maximum: max = INT32, minimum: min = 0 } = schema;
    return fc.oneof(fc.double({ min, max, noNaN: true }), textOf(schema));
  }
  switch (schema.type) {
    case "object":
      return objectOf(schema);
    case "array":
      return fc.array(arbitraryOf(schema.items ?? {}), {
        minLength: schema.minItems ?? 0,
        maxLength: Math.min(schema.maxItems ?? 3, (schema.minItems ?? 0) + 3),
      });
    case "string":
      return schema.enum === undefined ? textOf(schema) : fc.constantFrom(...schema.enum);
    case "integer":
      return fc.integer({ min: schema.minimum ?? -INT32, max: schema.maximum ?? INT32 });
    case "boolean":
      return fc.boolean();
    default:
      throw new Error(`no specs are made of a schema of type ${schema.type}`);
  }
};

const textOf = ({ pattern, minLength = 0, maxLength = 20 }: JsonSchema): fc.Arbitrary<string> =>
  pattern === undefined
    ? fc.string({ minLength, maxLength: Math.min(maxLength, minLength + 20) })
    : fc.stringMatching(new RegExp(pattern)).filter(({ length }) => length >= minLength && length <= maxLength);

const objectOf = (schema: JsonSchema): fc.Arbitrary<unknown> => {
  const { properties, required = [] } = schema;
  const values = valuesOf(schema);
  if (values !== undefined) {
    return fc.dictionary(fc.stringMatching(/^[a-z]{1,8}$/), arbitraryOf(values), { maxKeys: 3 });
  }
  const fields = Object.entries(properties ?? {}).map(([name, schema]): [string, fc.Arbitrary<unknown>] => [
    name,
    arbitraryOf(schema),
  ]);
  return fc.record(Object.fromEntries(fields), { requiredKeys: required });
};

/** Each holds to the schema; CEL rules may refuse it, as an API server of another version may not. */
export const anySpec: fc.Arbitrary<ModelDeploymentSpec> = arbitraryOf(structural(specSchema)).map((value) =>
  specSchema.parse(value),
);
