import assert from "node:assert/strict";
import { test } from "node:test";
import { byIdentity } from "./by-identity.ts";

test("what follows from a frozen object is worked out once, also where it is undefined", () => {
  let made = 0;
  const twice = byIdentity(({ number }: { number?: number }) => {
    made += 1;
    return number === undefined ? undefined : number * 2;
  });
  const [two, none] = [Object.freeze({ number: 2 }), Object.freeze({})];
  assert.deepEqual([twice(two), twice(two), twice(none), twice(none)], [4, 4, undefined, undefined]);
  assert.equal(made, 2);
});

test("an object that may change is looked at each time", () => {
  const twice = byIdentity(({ number }: { number: number }) => number * 2);
  const object = { number: 2 };
  assert.equal(twice(object), 4);
  object.number = 3;
  assert.equal(twice(object), 6);
});

test("an error is thrown each time", () => {
  const failing = byIdentity((_: object) => {
    throw new Error("no");
  });
  const object = Object.freeze({});
  assert.throws(() => failing(object), /no/);
  assert.throws(() => failing(object), /no/);
});
