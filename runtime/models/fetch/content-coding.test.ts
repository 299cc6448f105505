import assert from "node:assert/strict";
import { it } from "node:test";
import { codingsOf } from "./content-coding.ts";

it("what a store replays of an upload codes nothing, and what HTTP knows does, among others and in any spelling", () => {
  for (const none of [undefined, "", "identity", "aws-chunked", "AWS-Chunked", "UTF-8", "none", "binary", " , ", []])
    assert.deepEqual(codingsOf(none), [], JSON.stringify(none));
  for (const [headers, codings] of [
    ["gzip", ["gzip"]],
    ["GZip", ["gzip"]],
    ["x-gzip", ["x-gzip"]],
    ["aws-chunked,gzip", ["gzip"]],
    ["zstd , aws-chunked", ["zstd"]],
    ["deflate, br", ["deflate", "br"]],
    [["aws-chunked", "br"], ["br"]],
  ] as const)
    assert.deepEqual(codingsOf(headers), codings, JSON.stringify(headers));
});
