/** Whose keys are the user's own. */
const MAPS = new Set(["labels", "annotations", "nodeSelector", "podLabels", "podAnnotations"]);

const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const letters = (name: string): string => `${name}${name.at(-1)}`;

/** `value` with one field misspelt, for each of its fields at any depth; `field` is the path of the misspelt one. */
export const misspelt = (value: object, path = ""): { field: string; manifest: object }[] =>
  Object.entries(value).flatMap(([name, inner]) => {
    const field = path === "" ? name : `${path}.${name}`;
    const put = (changed: unknown) =>
      Array.isArray(value) ? value.with(Number(name), changed) : { ...value, [name]: changed };
    const below =
      (isMap(inner) && !MAPS.has(name)) || Array.isArray(inner)
        ? misspelt(inner, field).map((one) => ({ field: one.field, manifest: put(one.manifest) }))
        : [];
    if (Array.isArray(value)) return below;
    const renamed = Object.entries(value).map(([key, one]) => [key === name ? letters(key) : key, one]);
    return [
      { field: path === "" ? letters(name) : `${path}.${letters(name)}`, manifest: Object.fromEntries(renamed) },
      ...below,
    ];
  });
