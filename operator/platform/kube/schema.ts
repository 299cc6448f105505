/** What a kind's schema in the cluster knows of an object, and what it does not: an older one lacks fields of a newer program. Pure. */

/** As much of an OpenAPI schema as says which fields there are. */
export type Schema = {
  properties?: Readonly<Record<string, Schema>> | undefined;
  items?: Schema | undefined;
  additionalProperties?: boolean | Schema | undefined;
  enum?: readonly unknown[] | undefined;
};

/** What `installed` lacks of `wanted`, as paths: `status.traffic.port`, and `status.phase=Paused` for a word of an enumeration. */
export const lacking = (wanted: Schema, installed: Schema | undefined, path = ""): string[] => {
  if (installed === undefined) return [path];
  const found: string[] = [];
  const words = installed.enum;
  if (words !== undefined) {
    for (const word of wanted.enum ?? []) if (!words.includes(word)) found.push(`${path}=${word}`);
  }
  for (const [name, inner] of Object.entries(wanted.properties ?? {})) {
    const theirs = installed.properties;
    // an object without any fields, as `metadata` is here, is described elsewhere
    if (theirs === undefined) continue;
    found.push(...lacking(inner, own(theirs, name), path === "" ? name : `${path}.${name}`));
  }
  if (wanted.items !== undefined && installed.items !== undefined) {
    found.push(...lacking(wanted.items, installed.items, `${path}[]`));
  }
  const [values, theirs] = [valuesOf(wanted), valuesOf(installed)];
  if (values !== undefined && theirs !== undefined) found.push(...lacking(values, theirs, `${path}.*`));
  return found;
};

/** `value` without the fields that its schema does not know. */
export const known = (value: unknown, schema: Schema): unknown => {
  if (Array.isArray(value)) {
    const { items } = schema;
    return items === undefined ? value : value.map((item) => known(item, items));
  }
  return typeof value === "object" && value !== null ? knownFields(value, schema) : value;
};

export const knownFields = (value: object, schema: Schema): object => {
  const { properties } = schema;
  const values = valuesOf(schema);
  if (properties === undefined && values === undefined) return value;
  const kept = Object.entries(value).flatMap(([name, inner]): [string, unknown][] => {
    const field = (properties && own(properties, name)) ?? values;
    if (field !== undefined) return [[name, known(inner, field)]];
    return schema.additionalProperties === true ? [[name, inner]] : [];
  });
  return Object.fromEntries(kept);
};

const own = <T>(fields: Readonly<Record<string, T>>, name: string): T | undefined =>
  Object.hasOwn(fields, name) ? fields[name] : undefined;

const valuesOf = ({ additionalProperties }: Schema): Schema | undefined =>
  typeof additionalProperties === "object" ? additionalProperties : undefined;
