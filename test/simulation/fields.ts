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
