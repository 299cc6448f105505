/** What is added to an answer on its way out: a compression that its client takes, and lines of its head. */
import { chooseEncoding, compress, MIN_COMPRESSED_BYTES } from "./encoding.ts";
import { fieldOf } from "./fields.ts";
import type { Head } from "./head.ts";
import type { Shared } from "./shared.ts";
import type { HttpResponse } from "./types.ts";

/** The answer, compressed; undefined where it goes as it is. `length` of its body, in bytes. Rejects where zlib fails. */
export const pack = (
  response: HttpResponse,
  length: number,
  head: Head | undefined,
): Promise<{ response: HttpResponse; length: number }> | undefined => {
  if (length < MIN_COMPRESSED_BYTES || head === undefined) return undefined;
  const accept = fieldOf(head.fields, "accept-encoding");
  if (accept === undefined || "content-encoding" in response.headers) return undefined;
  const chosen = chooseEncoding(accept);
  if (chosen === undefined) return undefined;
  const plain = Buffer.concat(response.parts.map((part) => (typeof part === "string" ? Buffer.from(part) : part)));
  return compress(plain, chosen).then((packed) => {
    const headers = { ...response.headers, "content-encoding": chosen, vary: "accept-encoding" };
    return { response: { status: response.status, headers, parts: [packed] }, length: packed.length };
  });
};

/** Whole lines. @param head of the request; undefined where there was none. @param close whether the connection ends with the answer */
export const linesOf = (
  response: HttpResponse,
  head: Head | undefined,
  shared: Shared,
  close: boolean,
  now: number,
): string => {
  let lines = shared.dateLine(now);
  if (shared.cors !== undefined)
    lines += shared.cors.lines(response, head === undefined ? undefined : fieldOf(head.fields, "origin"));
  if (close) lines += "connection: close\r\n";
  else if (head?.http10 === true) lines += "connection: keep-alive\r\n";
  return lines;
};
