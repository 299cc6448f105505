import assert from "node:assert/strict";
import { test } from "node:test";
import { areTrailers } from "./field-rules.ts";
import type { Header } from "./header-table.ts";
import { headerOf, readRequestHead } from "./request-head.ts";

const PSEUDO: Header[] = [
  [":method", "POST"],
  [":scheme", "http"],
  [":path", "/a"],
  [":authority", "models:80"],
];
const refusalOf = (list: readonly Header[]): string => {
  const head = readRequestHead(list, 100);
  return "error" in head ? `${head.status} ${head.error}` : "none";
};

test("a request has its method, path, headers and length", () => {
  const head = readRequestHead([...PSEUDO, ["te", "trailers"], ["content-length", "12"], ["x", "y"]], 100);
  assert.ok(!("error" in head));
  assert.deepEqual([head.method, head.path, head.contentLength], ["POST", "/a", 12]);
  assert.deepEqual([headerOf(head.headers, "x"), headerOf(head.headers, "z")], ["y", undefined]);
});

test("what RFC 9113 calls malformed is named", () => {
  const cases: [RegExp, Header[]][] = [
    [/:method is missing/, PSEUDO.slice(1)],
    [/:path is missing/, PSEUDO.slice(0, 2)],
    [/twice/, [...PSEUDO, [":path", "/b"]]],
    [/unknown pseudo/, [...PSEUDO, [":status", "200"]]],
    [/does not allow/, [...PSEUDO, ["x", "y"], [":authority", "a"]]],
    [/does not allow/, [...PSEUDO, ["connection", "close"]]],
    [/does not allow/, [...PSEUDO, ["transfer-encoding", "chunked"]]],
    [/does not allow/, [...PSEUDO, ["te", "gzip"]]],
    [/does not allow/, [...PSEUDO, ["X", "y"]]],
    [/does not allow/, [...PSEUDO, ["", "y"]]],
    [/does not allow/, [...PSEUDO, ["x", "a\r\nb: c"]]],
    [/cannot have/, [...PSEUDO.slice(0, 2), [":path", "/a\n"]]],
    [/content-length/, [...PSEUDO, ["content-length", "-1"]]],
    [/content-length/, [...PSEUDO, ["content-length", "1"], ["content-length", "2"]]],
  ];
  for (const [fault, list] of cases) assert.match(refusalOf(list), fault);
});

test("trailers have no pseudo-headers", () => {
  assert.equal(areTrailers([["x", "y"]]), true);
  assert.equal(areTrailers([[":path", "/"]]), false);
});

test("each header of HTTP/1's connections, and each character that a name or value cannot have, is refused", () => {
  const bad: Header[] = [
    ...["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"].map(
      (name): Header => [name, "x"],
    ),
    ...[...'\0\t\n "(),/:;<=>?@[\\]{}AZ\x7f\x80\xff'].map((character): Header => [`x${character}`, "y"]),
    ...[..."\0\n\r\x01\x0b\x1f\x7f"].map((character): Header => ["x", `a${character}b`]),
  ];
  for (const header of bad) {
    assert.match(refusalOf([...PSEUDO, header]), /does not allow/, JSON.stringify(header));
    assert.equal(areTrailers([header]), false, JSON.stringify(header));
  }
});

test("a pseudo-header is there once, also where it is empty the first time", () => {
  assert.match(refusalOf([...PSEUDO.slice(0, 3), [":authority", ""], [":authority", "b"]]), /twice/);
  assert.match(refusalOf([[":path", ""], ...PSEUDO]), /twice/);
});

test("a value neither begins nor ends with a space or a tab", () => {
  for (const value of [" a", "a ", "\ta", "a\t", " "]) {
    assert.match(refusalOf([...PSEUDO, ["x", value]]), /does not allow/, JSON.stringify(value));
  }
});

test("what HTTP/1.1 would not be either is refused as it is there", () => {
  const but = (name: string, value: string): Header[] =>
    PSEUDO.map((header): Header => (header[0] === name ? [name, value] : header));
  const many = (count: number): Header[] => [
    ...PSEUDO,
    ...Array.from({ length: count }, (_, i): Header => [`x${i}`, "y"]),
  ];
  const cases: [string, Header[]][] = [
    ["501", but(":method", "FOO")],
    ["501", but(":method", "CONNECT")],
    ["501", but(":method", "post")],
    ...["/x y", "/x#frag", "x", "http://a/x", "/\u00ff\u00e9", "/\x7f", "*"].map((path): [string, Header[]] => [
      "400",
      but(":path", path),
    ]),
    ["414", but(":path", `/${"x".repeat(8192)}`)],
    ...["a b:/?", "a/b", "user@a", "a:b", "a:123456", "[::1", "a\u00ff"].map((host): [string, Header[]] => [
      "400",
      but(":authority", host),
    ]),
    ["400", PSEUDO.slice(0, 3)],
    ["400", [...PSEUDO.slice(0, 3), ["host", "a"], ["host", "a"]]],
    ["400", [...PSEUDO, ["host", "other"]]],
    ["431", many(101)],
    ["417", [...PSEUDO, ["expect", "200-ok"]]],
    ["413", [...PSEUDO, ["content-length", "1".repeat(16)]]],
    ["none", many(100)],
    ["none", [...PSEUDO.slice(0, 3), ["host", "[::1]:8080"]]],
    ["none", [...PSEUDO, ["host", "MODELS:80"]]],
    ["none", but(":authority", "my_models.svc:8080")],
    ["none", [...but(":path", "*").slice(1), [":method", "OPTIONS"]]],
  ];
  for (const [status, list] of cases)
    assert.equal(refusalOf(list).slice(0, status === "none" ? 4 : 3), status, JSON.stringify(list).slice(0, 300));
});
