/** Fields of a head: name in lower case, value, name, value, … */
export type Fields = readonly string[];

/** The field's value, several joined with ", " as RFC 9110 (5.3) has it; `name` in lower case. */
export const fieldOf = (fields: Fields, name: string): string | undefined => {
  let value: string | undefined;
  for (let i = 0; i < fields.length; i += 2) {
    if (fields[i] === name) value = value === undefined ? fields[i + 1] : `${value}, ${fields[i + 1]}`;
  }
  return value;
};

/** The value of the first of them: for fields that are no list. */
export const firstFieldOf = (fields: Fields, name: string): string | undefined => {
  for (let i = 0; i < fields.length; i += 2) if (fields[i] === name) return fields[i + 1];
  return undefined;
};
