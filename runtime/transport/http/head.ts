/**
 * The head of a request by RFC 9112, and nothing that it merely tolerates: where two parsers could read a message
 * differently, one of them can be made to see a request that the other did not (request smuggling).
 */
import type { Fields } from "./fields.ts";
import { Refusal } from "./refusal.ts";
import {
  checkHost,
  checkMethod,
  parseExpect,
  parseLength,
  parseTarget,
  tokenEnd,
  tooManyFields,
} from "./request-rules.ts";

export type Head = {
  method: string;
  path: string;
  query: string;
  http10: boolean;
  fields: Fields;
  /** Bytes of the body; undefined where it is chunked. */
  length: number | undefined;
  keepAlive: boolean;
  expectContinue: boolean;
};

/** How far the search for the empty line has come: the next byte to look at, and where its line began. */
export type Scan = { at: number; line: number };

const CR = 13;
const LF = 10;
const COLON = 58;

/**
 * Where the section that ends with an empty line ends, or -1 while it is not there as a whole. Lines end with CRLF; a CR
 * or LF alone and every other control character but the tab are refused here, so that no later step meets one.
 */
export const findEnd = (bytes: Uint8Array, scan: Scan, end: number): number => {
  for (let at = scan.at; at < end; at++) {
    const byte = bytes[at] ?? 0;
    if (byte > 31 && byte !== 127) continue;
    if (byte === CR) {
      if (at + 1 >= end) {
        scan.at = at;
        return -1;
      }
      if (bytes[at + 1] !== LF) throw new Refusal(400, "the header has a CR without LF");
      if (at === scan.line) return at + 2;
      at++;
      scan.line = at + 1;
    } else if (byte === LF) {
      throw new Refusal(400, "a line of the header ends with LF alone; end it with CRLF");
    } else if (byte !== 9) {
      throw new Refusal(400, "the header has a control character");
    }
  }
  scan.at = end;
  return -1;
};

/** Options of `connection` that are looked at. */
const MAX_OPTIONS = 100;

/** `text` is what `findEnd` found, with the empty line. Throws a Refusal. */
export const parseHead = (text: string, mostFields: number): Head => {
  const lineEnd = text.indexOf("\r");
  const methodEnd = text.indexOf(" ");
  const targetEnd = text.indexOf(" ", methodEnd + 1);
  if (methodEnd < 1 || targetEnd < 0 || targetEnd > lineEnd) throw malformedLine();
  if (tokenEnd(text, 0) !== methodEnd) throw malformedLine();
  const version = text.slice(targetEnd + 1, lineEnd);
  const http10 = version === "HTTP/1.0";
  if (version !== "HTTP/1.1" && !http10) {
    if (/^HTTP\/\d\.\d$/.test(version)) throw new Refusal(505, "the HTTP version must be 1.0 or 1.1");
    throw malformedLine();
  }
  const method = text.slice(0, methodEnd);
  checkMethod(method);
  const target = parseTarget(method, text, methodEnd + 1, targetEnd);
  const fields: string[] = [];
  parseFields(text, lineEnd + 2, fields, mostFields);

  let length: number | undefined;
  let coding: string | undefined;
  let hosts = 0;
  let close = false;
  let keepAlive = false;
  let expectContinue = false;
  for (let i = 0; i < fields.length; i += 2) {
    const value = fields[i + 1] ?? "";
    switch (fields[i]) {
      case "host":
        hosts++;
        checkHost(value);
        if (target.host !== undefined) fields[i + 1] = target.host;
        break;
      case "content-length":
        if (length !== undefined) throw new Refusal(400, "the header has content-length twice");
        length = parseLength(value);
        break;
      case "transfer-encoding":
        if (coding !== undefined) throw new Refusal(400, "the header has transfer-encoding twice");
        coding = value.toLowerCase();
        break;
      case "connection":
        for (const option of value.toLowerCase().split(",", MAX_OPTIONS)) {
          const name = option.trim();
          if (name === "close") close = true;
          else if (name === "keep-alive") keepAlive = true;
        }
        break;
      case "expect":
        expectContinue = parseExpect(value) && !http10;
        break;
    }
  }
  if (hosts === 0 && target.host !== undefined) fields.push("host", target.host);
  if (hosts > 1 || (hosts === 0 && !http10)) throw new Refusal(400, "a request must have exactly one host header");
  if (coding !== undefined) checkCoding(coding, length, http10);
  return {
    method,
    path: target.path,
    query: target.query,
    http10,
    fields,
    length: coding === undefined ? (length ?? 0) : undefined,
    keepAlive: !close && (!http10 || keepAlive),
    expectContinue,
  };
};

const checkCoding = (coding: string, length: number | undefined, http10: boolean): void => {
  if (length !== undefined) throw new Refusal(400, "content-length and transfer-encoding exclude each other");
  if (http10) throw new Refusal(400, "HTTP/1.0 must not have transfer-encoding");
  if (coding === "chunked") return;
  const status = /^[a-z]+(, *[a-z]+)*, *chunked$/.test(coding) ? 501 : 400;
  throw new Refusal(status, "transfer-encoding must be chunked");
};

/** Adds the fields of `text` from `at` to the empty line at its end to `fields`, of which there may be `most`. */
export const parseFields = (text: string, from: number, fields: string[], most: number): void => {
  const last = text.length - 2;
  let at = from;
  while (at < last) {
    if (fields.length >= 2 * most) throw tooManyFields(most);
    const colon = tokenEnd(text, at);
    // also a line that begins with a space (it would continue the last one), and a space before the colon
    if (colon === at || text.charCodeAt(colon) !== COLON) throw new Refusal(400, "a header field is malformed");
    const end = text.indexOf("\r", colon);
    let first = colon + 1;
    let after = end;
    while (first < after && isBlank(text.charCodeAt(first))) first++;
    while (after > first && isBlank(text.charCodeAt(after - 1))) after--;
    fields.push(text.slice(at, colon).toLowerCase(), text.slice(first, after));
    at = end + 2;
  }
};

const malformedLine = () => new Refusal(400, "the request line is malformed");

const isBlank = (code: number): boolean => code === 32 || code === 9;
