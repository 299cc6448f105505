/** Whether a part of a model belongs to the part that is there: RFC 9110, 15.3.7.3. Pure. */
import type { Resume } from "./source.ts";

/** The value of the answer's field of this name. */
export type Header = (name: string) => string | undefined;

/** A part, from its first byte to its last; `total`: of the whole, where the server says it. */
export type Range = { first: number; last: number; total: number | undefined };

const parseRange = (text: string | undefined): Range | undefined => {
  const [, first, last, total] = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15}|\*)$/i.exec(text ?? "") ?? [];
  if (first === undefined || last === undefined) return undefined;
  const range = { first: Number(first), last: Number(last), total: total === "*" ? undefined : Number(total) };
  const isRange = range.first <= range.last && (range.total === undefined || range.last < range.total);
  return isRange ? range : undefined;
};

/** What proves equal bytes. A weak ETag does not, and a date does only if it lies well before the answer (RFC 9110, 8.8.2.2). */
export const strongValidator = (header: Header): string | undefined => {
  const [etag, modified] = [header("etag"), header("last-modified")];
  if (etag !== undefined) return isStrong(etag) ? etag : undefined;
  return Date.parse(header("date") ?? "") - Date.parse(modified ?? "") >= 60_000 ? modified : undefined;
};

const isStrong = (etag: string): boolean => /^"[^"]*"$/.test(etag);

/** The part that an answer 206 holds, or why it cannot be put behind what is there. */
export const continuationOf = (header: Header, resume: Resume): Range | string => {
  const range = parseRange(header("content-range"));
  if (range === undefined) return "the server answered with several ranges, or with an invalid content-range";
  if (range.first !== resume.offset) return `the server answered from byte ${range.first}, not ${resume.offset}`;
  const total = range.total ?? resume.total;
  if (resume.total !== undefined && total !== resume.total)
    return `the size of the model changed from ${resume.total} to ${total} bytes`;
  const length = header("content-length");
  if (length !== undefined && Number(length) !== range.last - range.first + 1)
    return "the server's content-length differs from its content-range";
  const [etag, modified] = [header("etag"), header("last-modified")];
  const isEtag = isStrong(resume.validator);
  if ((isEtag ? etag : modified) === resume.validator && (isEtag || etag === undefined)) return { ...range, total };
  return (isEtag ? etag : (etag ?? modified)) === undefined
    ? "the server sent a range without its version (etag or last-modified)"
    : "the model changed in between";
};
