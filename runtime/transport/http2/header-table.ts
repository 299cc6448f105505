/** RFC 7541, Appendix A, from index 1. */
const STATIC: readonly (readonly [name: string, value: string])[] = [
  ":authority=",
  ":method=GET",
  ":method=POST",
  ":path=/",
  ":path=/index.html",
  ":scheme=http",
  ":scheme=https",
  ":status=200",
  ":status=204",
  ":status=206",
  ":status=304",
  ":status=400",
  ":status=404",
  ":status=500",
  "accept-charset=",
  "accept-encoding=gzip, deflate",
  "accept-language=",
  "accept-ranges=",
  "accept=",
  "access-control-allow-origin=",
  "age=",
  "allow=",
  "authorization=",
  "cache-control=",
  "content-disposition=",
  "content-encoding=",
  "content-language=",
  "content-length=",
  "content-location=",
  "content-range=",
  "content-type=",
  "cookie=",
  "date=",
  "etag=",
  "expect=",
  "expires=",
  "from=",
  "host=",
  "if-match=",
  "if-modified-since=",
  "if-none-match=",
  "if-range=",
  "if-unmodified-since=",
  "last-modified=",
  "link=",
  "location=",
  "max-forwards=",
  "proxy-authenticate=",
  "proxy-authorization=",
  "range=",
  "referer=",
  "refresh=",
  "retry-after=",
  "server=",
  "set-cookie=",
  "strict-transport-security=",
  "transfer-encoding=",
  "user-agent=",
  "vary=",
  "via=",
  "www-authenticate=",
].map((line) => {
  const split = line.indexOf("=");
  return [line.slice(0, split), line.slice(split + 1)];
});

/** What an entry counts besides its name and value, in bytes (RFC 7541, 4.1). */
export const ENTRY_BYTES = 32;

export type Header = readonly [name: string, value: string];

export type HeaderTable = {
  /** The entry of an index from 1: the static ones, then the dynamic ones, the newest first. */
  get(index: number): Header | undefined;
  add(header: Header): void;
  /** Evicts the oldest entries until those left take at most `bytes`. */
  resize(bytes: number): void;
};

/** Names and values are latin1, so that a character is a byte. */
export const createHeaderTable = (mostBytes: number): HeaderTable => {
  // A ring would save the shift; tables have some 60 entries, and clients add few after their first call.
  const dynamic: Header[] = [];
  let limit = mostBytes;
  let bytes = 0;
  const evict = (): void => {
    while (bytes > limit) {
      const oldest = dynamic.pop();
      if (oldest === undefined) return;
      bytes -= oldest[0].length + oldest[1].length + ENTRY_BYTES;
    }
  };
  return {
    get: (index) => (index <= STATIC.length ? STATIC[index - 1] : dynamic[index - STATIC.length - 1]),
    add: (header) => {
      dynamic.unshift(header);
      bytes += header[0].length + header[1].length + ENTRY_BYTES;
      evict();
    },
    resize: (most) => {
      limit = most;
      evict();
    },
  };
};
