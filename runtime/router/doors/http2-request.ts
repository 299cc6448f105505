/** A request over HTTP/2 as HTTP/1.1 has it. */
import type { Header, RequestHead } from "../../transport/http2/index.ts";
import type { Fields } from "../message.ts";

export const isGrpc = (headers: readonly Header[]): boolean =>
  headers.some(([name, value]) => name === "content-type" && value.startsWith("application/grpc"));

/** With a host, and cookies in one field (RFC 9113, 8.2.3). */
export const fieldsOf = ({ authority, headers }: RequestHead): Fields => {
  const fields: string[] = authority === undefined ? [] : ["host", authority];
  const cookies: string[] = [];
  for (const [name, value] of headers) {
    if (name === "cookie") cookies.push(value);
    else if (name !== "host" || authority === undefined) fields.push(name, value);
  }
  if (cookies.length > 0) fields.push("cookie", cookies.join("; "));
  return fields;
};
