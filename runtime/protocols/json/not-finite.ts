import { invalid } from "../../errors/request-error.ts";

/**
 * How an answer in JSON writes NaN and the infinities, which JSON does not have: as bare words, which the protocols' clients in Python
 * read; as strings ("NaN", "Infinity"); or as null. Browsers, Go and Java refuse bare words.
 */
export type NotFinite = "bare" | "string" | "null";

/** What the parameter `nan` of a request's query asks for. Throws a RequestError for what there is not. */
export const notFiniteOf = (query: string): NotFinite => {
  if (query === "") return "bare";
  const asked = new URLSearchParams(query).get("nan");
  if (asked === null) return "bare";
  if (asked === "string" || asked === "null") return asked;
  throw invalid(
    `the query's nan is "${asked.slice(0, 40)}"; give nan=string or nan=null, or leave it out for bare words`,
  );
};

export const writeNotFinite = (value: number, as: NotFinite): string =>
  as === "null" ? "null" : as === "string" ? `"${value}"` : String(value);
