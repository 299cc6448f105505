/**
 * The head of a request by RFC 9112, and nothing that it merely tolerates: where two parsers could read a message
 * differently, one of them can be made to see a request that the other did not (request smuggling).
 */
import { METHODS } from "node:http";
import { Refusal } from "./refusal.ts";

export const MAX_HEAD_BYTES = 16 * 1024;
export const MAX_FIELDS = 100;
export const MAX_TARGET_BYTES = 8 * 1024;
/** A Content-Length of more digits need not be a safe integer; it is too large anyway. */
const MAX_LENGTH_DIGITS = 15;

export type Head = {
  method: string;
  path: string;
  query: string;
  http10: boolean;
  /** Name in lower case, value, name, value, … */
  fields: readonly string[];
  /** Bytes of the body; undefined where it is chunked. */
  length: number | undefined;
  keepAlive: boolean;
  expectContinue: boolean;
};

/** How far the search for the empty line has come: the next byte to look at, and where its line began. */
export type Scan = { at: number; line: number };

const KNOWN_METHODS: ReadonlySet<string> = new Set(METHODS);

const CR = 13;
const LF = 10;
const COLON = 58;

/** The characters of a method or a field's name (RFC 9110, 5.6.2). */
const TOKEN = new Uint8Array(256);
for (const char of "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
  TOKEN[char.charCodeAt(0)] = 1;

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
      if (bytes[at + 1] !== LF) throw new Refusal(400, "a CR without LF in the header");
      if (at === scan.line) return at + 2;
      at++;
      scan.line = at + 1;
    } else if (byte === LF) {
      throw new Refusal(400, "a line of the header ends with LF alone; lines end with CRLF");
    } else if (byte !== 9) {
      throw new Refusal(400, "a control character in the header");
    }
  }
  scan.at = end;
  return -1;
};

/** `text` is what `findEnd` found, with the empty line. Throws a Refusal. */
export const parseHead = (text: string): Head => {
  const lineEnd = text.indexOf("\r");
  const methodEnd = text.indexOf(" ");
  const targetEnd = text.indexOf(" ", methodEnd + 1);
  if (methodEnd < 1 || targetEnd < 0 || targetEnd > lineEnd) throw malformedLine();
  if (tokenEnd(text, 0) !== methodEnd) throw malformedLine();
  const version = text.slice(targetEnd + 1, lineEnd);
  const http10 = version === "HTTP/1.0";
  if (version !== "HTTP/1.1" && !http10) {
    if (/^HTTP\/\d\.\d$/.test(version)) throw new Refusal(505, "HTTP/1.1 and HTTP/1.0 are spoken here");
    throw malformedLine();
  }
  const method = text.slice(0, methodEnd);
  // Bytes that are no request, but were taken for one, most likely have no such name.
  if (!KNOWN_METHODS.has(method)) throw new Refusal(501, "a method that HTTP does not have");
  const target = parseTarget(text, methodEnd + 1, targetEnd);
  const fields: string[] = [];
  parseFields(text, lineEnd + 2, fields);

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
        break;
      case "content-length":
        if (length !== undefined) throw new Refusal(400, "content-length came twice");
        length = parseLength(value);
        break;
      case "transfer-encoding":
        if (coding !== undefined) throw new Refusal(400, "transfer-encoding came twice");
        coding = value.toLowerCase();
        break;
      case "connection":
        for (const option of value.toLowerCase().split(",", MAX_FIELDS)) {
          const name = option.trim();
          if (name === "close") close = true;
          else if (name === "keep-alive") keepAlive = true;
        }
        break;
      case "expect":
        if (value.toLowerCase() !== "100-continue") throw new Refusal(417, "only 100-continue can be expected");
        expectContinue = !http10;
        break;
    }
  }
  if (hosts > 1 || (hosts === 0 && !http10)) throw new Refusal(400, "a request has one host header");
  if (coding !== undefined) {
    if (length !== undefined) throw new Refusal(400, "content-length and transfer-encoding exclude each other");
    if (http10) throw new Refusal(400, "HTTP/1.0 has no transfer-encoding");
    if (coding !== "chunked") {
      if (/^[a-z]+(, *[a-z]+)*, *chunked$/.test(coding))
        throw new Refusal(501, "the only transfer-encoding here is chunked");
      throw new Refusal(400, "the transfer-encoding is not chunked");
    }
  }
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

/** Adds the fields of `text` from `at` to the empty line at its end to `fields`. */
export const parseFields = (text: string, from: number, fields: string[]): void => {
  const last = text.length - 2;
  let at = from;
  while (at < last) {
    if (fields.length >= 2 * MAX_FIELDS) throw new Refusal(431, `more than ${MAX_FIELDS} header fields`);
    const colon = tokenEnd(text, at);
    // also a line that begins with a space (it would continue the last one), and a space before the colon
    if (colon === at || text.charCodeAt(colon) !== COLON) throw new Refusal(400, "a malformed header field");
    const end = text.indexOf("\r", colon);
    let first = colon + 1;
    let after = end;
    while (first < after && isBlank(text.charCodeAt(first))) first++;
    while (after > first && isBlank(text.charCodeAt(after - 1))) after--;
    fields.push(text.slice(at, colon).toLowerCase(), text.slice(first, after));
    at = end + 2;
  }
};

/** The field's value, several joined with ", "; `name` in lower case. */
export const fieldOf = (fields: readonly string[], name: string): string | undefined => {
  let value: string | undefined;
  for (let i = 0; i < fields.length; i += 2) {
    if (fields[i] === name) value = value === undefined ? fields[i + 1] : `${value}, ${fields[i + 1]}`;
  }
  return value;
};

const malformedLine = () => new Refusal(400, "a malformed request line");

const isBlank = (code: number): boolean => code === 32 || code === 9;

const tokenEnd = (text: string, from: number): number => {
  let at = from;
  while (TOKEN[text.charCodeAt(at)] === 1) at++;
  return at;
};

const parseTarget = (text: string, from: number, end: number): { path: string; query: string } => {
  if (end - from > MAX_TARGET_BYTES) throw new Refusal(414, `the target is longer than ${MAX_TARGET_BYTES} bytes`);
  let question = -1;
  for (let at = from; at < end; at++) {
    const code = text.charCodeAt(at);
    if (code < 33 || code > 126 || code === 35) throw new Refusal(400, "a character in the target that none can have");
    if (code === 63 && question < 0) question = at;
  }
  const pathEnd = question < 0 ? end : question;
  let start = from;
  if (text.charCodeAt(from) !== 47) {
    const scheme = /^https?:\/\/[^/?]+/i.exec(text.slice(from, pathEnd));
    if (scheme !== null) start += scheme[0].length;
    else if (text.slice(0, end) !== "OPTIONS *") throw new Refusal(400, "the target is neither a path nor an http URL");
  }
  return {
    path: start === pathEnd ? "/" : text.slice(start, pathEnd),
    query: question < 0 ? "" : text.slice(question + 1, end),
  };
};

const parseLength = (value: string): number => {
  if (value.length === 0) throw new Refusal(400, "an empty content-length");
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i);
    if (code < 48 || code > 57) throw new Refusal(400, "content-length is not a number");
  }
  if (value.length > MAX_LENGTH_DIGITS) throw new Refusal(413, "content-length is larger than anything accepted here");
  return Number(value);
};
