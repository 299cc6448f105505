/** What begins an answer (RFC 9113, 8.3.2). */
import { isRegular, isValue } from "./field-rules.ts";
import type { Header } from "./header-table.ts";

export type ResponseHead = {
  status: number;
  /** Without `:status`. */
  headers: readonly Header[];
  contentLength: number | undefined;
};

/** Or what is wrong with it. */
export const readResponseHead = (list: readonly Header[], mostFields: number): ResponseHead | string => {
  const [first, ...headers] = list;
  if (first === undefined || first[0] !== ":status") return "its answer does not begin with :status";
  if (!/^[1-5]\d\d$/.test(first[1]) || first[1] === "101") return "its answer has a :status that HTTP/2 does not have";
  if (headers.length > mostFields) return `the header of its answer has more than ${mostFields} fields`;
  let contentLength: number | undefined;
  for (const header of headers) {
    if (!isRegular(header)) return "its answer has a header that HTTP/2 does not allow";
    const [name, value] = header;
    if (name !== "content-length") continue;
    if (!/^\d{1,15}$/.test(value) || (contentLength ?? Number(value)) !== Number(value))
      return "its answer has a content-length that is none";
    contentLength = Number(value);
  }
  return { status: Number(first[1]), headers, contentLength };
};

/** The blanks that a value begins or ends with mean nothing (RFC 9110, 5.5); some servers send them. */
export const withoutBlanks = (list: readonly Header[]): readonly Header[] =>
  list.every(([, value]) => isValue(value))
    ? list
    : list.map(([name, value]) => [name, value.replace(/^[ \t]+|[ \t]+$/g, "")]);
