import assert from "node:assert/strict";
import { test } from "node:test";
import { timeoutOf } from "./deadline.ts";

test("a grpc-timeout is read in each of its units", () => {
  const cases: [string, number][] = [
    ["2H", 7_200_000],
    ["3M", 180_000],
    ["4S", 4000],
    ["5m", 5],
    ["6u", 0.006],
    ["99999999n", 99.999999],
  ];
  for (const [text, ms] of cases) assert.equal(timeoutOf(text)?.toFixed(6), ms.toFixed(6), text);
  assert.equal(timeoutOf(undefined), Number.POSITIVE_INFINITY);
});

test("what is no grpc-timeout is not taken for one", () => {
  for (const text of ["", "S", "5", "-1S", "1.5S", "999999999S", "5s", " 5S"])
    assert.equal(timeoutOf(text), undefined, text);
});
