/** What a request over HTTP/2 cannot have, or not twice: what sends it refuses to, and so do others on its way. */
import { CONNECTION_HEADERS } from "../transport/http2/index.ts";
import type { Fields, Message } from "./message.ts";

/** Fields of a request that are no lists (RFC 9110): a second one contradicts the first. */
const SINGLE: ReadonlySet<string> = new Set([
  ...["access-control-request-method", "age", "authorization", "content-encoding", "content-language"],
  ...[
    "content-length",
    "content-location",
    "content-md5",
    "content-range",
    "content-type",
    "date",
    "dnt",
    "etag",
    "expires",
  ],
  ...["access-control-allow-credentials", "access-control-max-age", "from", "host", "if-match", "if-modified-since"],
  ...["if-none-match", "if-range", "if-unmodified-since", "last-modified", "location", "max-forwards"],
  ...["proxy-authorization", "range", "referer", "retry-after", "tk", "upgrade-insecure-requests", "user-agent"],
  ...["x-content-type-options", "grpc-timeout"],
]);

/** What is wrong with a call; undefined where nothing is. */
export const unsendable = ({ fields, method }: Message): string | undefined =>
  method === "POST" ? unsendableField(fields) : `a gRPC call must be a POST, and this is a ${method}`;

export const unsendableField = (fields: Fields): string | undefined => {
  let seen: Set<string> | undefined;
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] ?? "";
    if (CONNECTION_HEADERS.has(name)) return `the header ${name} cannot be sent over HTTP/2; leave it out`;
    if (!SINGLE.has(name)) continue;
    seen ??= new Set();
    if (seen.has(name)) return `the header ${name} is there twice, and may be there once; leave one out`;
    seen.add(name);
  }
  return undefined;
};
