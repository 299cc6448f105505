/**
 * Statuses within the bounds that the CRD sets: the API server refuses one that breaks a single bound as a whole, and with it
 * the routing table and the promotion. Pure.
 */
import { findCondition, type Mark, toConditions } from "./conditions.ts";
import { type RolloutRecord, recordSchema } from "./model-rollout.ts";
import { type Condition, type ModelDeploymentStatus, statusSchema } from "./status.ts";
import { type JsonSchema, structural } from "./structural.ts";

/** Made when it is first needed: it takes 15 ms, and a start has served a change by then. */
const onFirstUse = <T>(make: () => T): (() => T) => {
  let made: { value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
};
const statusBounds = onFirstUse(() => structural(statusSchema));
const recordBounds = onFirstUse(() => structural(recordSchema));

/** `status` with numbers at their bounds, long texts and lists cut, and without what no bound can mend. */
export const boundedStatus = (status: ModelDeploymentStatus): ModelDeploymentStatus =>
  statusSchema.parse(bounded(statusBounds(), status));

/** As `boundedStatus`; a memory that is too long is left out, because a part of it is worth nothing. */
export const boundedRecord = ({ memory, ...record }: RolloutRecord): RolloutRecord => {
  const bounds = recordBounds();
  const isKept = typeof memory === "string" && memory.length <= (bounds.properties?.memory?.maxLength ?? 0);
  return recordSchema.parse(bounded(bounds, isKept ? { ...record, memory } : record));
};

/**
 * What is written when the API server refuses `status`: the refusal, and all that routers and the next pass go by.
 * `message` is the API server's; `now` is RFC 3339.
 */
export const minimalStatus = (
  { conditions, observedGeneration, operator, rollout, stable, traffic }: ModelDeploymentStatus,
  message: string,
  previous: readonly Condition[],
  now: string,
): ModelDeploymentStatus => {
  const text = `the API server refused the status: ${message}`;
  const marks: Mark[] = [
    { type: "Ready", status: "False", reason: "StatusRefused", message: text },
    { type: "Reconciling", status: "True", reason: "ProgressingWithRetry", message: text },
  ];
  const available = findCondition(conditions, "Available");
  return boundedStatus({
    observedGeneration,
    phase: "Progressing",
    message: text,
    conditions: [
      ...toConditions(marks, previous, observedGeneration, now),
      ...(available === undefined ? [] : [available]),
    ],
    ...(operator === undefined ? {} : { operator }),
    ...(traffic === undefined ? {} : { traffic }),
    ...(rollout === undefined ? {} : { rollout }),
    ...(stable === undefined ? {} : { stable }),
  });
};

/** `value` as `schema` takes it; undefined for what cannot be made to fit, and goes with whatever requires it. */
const bounded = (schema: JsonSchema, value: unknown): unknown => {
  switch (schema.type) {
    case "object":
      return isMap(value) ? boundedObject(schema, value) : undefined;
    case "array":
      return Array.isArray(value) ? boundedList(schema, value) : undefined;
    case "string":
      return typeof value === "string" ? boundedText(schema, value) : undefined;
    case "integer":
    case "number":
      return typeof value === "number" ? boundedNumber(schema, value) : undefined;
    case "boolean":
      return typeof value === "boolean" ? value : undefined;
    default:
      return undefined;
  }
};

const boundedObject = ({ properties = {}, required = [] }: JsonSchema, value: Record<string, unknown>): unknown => {
  const object: Record<string, unknown> = {};
  for (const name of Object.keys(value)) {
    const schema = Object.hasOwn(properties, name) ? properties[name] : undefined;
    const field = schema === undefined ? undefined : bounded(schema, value[name]);
    if (field !== undefined) object[name] = field;
  }
  return required.every((name) => Object.hasOwn(object, name)) ? object : undefined;
};

const boundedList = (schema: JsonSchema, list: readonly unknown[]): unknown[] => {
  const { items = {}, maxItems = list.length } = schema;
  const keys = schema["x-kubernetes-list-map-keys"];
  const fitting = list.map((item) => bounded(items, item)).filter((item) => item !== undefined);
  return (keys === undefined ? fitting : withoutTwins(fitting, keys)).slice(0, maxItems);
};

/** Two items of one key make the API server refuse a list that is a map. */
const withoutTwins = (items: readonly unknown[], keys: readonly string[]): unknown[] => {
  const seen = new Set<string>();
  return items.filter((item) => {
    const key = JSON.stringify(isMap(item) ? keys.map((name) => item[name]) : item);
    const isNew = !seen.has(key);
    seen.add(key);
    return isNew;
  });
};

const boundedText = (schema: JsonSchema, text: string): string | undefined => {
  const { format, maxLength = Number.POSITIVE_INFINITY, minLength = 0 } = schema;
  if (schema.enum !== undefined) return schema.enum.includes(text) ? text : undefined;
  if (text.length < minLength) return undefined;
  if (format === "date-time") return isDateTime(text) && text.length <= maxLength ? text : "1970-01-01T00:00:00Z";
  // half of a surrogate pair is no character
  return text.length <= maxLength ? text : `${text.slice(0, maxLength - 1).replace(/[\uD800-\uDBFF]$/, "")}…`;
};

const isDateTime = (text: string): boolean =>
  /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})$/.test(text) && !Number.isNaN(Date.parse(text));

const RANGES: Readonly<Record<string, readonly [least: number, most: number]>> = {
  int32: [-(2 ** 31), 2 ** 31 - 1],
  int64: [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
};

/** What is not a number counts as 0. */
const boundedNumber = ({ format = "", maximum, minimum, type }: JsonSchema, number: number): number => {
  const [least, most] = RANGES[format] ?? [-Number.MAX_VALUE, Number.MAX_VALUE];
  const whole = Number.isNaN(number) ? 0 : type === "integer" ? Math.round(number) + 0 : number;
  return Math.min(Math.max(whole, minimum ?? least), maximum ?? most);
};

const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
