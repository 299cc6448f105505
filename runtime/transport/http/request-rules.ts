/**
 * What a request must be, by whatever protocol it comes: what one reader refuses and another passes on as HTTP/1.1 would be
 * another request to the server behind (RFC 9113, 10.3). Each function throws a Refusal.
 */
import { METHODS } from "node:http";
import { Refusal } from "./refusal.ts";

/** Of a header: how many fields, and how many bytes it may have. */
export type HeadLimits = { fields: number; bytes: number };
export const CLIENT_LIMITS: HeadLimits = { fields: 100, bytes: 16 * 1024 };
/** The router adds to what it lets pass (whom it comes from, by which way), which the server behind must not refuse. */
export const SERVER_LIMITS: HeadLimits = { fields: 108, bytes: 17 * 1024 };
const MAX_TARGET_BYTES = 8 * 1024;
/** A Content-Length of more digits need not be a safe integer; it is too large anyway. */
const MAX_LENGTH_DIGITS = 15;

const KNOWN_METHODS: ReadonlySet<string> = new Set(METHODS);

/** The characters of a method or a field's name (RFC 9110, 5.6.2). */
const TOKEN = new Uint8Array(256);
for (const char of "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
  TOKEN[char.charCodeAt(0)] = 1;

export const isTokenByte = (byte: number): boolean => TOKEN[byte] === 1;

/** Where the token that begins at `from` ends; `from` where there is none. */
export const tokenEnd = (text: string, from: number): number => {
  let at = from;
  while (TOKEN[text.charCodeAt(at)] === 1) at++;
  return at;
};

export const isToken = (text: string): boolean => text.length > 0 && tokenEnd(text, 0) === text.length;

/** No control character but the tab; bytes above 127 mean nothing, and are passed on (RFC 9110, 5.5). */
export const isFieldValue = (value: string): boolean => {
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i);
    if ((code < 32 && code !== 9) || code === 127) return false;
  }
  return true;
};

/** Bytes that are no request, but were taken for one, most likely have no such name. */
export const checkMethod = (method: string): void => {
  if (!KNOWN_METHODS.has(method)) throw new Refusal(501, "the method is unknown; use one of HTTP");
  if (method === "CONNECT") throw new Refusal(501, "CONNECT is not supported");
};

export const tooManyFields = (most: number): Refusal =>
  new Refusal(431, `the request has more than ${most} header fields`);

/**
 * A name or an address, and perhaps a port (RFC 9112, 3.2; RFC 3986, 3.2.2); empty where the target has none. What names a user
 * is none.
 */
const MAX_HOST_BYTES = 300;
const HOST = /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~!$&'()*+,;=%-]*)(:[0-9]{0,5})?$/;

/** As a rule all requests name the same. */
let lastHost = "";

export const checkHost = (host: string): void => {
  if (host === lastHost) return;
  if (host.length > MAX_HOST_BYTES || !HOST.test(host))
    throw new Refusal(400, "the host must be a name or an address, with or without a port");
  lastHost = host;
};

/** `host`: of a target that is a whole URL, which counts more than the header of that name (RFC 9112, 3.2.2). */
export type Target = { path: string; query: string; host: string | undefined };

/** The target of a request is what `text` has from `from` to `end`. */
export const parseTarget = (method: string, text: string, from: number, end: number): Target => {
  if (end - from > MAX_TARGET_BYTES)
    throw new Refusal(414, `the request target is longer than ${MAX_TARGET_BYTES} bytes`);
  let question = -1;
  for (let at = from; at < end; at++) {
    const code = text.charCodeAt(at);
    if (code < 33 || code > 126 || code === 35)
      throw new Refusal(400, "the request target has a character that must be percent-encoded");
    if (code === 63 && question < 0) question = at;
  }
  const pathEnd = question < 0 ? end : question;
  let start = from;
  let host: string | undefined;
  if (text.charCodeAt(from) !== 47) {
    const url = /^https?:\/\/([^/?]+)/i.exec(text.slice(from, pathEnd));
    if (url !== null) {
      start += url[0].length;
      host = url[1] ?? "";
      checkHost(host);
    } else if (method !== "OPTIONS" || text.slice(from, end) !== "*")
      throw new Refusal(400, "the request target must be a path or an http URL");
  }
  return {
    path: start === pathEnd ? "/" : text.slice(start, pathEnd),
    query: question < 0 ? "" : text.slice(question + 1, end),
    host,
  };
};

export const parseLength = (value: string): number => {
  if (value.length === 0) throw new Refusal(400, "content-length is empty; give a number of bytes, or leave it out");
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i);
    if (code < 48 || code > 57) throw new Refusal(400, "content-length is not a number of bytes");
  }
  if (value.length > MAX_LENGTH_DIGITS)
    throw new Refusal(413, "content-length is larger than any body that is accepted");
  return Number(value);
};

/**
 * After a body, where each end takes what says how long it is for something else (RFC 9110, 6.5.1), that is refused.
 * @param fields names in lower case and values in turns
 */
export const checkTrailers = (fields: readonly string[]): void => {
  for (let i = 0; i < fields.length; i += 2)
    if (fields[i] === "content-length" || fields[i] === "transfer-encoding")
      throw new Refusal(400, `${fields[i]} must not be in the trailers`);
};

/** @returns whether the client waits for it */
export const parseExpect = (value: string): boolean => {
  if (value.toLowerCase() !== "100-continue") throw new Refusal(417, "expect must be 100-continue");
  return true;
};
