import assert from "node:assert/strict";
import { test } from "node:test";
import type { Header } from "./header-table.ts";
import { areTrailers, headerOf, readRequestHead } from "./request-head.ts";

const PSEUDO: Header[] = [
  [":method", "POST"],
  [":scheme", "http"],
  [":path", "/a"],
];

test("a request has its method, path, headers and length", () => {
  const head = readRequestHead([...PSEUDO, ["te", "trailers"], ["content-length", "12"], ["x", "y"]]);
  assert.ok(typeof head !== "string");
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
  for (const [fault, list] of cases) assert.match(String(readRequestHead(list)), fault);
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
    ...[..."\0\n\r"].map((character): Header => ["x", `a${character}b`]),
  ];
  for (const header of bad) {
    assert.match(String(readRequestHead([...PSEUDO, header])), /does not allow/, JSON.stringify(header));
    assert.equal(areTrailers([header]), false, JSON.stringify(header));
  }
});

test("a pseudo-header is there once, also where it is empty the first time", () => {
  assert.match(String(readRequestHead([...PSEUDO, [":authority", ""], [":authority", "b"]])), /twice/);
  assert.match(String(readRequestHead([[":path", ""], ...PSEUDO])), /twice/);
});

test("a value neither begins nor ends with a space or a tab", () => {
  for (const value of [" a", "a ", "\ta", "a\t", " "]) {
    assert.match(String(readRequestHead([...PSEUDO, ["x", value]])), /does not allow/, JSON.stringify(value));
  }
});
