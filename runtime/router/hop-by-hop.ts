/** What a header says of one connection alone, and must not be passed on (RFC 9110, 7.6.1). */
import type { Fields } from "./message.ts";

/** Framing is each connection's own too: a length or a coding that is passed on beside another one smuggles requests. */
const ALWAYS: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  "expect",
  "http2-settings",
  "keep-alive",
  "proxy-connection",
  "te",
  "transfer-encoding",
  "upgrade",
]);

/**
 * What `connection` cannot name: a client could otherwise take from a request what the router has put there, or what a gateway
 * before it has, and a pod would see another request than they did.
 */
const END_TO_END: ReadonlySet<string> = new Set([
  ...[
    "authorization",
    "b3",
    "baggage",
    "cache-control",
    "cookie",
    "date",
    "etag",
    "expires",
    "forwarded",
    "from",
    "host",
  ],
  ...["last-modified", "location", "origin", "pragma", "range", "referer", "retry-after", "server", "set-cookie"],
  ...["trailer", "traceparent", "tracestate", "user-agent", "vary", "via", "www-authenticate", "x-api-key"],
  ...["x-correlation-id", "x-real-ip", "x-request-id"],
]);
const END_TO_END_KINDS =
  /^(accept|access-control-|content-|grpc-|if-|inference-|proxy-auth|sec-|x-(b3|berth|forwarded)-)/;

export const isHopByHop = (name: string): boolean => ALWAYS.has(name);

/** The fields that go on. What `connection` names besides is left out, too. */
export const endToEnd = (fields: Fields): string[] => {
  const kept: string[] = [];
  let named: Set<string> | undefined;
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] ?? "";
    if (!ALWAYS.has(name)) kept.push(name, fields[i + 1] ?? "");
    else if (name === "connection") named = namesIn(fields[i + 1] ?? "", named);
  }
  return withoutNamed(kept, named);
};

export const withoutNamed = (kept: string[], named: ReadonlySet<string> | undefined): string[] =>
  named === undefined ? kept : kept.filter((_, i) => !named.has(kept[i - (i % 2)] ?? ""));

/** What a field `connection` names, with what one before it has named; undefined for none. */
export const namesIn = (value: string, before: Set<string> | undefined): Set<string> | undefined => {
  const options = value.toLowerCase();
  if (options === "keep-alive" || options === "close") return before;
  const names = before ?? new Set<string>();
  for (const option of options.split(",")) {
    const name = option.trim();
    if (!END_TO_END.has(name) && !END_TO_END_KINDS.test(name)) names.add(name);
  }
  return names;
};

/** What trailers cannot say, since it had to be known before (RFC 9110, 6.5.1). */
const NOT_IN_TRAILERS =
  /^(age|authorization|cache-control|content-.*|cookie|host|location|range|set-cookie|trailer|vary)$/;

/** The trailers of an answer that go on. */
export const trailersToClient = (fields: Fields): string[] =>
  endToEnd(fields).filter((_, i, all) => !NOT_IN_TRAILERS.test(all[i - (i % 2)] ?? ""));
