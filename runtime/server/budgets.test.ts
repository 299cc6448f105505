import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { MIB } from "../memory/limit.ts";
import { type Known, serverBudgets } from "./budgets.ts";

const known = (limitMib: number, more: Partial<Known> = {}): Known => ({
  limitBytes: limitMib * MIB,
  modelBytes: 0,
  wantedShards: 2,
  shards: undefined,
  maxBodyBytes: undefined,
  ...more,
});
const inMib = (limitMib: number, more: Partial<Known> = {}) => {
  const { shards, heap, ...bytes } = serverBudgets(known(limitMib, more));
  const { waitingBytes, queuedBytes, maxBodyBytes, maxAnswerBytes } = bytes;
  return [
    shards,
    ...[waitingBytes, queuedBytes, maxBodyBytes, maxAnswerBytes].map((n) => n / MIB),
    heap.oldMib,
    heap.youngMib,
  ];
};

test("the limits that people choose, and what each gives", () => {
  assert.deepEqual(inMib(256), [1, 12, 8, 4, 4, 16, 8]);
  assert.deepEqual(inMib(512), [2, 72, 48, 24, 24, 32, 16]);
  assert.deepEqual(inMib(1024), [2, 264, 176, 64, 88, 64, 32]);
  assert.deepEqual(inMib(2048), [2, 864, 432, 64, 216, 256, undefined]);
  assert.deepEqual(inMib(8192), [2, 1024, 512, 64, 256, 256, undefined]);
});

test("many processors and little memory: fewer shards, and as many as were asked for where they were", () => {
  assert.equal(serverBudgets(known(512, { wantedShards: 8 })).shards, 2);
  assert.equal(serverBudgets(known(512, { wantedShards: 8, modelBytes: 100 * MIB })).shards, 1);
  assert.equal(serverBudgets(known(512, { wantedShards: 8, shards: 6 })).shards, 6);
  assert.equal(serverBudgets(known(8192, { wantedShards: 8 })).shards, 8);
});

test("a --max-body is kept, and there is room for two", () => {
  const { maxBodyBytes, waitingBytes } = serverBudgets(known(512, { maxBodyBytes: 200 * MIB }));
  assert.deepEqual([maxBodyBytes / MIB, waitingBytes / MIB], [200, 400]);
});

test("a large machine is not there for one client: what waits is at most 16 bodies, or 256 MiB", () => {
  const waits = (maxBodyMib: number) =>
    serverBudgets(known(23 * 1024, { maxBodyBytes: maxBodyMib * MIB })).waitingBytes / MIB;
  assert.deepEqual([1, 16, 32, 1024].map(waits), [256, 256, 512, 2048]);
});

test("without a --max-body the parts never exceed the limit, and are never nothing", () => {
  const limits = fc.record({
    limitMib: fc.integer({ min: 64, max: 1 << 20 }),
    modelBytes: fc.integer({ min: 0, max: 2 ** 36 }),
    wantedShards: fc.integer({ min: 1, max: 8 }),
  });
  fc.assert(
    fc.property(limits, ({ limitMib, ...more }) => {
      const budgets = serverBudgets(known(limitMib, more));
      assert.ok(budgets.waitingBytes <= (limitMib * MIB) / 2);
      assert.ok(budgets.maxBodyBytes >= MIB && 3 * budgets.maxBodyBytes <= budgets.waitingBytes);
      assert.ok(
        budgets.maxAnswerBytes * 3 <= budgets.waitingBytes && budgets.queuedBytes * 1.5 <= budgets.waitingBytes,
      );
      assert.ok(budgets.shards >= 1);
    }),
  );
});
