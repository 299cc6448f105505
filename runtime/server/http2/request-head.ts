import type { Header } from "./header-table.ts";

export type RequestHead = {
  method: string;
  path: string;
  /** undefined where the client names it by a header `host`, if at all. */
  authority: string | undefined;
  headers: readonly Header[];
  contentLength: number | undefined;
};

/** Of HTTP/1 only: a request that has one is malformed (RFC 9113, 8.2.2). */
const CONNECTION_HEADERS = new Set(["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"]);

/** A character of a name: those of a token (RFC 9110, 5.6.2), without capital letters. */
const NAME = Uint8Array.from({ length: 256 }, (_, code) =>
  /[!#$%&'*+\-.^_`|~0-9a-z]/.test(String.fromCharCode(code)) ? 1 : 0,
);

const isName = (name: string): boolean => {
  for (let i = 0; i < name.length; i++) if (NAME[name.charCodeAt(i)] !== 1) return false;
  return name.length > 0;
};

const isValue = (value: string): boolean => {
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i);
    if (code === 0 || code === 10 || code === 13) return false;
  }
  return !isBlank(value.charCodeAt(0)) && !isBlank(value.charCodeAt(value.length - 1));
};
const isBlank = (code: number): boolean => code === 32 || code === 9;

const isRegular = ([name, value]: Header): boolean =>
  isName(name) && isValue(value) && !CONNECTION_HEADERS.has(name) && (name !== "te" || value === "trailers");

/** What begins a request; or what is malformed in it (RFC 9113, 8.2 and 8.3). */
export const readRequestHead = (list: readonly Header[]): RequestHead | string => {
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
  const headers = list.slice(count);
  let contentLength: number | undefined;
  for (const header of headers) {
    if (!isRegular(header)) return "a header that HTTP/2 does not allow";
    if (header[0] !== "content-length") continue;
    const length = /^\d{1,15}$/.test(header[1]) ? Number(header[1]) : -1;
    if (length < 0 || (contentLength ?? length) !== length) return "a content-length that is no number";
    contentLength = length;
  }
  return { method, path, authority, headers, contentLength };
};

/** Headers after the body; their pseudo-headers are malformed. */
export const areTrailers = (list: readonly Header[]): boolean => list.every(isRegular);

export const headerOf = (headers: readonly Header[], name: string): string | undefined => {
  for (const header of headers) if (header[0] === name) return header[1];
  return undefined;
};
