/** Server-side apply on plain JSON: maps merge; lists, and maps that the API calls atomic, are one value. */
export type Fields = { [field: string]: unknown };

export const isFields = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const ATOMIC = new Set(["selector"]);

export const merge = (base: Fields, over: Fields): Fields => {
  const merged: Fields = { ...base };
  for (const [field, value] of Object.entries(over)) {
    const before = merged[field];
    merged[field] = isFields(before) && isFields(value) && !ATOMIC.has(field) ? merge(before, value) : value;
  }
  return merged;
};

/** `base` without the fields that are in `before` and no longer in `after`. */
export const subtract = (base: Fields, before: Fields, after: Fields): Fields => {
  const left: Fields = { ...base };
  for (const [field, value] of Object.entries(before)) {
    const kept = left[field];
    const next = after[field];
    if (next === undefined) delete left[field];
    else if (isFields(kept) && isFields(value) && isFields(next)) left[field] = subtract(kept, value, next);
  }
  return left;
};

/** JSON merge patch (RFC 7386): null removes a field, a list is replaced whole. */
export const patched = (before: unknown, patch: unknown): unknown => {
  if (!isFields(patch)) return patch;
  const fields = isFields(before) ? { ...before } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete fields[name];
    else fields[name] = patched(fields[name], value);
  }
  return fields;
};

/** What of `fields` is so in `object`. */
export const agreeing = (fields: Fields, object: Fields): Fields => {
  const same: Fields = {};
  for (const [name, value] of Object.entries(fields)) {
    const other = object[name];
    if (isFields(value) && isFields(other)) same[name] = agreeing(value, other);
    else if (JSON.stringify(value) === JSON.stringify(other)) same[name] = value;
  }
  return same;
};

/** What `object` has and `fields` has not. */
export const beside = (fields: Fields, object: Fields): Fields => {
  const rest: Fields = {};
  for (const [name, value] of Object.entries(object)) {
    const other = fields[name];
    if (other === undefined) rest[name] = value;
    else if (isFields(value) && isFields(other)) {
      const inner = beside(other, value);
      if (Object.keys(inner).length > 0) rest[name] = inner;
    }
  }
  return rest;
};

/** `fields` without what `over` has otherwise: whoever applies another value takes the field. */
export const standing = (fields: Fields, over: Fields): Fields => ({
  ...beside(over, fields),
  ...Object.fromEntries(
    Object.entries(fields).flatMap(([name, value]): [string, unknown][] => {
      const other = over[name];
      if (isFields(value) && isFields(other)) return [[name, standing(value, other)]];
      return other !== undefined && JSON.stringify(value) === JSON.stringify(other) ? [[name, value]] : [];
    }),
  ),
});
