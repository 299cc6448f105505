import { createGunzip, createInflate, createInflateRaw, deflate, gzip } from "node:zlib";
import type { Lease } from "../../memory/shares.ts";
import { tooLarge } from "./reader.ts";
import { Refusal } from "./refusal.ts";

export type Encoding = "gzip" | "deflate";

/** Less than this is not worth the work. */
export const MIN_COMPRESSED_BYTES = 1024;
const MAX_PIECE_BYTES = 256 * 1024;
/** What a body of so few bytes becomes is small, but for a bomb. */
const TINY_BYTES = 512;

/** The encoding that a Content-Encoding names; undefined for none. Throws a Refusal (415) for one that is not known. */
export const parseContentEncoding = (value: string | undefined): Encoding | undefined => {
  if (value === undefined) return undefined;
  const name = value.toLowerCase();
  if (name === "identity" || name === "") return undefined;
  if (name === "gzip" || name === "x-gzip") return "gzip";
  if (name === "deflate") return "deflate";
  throw new Refusal(415, `content-encoding "${value.slice(0, 40)}" is unknown; use gzip or deflate`, {
    "accept-encoding": "gzip, deflate",
  });
};

/**
 * The plain body, of at most `maxBytes`, inflated in zlib's threads piece by piece: a small body that would become a huge
 * one is found out at the bound, not after. Its bytes are taken from `lease` as they come.
 */
export const decompress = (
  body: Uint8Array,
  encoding: Encoding,
  maxBytes: number,
  lease: Lease,
): Promise<Uint8Array> => {
  // Large pieces, which go back to the kernel by themselves: a thousand small ones of each body would stay with the allocator.
  const options = { chunkSize: body.length < TINY_BYTES ? body.length * 4 + 1024 : MAX_PIECE_BYTES };
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
  const stream =
    encoding === "gzip"
      ? createGunzip(options)
      : hasZlibHeader(body)
        ? createInflate(options)
        : createInflateRaw(options);
  const pieces: Uint8Array[] = [];
  let total = 0;
  stream.on("data", (piece: Uint8Array) => {
    try {
      total += piece.length;
      if (total > maxBytes) throw tooLarge(maxBytes);
      lease.take(piece.length);
      pieces.push(piece);
    } catch (error) {
      stream.destroy();
      reject(error);
    }
  });
  stream.once("end", () => resolve(pieces.length === 1 && pieces[0] ? pieces[0] : Buffer.concat(pieces, total)));
  stream.on("error", () => reject(new Refusal(400, `the body is not ${encoding}, as its content-encoding says`)));
  stream.end(body);
  return promise;
};

/** "deflate" means the zlib format (RFC 9110, 8.4.1.2), but there are clients that send it without zlib's header. */
const hasZlibHeader = (body: Uint8Array): boolean => {
  const [first = 0, second = 0] = body;
  return (first & 15) === 8 && ((first << 8) | second) % 31 === 0;
};

/** What an Accept-Encoding likes best of what there is here; undefined for plain. */
export const chooseEncoding = (accept: string): Encoding | undefined => {
  const quality = { gzip: -1, deflate: -1, identity: -1, "*": -1 };
  for (const item of accept.toLowerCase().split(",", 32)) {
    const [name = "", ...parameters] = item.split(";", 4).map((part) => part.trim());
    const q = parameters.find((parameter) => parameter.startsWith("q="));
    const value = q === undefined ? 1 : Number(q.slice(2));
    if ((name === "gzip" || name === "deflate" || name === "identity" || name === "*") && value >= 0 && value <= 1)
      quality[name] = value;
  }
  const of = (name: Encoding): number => (quality[name] >= 0 ? quality[name] : Math.max(quality["*"], 0));
  const best = of("gzip") >= of("deflate") ? "gzip" : "deflate";
  return of(best) > 0 && of(best) >= quality.identity ? best : undefined;
};

/** Level 1: on numbers the higher levels gain a few percent and take several times as long. */
export const compress = (bytes: Uint8Array, encoding: Encoding): Promise<Uint8Array> => {
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
  (encoding === "gzip" ? gzip : deflate)(bytes, { level: 1 }, (error, result) => {
    if (error === null) resolve(result);
    else reject(error);
  });
  return promise;
};
