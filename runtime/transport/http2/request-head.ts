import { Refusal } from "../http/refusal.ts";
import { checkHost, checkMethod, parseExpect, parseLength, parseTarget, tooManyFields } from "../http/request-rules.ts";
import { isRegular, isValue } from "./field-rules.ts";
import type { Header } from "./header-table.ts";

export type RequestHead = {
  method: string;
  path: string;
  /** undefined where the client names it by a header `host`. */
  authority: string | undefined;
  headers: readonly Header[];
  contentLength: number | undefined;
  expectContinue: boolean;
};

/**
 * Why a request is none. `malformed`: by RFC 9113 (8.1.1), so that its stream ends with PROTOCOL_ERROR; else it is one that no
 * HTTP/1.1 would be either, and is answered as that.
 */
export type RefusedHead = { status: number; error: string; malformed: boolean };

/** What begins a request, by RFC 9113 (8.2 and 8.3) and by the rules of HTTP/1.1, as which a proxy may pass it on. */
export const readRequestHead = (list: readonly Header[], mostFields: number): RequestHead | RefusedHead => {
  const pseudo = readPseudo(list);
  if (typeof pseudo === "string") return malformed(pseudo);
  const { authority, count, method, path } = pseudo;
  try {
    checkMethod(method);
    if (!path.startsWith("/") && path !== "*") return malformed(":path is no path");
    parseTarget(method, path, 0, path.length);
    if (list.length - count > mostFields) throw tooManyFields(mostFields);
    const headers = list.slice(count);
    const regular = readHeaders(headers, authority);
    return typeof regular === "string" ? malformed(regular) : { method, path, authority, headers, ...regular };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return { status: error.status, error: error.message, malformed: error.status === 400 };
  }
};

const malformed = (error: string): RefusedHead => ({ status: 400, error, malformed: true });

type Pseudo = { method: string; path: string; authority: string | undefined; count: number };

const readPseudo = (list: readonly Header[]): Pseudo | string => {
  const pseudo: Record<":method" | ":path" | ":scheme" | ":authority", string | undefined> = {
    ":method": undefined,
    ":path": undefined,
    ":scheme": undefined,
    ":authority": undefined,
  };
  let count = 0;
  while (count < list.length) {
    const [name, value] = list[count] ?? ["", ""];
    if (!name.startsWith(":")) break;
    if (name !== ":method" && name !== ":path" && name !== ":scheme" && name !== ":authority")
      return "an unknown pseudo-header";
    if (pseudo[name] !== undefined) return `${name} is there twice`;
    if (!isValue(value)) return `${name} has a character that it cannot have`;
    pseudo[name] = value;
    count++;
  }
  const { ":method": method, ":path": path, ":scheme": scheme, ":authority": authority } = pseudo;
  if (!method) return ":method is missing";
  if (!path) return ":path is missing";
  if (!scheme) return ":scheme is missing";
  return { method, path, authority, count };
};

/** Throws a Refusal for what HTTP/1.1 refuses. */
const readHeaders = (
  headers: readonly Header[],
  authority: string | undefined,
): Pick<RequestHead, "contentLength" | "expectContinue"> | string => {
  let contentLength: number | undefined;
  let host = authority;
  let hosts = 0;
  let expectContinue = false;
  for (const header of headers) {
    if (!isRegular(header)) return "a header that HTTP/2 does not allow";
    const [name, value] = header;
    if (name === "content-length") {
      if (contentLength !== undefined) return "the header has content-length twice";
      contentLength = parseLength(value);
    } else if (name === "host") {
      hosts++;
      host ??= value;
      if (value.toLowerCase() !== host.toLowerCase()) return "host and :authority differ";
    } else if (name === "expect") expectContinue = parseExpect(value);
  }
  if (host === undefined || hosts > 1) return "a request has one :authority or host";
  checkHost(host);
  return { contentLength, expectContinue };
};

export const headerOf = (headers: readonly Header[], name: string): string | undefined => {
  for (const header of headers) if (header[0] === name) return header[1];
  return undefined;
};
