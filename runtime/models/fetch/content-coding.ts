/** HTTP's content codings, by IANA's registry and their old names: bytes in one of them are not the file's. */
const CODINGS = new Set([
  ...["gzip", "x-gzip", "compress", "x-compress", "deflate", "br", "zstd", "dcb", "dcz"],
  ...["exi", "pack200-gzip", "aes128gcm"],
]);

/**
 * The codings of a body, of its content-encoding headers. S3-compatible stores replay what came with the upload, such as
 * `aws-chunked` (its framing) or a character set: tokens that HTTP does not know code nothing, and the file is checked anyway.
 */
export const codingsOf = (headers: string | readonly string[] | undefined): string[] =>
  [headers ?? []]
    .flat()
    .flatMap((header) => header.split(","))
    .map((token) => token.trim().toLowerCase())
    .filter((token) => CODINGS.has(token));
