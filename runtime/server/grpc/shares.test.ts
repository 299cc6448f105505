import assert from "node:assert/strict";
import { test } from "node:test";
import { createShares } from "./shares.ts";

test("the connection that holds the most makes room, with what it has held for longest", () => {
  const next = createShares(100);
  const greedy = next();
  const ended: number[] = [];
  for (const i of [0, 1, 2]) {
    const lease = greedy.lease(() => {
      ended.push(i);
      lease.end();
      return true;
    });
    lease.take(30);
  }
  const other = next().lease(() => false);
  other.take(20);
  assert.deepEqual(ended, [0]);
  other.take(20);
  assert.deepEqual(ended, [0]);
});

test("who would hold the most is refused itself, and so is who finds nothing that can be freed", () => {
  const next = createShares(100);
  const [one, two] = [next(), next()];
  one.lease(() => assert.fail("it holds less")).take(40);
  const large = two.lease(() => false);
  large.take(50);
  assert.throws(() => large.take(20), /too many large messages/);
  const third = next().lease(() => false);
  assert.throws(() => third.take(30), /too many large messages/);
});

test("what is released can be had again, and after its end a lease takes nothing", () => {
  const share = createShares(10)();
  const lease = share.lease(() => false);
  for (let i = 0; i < 3; i++) {
    lease.take(10);
    lease.release();
  }
  lease.end();
  assert.throws(() => lease.take(1), /has gone/);
  share.lease(() => false).take(10);
});
