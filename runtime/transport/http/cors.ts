/**
 * Answers to browsers, which let a page of another origin ask this server only where its answers say so, and for requests that
 * no form could send (JSON among them) ask beforehand (https://fetch.spec.whatwg.org/#http-cors-protocol).
 */
import type { HttpResponse } from "./types.ts";

/** Origins whose pages may ask; "*" is all. */
export type Origins = "*" | ReadonlySet<string>;

/** What of a request it takes: a header by its name in lower case. */
type Request = { method: string; header(name: string): string | undefined };

export type Cors = {
  /** The answer to a question that a browser asks before a request; undefined where it is none. */
  preflight(request: Request): HttpResponse | undefined;
  /** Whole lines for the head of an answer; none for one that has said it all. */
  lines(response: HttpResponse, origin: string | undefined): string;
};

/** Browsers keep the answer for so long; Chromium no longer than two hours. */
const KEEP_S = 3600;
/** Headers of answers that a page may read besides the few that it may always read. */
const EXPOSED = "inference-header-content-length, retry-after";
const METHODS = "GET, HEAD, POST";
/** A list of names of headers, as it may go back. */
const NAMES = /^[A-Za-z0-9!#$%&'*+.^_`|~, -]{0,1024}$/;

export const createCors = (origins: Origins): Cors => {
  const allows = (origin: string): boolean => origins === "*" || origins.has(origin.toLowerCase());
  const linesFor = new Map<string, string>();
  const exposed = `access-control-expose-headers: ${EXPOSED}\r\n`;
  const forAll = `access-control-allow-origin: *\r\n${exposed}`;
  if (origins !== "*") {
    for (const origin of origins)
      linesFor.set(origin, `access-control-allow-origin: ${origin}\r\nvary: origin\r\n${exposed}`);
  }
  return {
    preflight({ method, header }) {
      const origin = header("origin");
      const wanted = header("access-control-request-method");
      if (method !== "OPTIONS" || origin === undefined || wanted === undefined) return undefined;
      if (!allows(origin)) return { status: 403, headers: { vary: "origin" }, parts: [] };
      const names = header("access-control-request-headers") ?? "";
      return {
        status: 200,
        headers: {
          "access-control-allow-origin": origins === "*" ? "*" : origin,
          "access-control-allow-methods": METHODS,
          ...(NAMES.test(names) && names !== "" ? { "access-control-allow-headers": names } : {}),
          "access-control-max-age": String(KEEP_S),
          vary: "origin, access-control-request-headers",
        },
        parts: [],
      };
    },
    lines({ headers }, origin) {
      if ("access-control-allow-origin" in headers) return "";
      if (origins === "*") return forAll;
      return linesFor.get(origin?.toLowerCase() ?? "") ?? "vary: origin\r\n";
    },
  };
};

/** A scheme, a host and perhaps a port: nothing behind it, not even a slash. As `spec.server.corsOrigins` takes them. */
const ORIGIN = /^https?:\/\/([a-z0-9_]([a-z0-9._-]*[a-z0-9_])?|\[[0-9a-f:.]+\])(:\d{1,5})?$/;

/** Origins from a list with commas, such as `https://a.example,http://localhost:3000`, or the one of them that is none. */
export const parseOrigins = (list: string): Origins | { wrong: string } => {
  const items = list.split(",").map((item) => item.trim().toLowerCase());
  if (items.length === 1 && items[0] === "*") return "*";
  const origins = new Set<string>();
  for (const item of items) {
    if (!ORIGIN.test(item)) return { wrong: item };
    // browsers leave the port out that the scheme implies
    origins.add(item.replace(/^(http:.*):80$/, "$1").replace(/^(https:.*):443$/, "$1"));
  }
  return origins;
};
