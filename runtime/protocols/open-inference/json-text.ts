import { badRequest } from "./errors.ts";

/** Nesting that no tensor needs; deeper text is an attack on the stack. */
export const MAX_DEPTH = 100;

/**
 * JSON with what the protocol's clients add to it: bare NaN, Infinity and -Infinity. Whole numbers beyond 2^53 come
 * as bigint, so that INT64 and UINT64 stay exact. Numbers too large for a double, and nesting over 100, are refused.
 * Objects have no prototype, so no key is special. Slower than JSON.parse: for the requests that need it.
 */
export const parseJsonText = (text: string): unknown => {
  let at = 0;
  const fail = (what: string): never => {
    throw badRequest(`the request is not JSON: ${what} at character ${at}`);
  };
  const skipSpace = (): void => {
    for (;;) {
      const code = text.charCodeAt(at);
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return;
      at++;
    }
  };
  const word = <T>(token: string, value: T): T => {
    if (!text.startsWith(token, at)) fail("unexpected text");
    at += token.length;
    return value;
  };
  const NUMBER = /-?(?:Infinity|(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)/y;
  const number = (): number | bigint => {
    NUMBER.lastIndex = at;
    const token = NUMBER.exec(text)?.[0] ?? fail("unexpected text");
    const value = Number(token);
    if (!Number.isFinite(value) && !token.endsWith("Infinity")) fail(`the number ${token.slice(0, 40)} is too large`);
    at += token.length;
    return Number.isSafeInteger(value) || !/^-?\d+$/.test(token) ? value : exact(token);
  };
  // 20 digits hold every 64-bit integer; parsing an endless one would cost quadratic time
  const exact = (token: string): number | bigint => (token.length <= 21 ? BigInt(token) : Number(token));
  const string = (): string => {
    if (text.charAt(at) !== '"') fail("unexpected text");
    let end = at + 1;
    for (let code = text.charCodeAt(end); code !== 0x22; code = text.charCodeAt(++end)) {
      if (code === 0x5c) end++;
      if (end >= text.length) fail("a string that is not closed");
    }
    const token = text.slice(at, end + 1);
    try {
      const value: unknown = JSON.parse(token);
      at += token.length;
      return String(value);
    } catch {
      return fail("a string with a bad escape");
    }
  };
  const value = (depth: number): unknown => {
    if (depth > MAX_DEPTH) fail(`more than ${MAX_DEPTH} levels of nesting`);
    skipSpace();
    switch (text.charAt(at)) {
      case "{":
        return object(depth);
      case "[":
        return array(depth);
      case '"':
        return string();
      case "t":
        return word("true", true);
      case "f":
        return word("false", false);
      case "n":
        return word("null", null);
      case "N":
        return word("NaN", Number.NaN);
      case "I":
        return word("Infinity", Number.POSITIVE_INFINITY);
      default:
        return number();
    }
  };
  const array = (depth: number): unknown[] => {
    const items: unknown[] = [];
    at++;
    skipSpace();
    if (text.charAt(at) === "]") return word("]", items);
    for (;;) {
      items.push(value(depth + 1));
      skipSpace();
      if (text.charAt(at) === "]") return word("]", items);
      word(",", undefined);
    }
  };
  const object = (depth: number): Record<string, unknown> => {
    const fields: Record<string, unknown> = Object.create(null);
    at++;
    skipSpace();
    if (text.charAt(at) === "}") return word("}", fields);
    for (;;) {
      skipSpace();
      const key = string();
      skipSpace();
      word(":", undefined);
      fields[key] = value(depth + 1);
      skipSpace();
      if (text.charAt(at) === "}") return word("}", fields);
      word(",", undefined);
    }
  };
  const result = value(1);
  skipSpace();
  if (at < text.length) fail("text after the end");
  return result;
};

/** How the text was read: `exact` text may hold NaN, infinities and bigints on purpose; elsewhere Infinity is an overflow. */
export type ParsedText = { value: unknown; exact: boolean };

/** @param exact whether whole numbers beyond 2^53 matter (the model has 64-bit integer inputs) */
export const parseText = (text: string, exact: boolean): ParsedText => {
  // Sixteen digits in a row: the only texts that JSON.parse can read inexactly as integers.
  if (!exact || !/\d{16}/.test(text)) {
    try {
      return { value: JSON.parse(text), exact: false };
    } catch {
      // NaN or Infinity, or no JSON at all: the parser below tells, and says where
    }
  }
  return { value: parseJsonText(text), exact: true };
};
