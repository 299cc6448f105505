/** Edits of a status that the CRD's schema allows: from the zod schema itself, so that a new field is tried as it is added. */
import fc from "fast-check";
import { type ModelDeploymentStatus, statusSchema } from "../../operator/api/v1alpha1/index.ts";
import { type JsonSchema, structural } from "../../operator/api/v1alpha1/structural.ts";
import { isFields } from "./fields.ts";

/** What a made-up value is about: names that are there, and the world's time (ms). */
export type Context = { names: readonly string[]; now: number };
type Value = (context: Context) => unknown;

/** A change of one field: `value` undefined takes it away. */
export type StatusEdit = { path: readonly (string | number)[]; value: Value };

const MINUTE = 60_000;
/** From the world's time; the last ones are further than any life goes. */
const TIMES = [0, -1000, 1000, -5 * MINUTE, 5 * MINUTE, -1e11, 1e11];

const madeOf = (schema: JsonSchema): fc.Arbitrary<Value> => {
  const { format, maxLength = 20, maximum, minimum = -(2 ** 31) } = schema;
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum).map((value) => () => value);
  if (format === "date-time")
    return fc.constantFrom(...TIMES).map(
      (by) =>
        ({ now }) =>
          new Date(now + by).toISOString(),
    );
  switch (schema.type) {
    case "string":
      return fc.oneof(
        fc.nat({ max: 5 }).map(
          (index): Value =>
            ({ names }) =>
              names[index % names.length]?.slice(0, maxLength),
        ),
        fc.string({ maxLength: Math.min(maxLength, 12) }).map((text) => () => text),
      );
    case "integer": {
      const most = maximum ?? (format === "int64" ? Number.MAX_SAFE_INTEGER : 2 ** 31 - 1);
      const told = fc.constantFrom(0, 1, 2, 3, 50, 100, most - 1, most, Math.max(minimum, -1), minimum);
      return told.filter((number) => number >= minimum && number <= most).map((number) => () => number);
    }
    case "boolean":
      return fc.boolean().map((value) => () => value);
    case "array": {
      const { items = {}, maxItems = 3, minItems = 0 } = schema;
      const lists = fc.array(madeOf(items), { minLength: minItems, maxLength: Math.min(maxItems, 3) });
      return lists.map((list) => (context) => list.map((one) => one(context)));
    }
    default:
      return objectOf(schema);
  }
};

const objectOf = ({ properties = {}, required = [] }: JsonSchema): fc.Arbitrary<Value> => {
  const fields = Object.entries(properties).map(([name, inner]): [string, fc.Arbitrary<Value>] => [
    name,
    madeOf(inner),
  ]);
  const made: fc.Arbitrary<Record<string, Value>> = fc.record(Object.fromEntries(fields), { requiredKeys: required });
  return made.map(
    (values) => (context) => Object.fromEntries(Object.entries(values).map(([name, value]) => [name, value(context)])),
  );
};

/** The paths of all fields, with the first two items of each list. */
const pathsIn = (schema: JsonSchema, path: readonly (string | number)[] = []): [StatusEdit["path"], JsonSchema][] => [
  ...(path.length === 0 ? [] : [[path, schema] as [StatusEdit["path"], JsonSchema]]),
  ...Object.entries(schema.properties ?? {}).flatMap(([name, inner]) => pathsIn(inner, [...path, name])),
  ...(schema.items === undefined ? [] : [0, 1].flatMap((index) => pathsIn(schema.items ?? {}, [...path, index]))),
];

const PATHS = pathsIn(structural(statusSchema));
/** What decisions follow from is edited more often than what people read. */
const OFTEN = PATHS.filter(([[top]]) => ["rollout", "stable", "traffic"].includes(String(top)));

export const anyStatusEdit: fc.Arbitrary<StatusEdit> = fc
  .oneof({ weight: 1, arbitrary: fc.constantFrom(...PATHS) }, { weight: 3, arbitrary: fc.constantFrom(...OFTEN) })
  .chain(([path, schema]) =>
    fc
      .oneof({ weight: 6, arbitrary: madeOf(schema) }, { weight: 1, arbitrary: fc.constant<Value>(() => undefined) })
      .map((value) => ({ path, value })),
  );

/** The status with these edits; undefined where the API server takes no such status. */
export const withEdits = (
  status: ModelDeploymentStatus,
  edits: readonly StatusEdit[],
  context: Context,
): ModelDeploymentStatus | undefined => {
  const edited = edits.reduce<unknown>((all, { path, value }) => set(all, path, value(context)), status);
  const { data, success } = statusSchema.safeParse(edited);
  return success && !hasTwins(data) ? data : undefined;
};

/** Lists that are maps have each key once. */
const hasTwins = ({ conditions = [], traffic }: ModelDeploymentStatus): boolean =>
  new Set(conditions.map(({ type }) => type)).size < conditions.length ||
  new Set(traffic?.routes.map(({ role }) => role)).size < (traffic?.routes.length ?? 0);

const set = (object: unknown, [first, ...rest]: StatusEdit["path"], value: unknown): unknown => {
  if (first === undefined) return value;
  if (typeof first === "number") {
    const list = Array.isArray(object) ? [...object] : [];
    if (first > list.length) return object;
    const item = set(list[first], rest, value);
    return item === undefined ? list.toSpliced(first, 1) : list.toSpliced(first, 1, item);
  }
  const fields = isFields(object) ? { ...object } : {};
  const inner = set(fields[first], rest, value);
  if (inner === undefined) delete fields[first];
  else fields[first] = inner;
  return fields;
};
