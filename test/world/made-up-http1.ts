/** Bytes that are nearly requests of HTTP/1.1: what each part of a request may be, and what it may not. */
import fc from "fast-check";

/** Mostly in order, so that what is behind it is reached. */
const oneOf = (good: readonly string[], bad: readonly string[]): fc.Arbitrary<string> =>
  fc.oneof({ weight: 8, arbitrary: fc.constantFrom(...good) }, { weight: 1, arbitrary: fc.constantFrom(...bad) });

const end = oneOf(["\r\n"], ["\n", "\r", "\r\r\n", " \r\n", "\r\n\r\n", "\r\n ", "\0\r\n"]);
const method = oneOf(
  ["GET", "POST", "PUT", "OPTIONS", "HEAD"],
  ["get", "FOO", "CONNECT", "PRI", "G T", "", "M-SEARCH", "QUERY"],
);
const target = oneOf(
  ["/", "/v2/models/m/infer", "/a?b=c", "*", "http://h/a", "http://h:80?x"],
  ["", "a", "/a b", "/a#b", "/\u00e9", "//", "/%2F", "ftp://h/", "http://", "http://u@h/", "h:80", "/\t"],
);
const version = oneOf(
  ["HTTP/1.1"],
  ["HTTP/1.0", "HTTP/2.0", "HTTP/0.9", "HTTP/1.2", "http/1.1", "HTTP/1.1 ", "HTTP/11", ""],
);
const name = oneOf(
  ["x", "X-Y", "accept", "te", "trailer", "expect", "connection"],
  ["", "x y", "x ", " x", "x(", "\u00e9", "host", "content-length", "transfer-encoding", "Content_Length", "upgrade"],
);
const value = oneOf(
  ["y", "", "a, b", "100-continue", "trailers"],
  [" y ", "\t", "a\tb", "\u00e9", "a\0b", "a\x7fb", "a\x01b", "a\rb", "a\nb", "5", "chunked", "x\r\n y"],
);
const colon = oneOf([": ", ":"], [" : ", "", ":\t", "::"]);
const field = fc.tuple(name, colon, value, end).map((parts) => parts.join(""));
const host = oneOf(
  ["Host: h\r\n", "host:h:80\r\n", "Host: [::1]:80\r\n"],
  ["", "Host:\r\n", "Host: a b\r\n", "Host: h\r\nHost: h\r\n", "Host : h\r\n"],
);

const chunk = fc
  .tuple(
    fc.constantFrom("", "a", "hello", "x".repeat(40)),
    oneOf([""], [";a", ";a=b", ';a="b c";d', ";a=b ", "; a", ";", ";a=", " ", ";a\r", "\t", "g"]),
    end,
    end,
    oneOf([""], ["0", "x", "+"]),
  )
  .map(
    ([data, extension, after, close, before]) =>
      `${before}${data.length.toString(16)}${extension}${after}${data}${close}`,
  );
const body = fc.oneof(
  fc.constant(["", ""]),
  fc.constantFrom(
    ["Content-Length: 5\r\n", "hello"],
    ["content-length: 0\r\n", ""],
    ["Content-Length:  3 \r\n", "abc"],
  ),
  fc
    .tuple(
      fc.array(chunk, { maxLength: 3 }),
      oneOf(
        ["0\r\n\r\n"],
        [
          "0\r\nx: y\r\n\r\n",
          "0\r\nContent-Length: 5\r\n\r\n",
          "0\r\nTransfer-Encoding: gzip\r\n\r\n",
          "0\r\n",
          "00\r\n\r\n",
          "0\r\nx\r\n\r\n",
        ],
      ),
    )
    .map(([chunks, last]) => ["Transfer-Encoding: chunked\r\n", chunks.join("") + last]),
  fc
    .tuple(
      oneOf(
        ["5", "0"],
        [
          "-1",
          "+5",
          "5,5",
          "0x5",
          "5 5",
          "",
          "99999999999999999999",
          "5\r\nContent-Length: 5",
          "5\r\nContent-Length: 6",
        ],
      ),
      fc.constantFrom(
        "",
        "Transfer-Encoding: chunked\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: \x0bchunked\r\n",
      ),
    )
    .map(([length, coding]) => [`Content-Length: ${length}\r\n${coding}`, "hello0\r\n\r\n"]),
  fc.constantFrom(
    ["Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\n"],
    ["Transfer-Encoding: Chunked\r\n", "0\r\n\r\n"],
    ["Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"],
    ["Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"],
    ["Transfer-Encoding : chunked\r\n", "0\r\n\r\n"],
  ),
);
const request = fc
  .tuple(
    method,
    oneOf([" "], ["  ", "\t", ""]),
    target,
    version,
    end,
    host,
    fc.array(field, { maxLength: 3 }),
    body,
    end,
  )
  .map(([verb, space, path, protocol, after, named, fields, [framing = "", content = ""], last]) =>
    [verb, space, path, " ", protocol, after, named, ...fields, framing, last, content].join(""),
  );
/** Follows each. */
const SECOND = "GET /second HTTP/1.1\r\nHost: h\r\n\r\n";
/** A byte that is replaced, left out or doubled. */
const mutation = fc.tuple(fc.nat(), fc.nat(255), fc.constantFrom("set", "drop", "double"));
/** One or two requests and a good one behind them, as bytes, now and then with one that is damaged. */
export const http1Bytes: fc.Arbitrary<Buffer> = fc
  .tuple(fc.array(request, { minLength: 1, maxLength: 2 }), fc.option(mutation, { freq: 3 }))
  .map(([requests, change]) => {
    const bytes = Buffer.from(requests.join("") + SECOND, "latin1");
    if (change === null) return bytes;
    const [place, byte, how] = change;
    const at = place % bytes.length;
    const [before, after] = [bytes.subarray(0, at), bytes.subarray(at + 1)];
    if (how === "drop") return Buffer.concat([before, after]);
    if (how === "double") return Buffer.concat([before, bytes.subarray(at, at + 1), bytes.subarray(at)]);
    return Buffer.concat([before, Buffer.of(byte), after]);
  });
