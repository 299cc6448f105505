import { readFileSync } from "node:fs";

/** The version of this package, as /v2 and /statusz report it. */
export const packageVersion = (): string => {
  const parsed: unknown = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  return typeof parsed === "object" && parsed !== null && "version" in parsed ? String(parsed.version) : "0.0.0";
};
