/** What a header may be, of requests and answers alike (RFC 9113, 8.2). */
import { isFieldValue, isToken } from "../http/request-rules.ts";
import type { Header } from "./header-table.ts";

/** Of one connection alone: a message over HTTP/2 that has one is malformed (RFC 9113, 8.2.2; RFC 9110, 7.6.1; `http2-settings`: RFC 7540, 3.2.1). */
export const CONNECTION_HEADERS: ReadonlySet<string> = new Set([
  "connection",
  "http2-settings",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "upgrade",
]);

const isName = (name: string): boolean => isToken(name) && name === name.toLowerCase();

export const isValue = (value: string): boolean =>
  isFieldValue(value) && !isBlank(value.charCodeAt(0)) && !isBlank(value.charCodeAt(value.length - 1));
const isBlank = (code: number): boolean => code === 32 || code === 9;

export const isRegular = ([name, value]: Header): boolean =>
  isName(name) && isValue(value) && !CONNECTION_HEADERS.has(name) && (name !== "te" || value === "trailers");

/** Headers after the body; their pseudo-headers are malformed. */
export const areTrailers = (list: readonly Header[]): boolean => list.every(isRegular);

/** As RFC 9113 (6.5.2) counts them. */
export const listBytes = (headers: readonly Header[]): number => {
  let bytes = 0;
  for (const [name, value] of headers) bytes += name.length + value.length + 32;
  return bytes;
};
