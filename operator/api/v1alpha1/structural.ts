/**
 * From zod's JSON schema to what a CRD may hold: a structural schema. zod writes three things that
 * Kubernetes refuses or that mean nothing there: bounds inside `anyOf`, JavaScript's 2^53 bounds of
 * integers, and `additionalProperties: {}` of loose objects. "A number or a string" has no type there: what it is not is said
 * by bounds that no object, list or boolean is within.
 */
import { z } from "zod";

export type JsonSchema = {
  type?: string;
  description?: string;
  format?: string;
  default?: unknown;
  enum?: string[];
  pattern?: string;
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  minItems?: number;
  maxItems?: number;
  minProperties?: number;
  maxProperties?: number;
  properties?: Record<string, JsonSchema> | undefined;
  /** Of a map: the schema of each value. */
  additionalProperties?: boolean | JsonSchema | undefined;
  required?: string[];
  items?: JsonSchema | undefined;
  anyOf?: JsonSchema[] | undefined;
  not?: { enum: readonly boolean[] };
  "x-kubernetes-int-or-string"?: boolean;
  /** Of a number or a string, and nothing else. */
  "x-kubernetes-preserve-unknown-fields"?: boolean;
  "x-kubernetes-list-type"?: string;
  "x-kubernetes-list-map-keys"?: string[];
  "x-kubernetes-validations"?: { rule: string; message: string; messageExpression?: string }[];
};

const jsonSchema: z.ZodType<JsonSchema> = z.lazy(() =>
  z.looseObject({
    properties: z.record(z.string(), jsonSchema).optional(),
    additionalProperties: z.union([z.boolean(), jsonSchema]).optional(),
    items: jsonSchema.optional(),
    anyOf: z.array(jsonSchema).optional(),
  }),
);

/** The structural schema of a zod schema, with the keys that Kubernetes knows in one fixed order. */
export const structural = (schema: z.ZodType): JsonSchema =>
  convert(jsonSchema.parse(z.toJSONSchema(schema, { target: "openapi-3.0", io: "input" })));

const convert = (from: JsonSchema): JsonSchema => {
  const isIntOrString = from["x-kubernetes-int-or-string"] === true;
  const isUntyped = from["x-kubernetes-preserve-unknown-fields"] === true;
  const alternatives = isIntOrString || isUntyped ? (from.anyOf ?? []) : [];
  const number = alternatives.find(({ type }) => type === "integer" || type === "number") ?? from;
  const text = alternatives.find((one) => one.type === "string") ?? from;
  const properties = Object.entries(from.properties ?? {}).map(([name, schema]) => [name, convert(schema)]);
  const values = valuesOf(from);
  const entries: [keyof JsonSchema, unknown][] = [
    ["type", from.type],
    ["description", from.description],
    ["format", from.format ?? integerFormat(from)],
    ["default", from.default],
    ["enum", from.enum],
    ["pattern", text.pattern],
    ["minimum", bound(number.minimum)],
    ["maximum", bound(number.maximum)],
    ["minLength", text.minLength],
    ["maxLength", text.maxLength],
    ["minItems", isUntyped ? 1 : from.minItems],
    ["maxItems", isUntyped ? 0 : from.maxItems],
    ["minProperties", isUntyped ? 1 : undefined],
    ["maxProperties", isUntyped ? 0 : from.maxProperties],
    ["not", isUntyped ? { enum: [false, true] } : undefined],
    ["required", from.required],
    ["properties", from.properties && Object.fromEntries(properties)],
    ["additionalProperties", values === undefined ? undefined : convert(values)],
    ["items", from.items && convert(from.items)],
    ["anyOf", isIntOrString ? [{ type: "integer" }, { type: "string" }] : undefined],
    ["x-kubernetes-int-or-string", from["x-kubernetes-int-or-string"]],
    ["x-kubernetes-preserve-unknown-fields", from["x-kubernetes-preserve-unknown-fields"]],
    ["x-kubernetes-list-type", from["x-kubernetes-list-type"]],
    ["x-kubernetes-list-map-keys", from["x-kubernetes-list-map-keys"]],
    ["x-kubernetes-validations", from["x-kubernetes-validations"]],
  ];
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined));
};

/** The schema of a map's values. zod writes an empty one for a loose object, whose other fields are nobody's business. */
export const valuesOf = ({ additionalProperties }: JsonSchema): JsonSchema | undefined =>
  typeof additionalProperties === "object" && additionalProperties.type !== undefined
    ? additionalProperties
    : undefined;

const integerFormat = (schema: JsonSchema): string | undefined =>
  schema.type !== "integer" ? undefined : schema.maximum === Number.MAX_SAFE_INTEGER ? "int64" : "int32";

/** Bounds of the number type itself say nothing that `format` does not. */
const bound = (value: number | undefined): number | undefined =>
  value === undefined || Math.abs(value) >= 2 ** 31 - 1 ? undefined : value;
