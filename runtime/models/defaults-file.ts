import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { DefaultValue } from "../tensors/index.ts";

/** Beside a model that was changed and written anew, in which nothing is left of the defaults of its inputs. */
const fileBeside = (model: string): string => join(dirname(model), "defaults.json");

export const writeDefaultsFile = (model: string, defaults: ReadonlyMap<string, DefaultValue>): void => {
  if (defaults.size > 0) writeFileSync(fileBeside(model), JSON.stringify([...defaults]));
};

/** Looks at no more than the form: the file is from the process that prepared the model. */
export const readDefaultsFile = (model: string): ReadonlyMap<string, DefaultValue> => {
  const file = fileBeside(model);
  const entries: unknown = existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : [];
  return new Map(Array.isArray(entries) ? entries.filter(isEntry) : []);
};

const isEntry = (entry: unknown): entry is [string, DefaultValue] =>
  Array.isArray(entry) && typeof entry[0] === "string" && typeof entry[1] === "object" && entry[1] !== null;
