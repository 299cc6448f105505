/** What a header says of one connection alone, and must not be passed on (RFC 9110, 7.6.1). */
import type { Fields } from "./message.ts";

/** Framing is each connection's own too: a length or a coding that is passed on beside another one smuggles requests. */
const ALWAYS: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  "expect",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** The fields that go on. What `connection` names besides is left out, too. */
export const endToEnd = (fields: Fields): string[] => {
  const kept: string[] = [];
  let named: Set<string> | undefined;
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] ?? "";
    if (name === "connection") named = namesIn(fields[i + 1] ?? "", named);
    if (!ALWAYS.has(name)) kept.push(name, fields[i + 1] ?? "");
  }
  if (named === undefined) return kept;
  return kept.filter((_, i) => !named.has(kept[i - (i % 2)] ?? ""));
};

const namesIn = (value: string, before: Set<string> | undefined): Set<string> | undefined => {
  const options = value.toLowerCase();
  if (options === "keep-alive" || options === "close") return before;
  const names = before ?? new Set<string>();
  for (const name of options.split(",")) names.add(name.trim());
  return names;
};
