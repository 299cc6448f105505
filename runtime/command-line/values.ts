/** What a command line says, option by option; each reader throws a UsageError that names the option. */
import { type ParseArgsConfig, parseArgs } from "node:util";
import { parseDuration, parseSize } from "./units.ts";

/** A command line that cannot be understood; `message` is one line that says what to do. */
export class UsageError extends Error {}

export type Values = Record<string, string | boolean | undefined>;

/** @param example of a value with its option */
export const parse = (
  command: string,
  example: string,
  args: string[],
  strings: string[],
  booleans: string[] = [],
): Values | "help" => {
  const options: NonNullable<ParseArgsConfig["options"]> = { help: { type: "boolean" } };
  for (const name of strings) options[name] = { type: "string" };
  for (const name of booleans) options[name] = { type: "boolean" };
  try {
    const { values } = parseArgs({ args, options, allowPositionals: false });
    if (values.help === true) return "help";
    const flat: Values = {};
    for (const [name, value] of Object.entries(values)) flat[name] = Array.isArray(value) ? undefined : value;
    return flat;
  } catch (error) {
    const [reason = ""] = error instanceof Error ? error.message.split(". ") : [String(error)];
    const hint = reason.startsWith("Unexpected argument") ? `; each value has its option, as in ${example}` : "";
    throw new UsageError(`${reason}${hint}; see ${command} --help`);
  }
};

export const text = (values: Values, name: string): string | undefined => {
  const value = values[name];
  return typeof value === "string" && value !== "" ? value : undefined;
};

export const required = (values: Values, name: string, command: string, usage: string): string => {
  const value = text(values, name);
  if (value === undefined) throw new UsageError(`--${name} is missing: give ${usage}; see ${command} --help`);
  return value;
};

export const port = (values: Values, name: string, fallback: number): number => {
  const value = text(values, name);
  if (value === undefined) return fallback;
  if (!/^\d{1,5}$/.test(value) || Number(value) > 65535) {
    throw new UsageError(`--${name}: "${value}" is not a port; give a number from 0 to 65535`);
  }
  return Number(value);
};

export const choice = <T extends string>(values: Values, name: string, choices: readonly T[], fallback: T): T => {
  const value = text(values, name);
  if (value === undefined) return fallback;
  const found = choices.find((one) => one === value);
  if (found === undefined) throw new UsageError(`--${name}: "${value}" is unknown; give one of ${choices.join(", ")}`);
  return found;
};

export const count = (values: Values, name: string, most: number): number | undefined => {
  const value = text(values, name);
  if (value === undefined) return undefined;
  if (!/^[1-9]\d{0,5}$/.test(value) || Number(value) > most) {
    throw new UsageError(`--${name}: "${value}" is not a whole number from 1 to ${most}`);
  }
  return Number(value);
};

export const duration = (values: Values, name: string, fallback: number, least = 1): number => {
  const value = text(values, name);
  if (value === undefined) return fallback;
  const ms = parseDuration(value);
  // setTimeout's largest delay is 2^31 - 1 ms
  if (ms === undefined || ms < least || ms > 2 ** 31 - 1) {
    throw new UsageError(`--${name}: "${value}" is not a duration; give for example 500ms, 30s or 1m30s`);
  }
  return ms;
};

export const size = (values: Values, name: string): number | undefined => {
  const value = text(values, name);
  if (value === undefined) return undefined;
  const bytes = parseSize(value);
  if (bytes === undefined || bytes < 1) {
    throw new UsageError(`--${name}: "${value}" is not a size; give for example 1000000, 64Mi or 2G`);
  }
  return bytes;
};
