import assert from "node:assert/strict";
import { test } from "node:test";
import { createScheduler } from "./index.ts";
import { seeded } from "./samples.ts";
import { floats, newSimulatedShard, newSimulatedTime, rowsModel } from "./simulated.ts";

const SEEDED = { random: seeded(1), onEnded: () => undefined };

/** Clients that send the next request 0.05 ms after an answer, as a load generator does, for so many milliseconds. */
const simulate = async (cost: { a: number; b: number }, clients: number, shards: number, ms: number, maxBatch = 32) => {
  const time = newSimulatedTime();
  // a turn of the event loop that writes some answers or reads some requests
  const clock = { ...time.clock, soon: (run: () => void) => time.clock.after(0.03, run) };
  const options = {
    maxBatchSize: maxBatch,
    maxDelayMs: 0,
    requestTimeoutMs: 30_000,
    maxQueuedBytes: 1e9,
    maxQueued: 1000,
    indicesChecked: true,
  };
  const scheduler = createScheduler(rowsModel, options, clock, new Map([["x", [1, 2]]]), SEEDED);
  const made = Array.from({ length: shards }, (_, id) => newSimulatedShard(id, clock, { ...cost, hop: 0.15 }));
  for (const shard of made) scheduler.addShard(shard);
  await time.runUntil(20 * (cost.a + cost.b * 64) + 100);
  const begin = clock.now();
  const runsBefore = made.map((shard) => shard.jobs);
  const busyBefore = made.map((shard) => shard.busyMs);
  let answered = 0;
  const client = (): void => {
    if (clock.now() >= begin + ms) return;
    scheduler.infer({ inputs: new Map([["x", floats([1, 2], [1, 2])]]), outputs: ["y"] }).result.then(
      () => {
        answered += 1;
        clock.after(0.05, client);
      },
      () => undefined,
    );
  };
  for (let i = 0; i < clients; i++) clock.after(0.01 * i, client);
  await time.runUntil(begin + ms);
  const jobs = made.reduce((sum, shard, i) => sum + shard.jobs - (runsBefore[i] ?? 0), 0);
  const busy = made.map((shard, i) => (shard.busyMs - (busyBefore[i] ?? 0)) / ms);
  assert.deepEqual(scheduler.snapshot().counters.errors, {});
  scheduler.close();
  return {
    batch: answered / jobs,
    busy,
    cpuMs: (busy.reduce((sum, share) => sum + share, 0) * ms) / answered,
    rate: answered / ms,
    batching: scheduler.snapshot().batching,
  };
};

test("a tiny model: large batches on few shards, for less processor time than spreading", async () => {
  const joined = await simulate({ a: 0.015, b: 0.001 }, 32, 2, 50);
  const spread = await simulate({ a: 0.015, b: 0.001 }, 32, 2, 50, 1);
  assert.ok(joined.batch > 8, `batches of ${joined.batch}`);
  assert.ok(joined.cpuMs < spread.cpuMs / 5, `${joined.cpuMs} and ${spread.cpuMs} ms for each request`);
  assert.ok(joined.rate > 2 * spread.rate);
});

test("a slow model that gains nothing: every shard busy with single requests", async () => {
  const { batch, busy, batching } = await simulate({ a: 0, b: 45 }, 8, 2, 9000);
  assert.ok(batch < 1.05, `batches of ${batch}`);
  for (const share of busy) assert.ok(share > 0.97, `busy ${share}`);
  assert.equal(batching.state, "paused");
  assert.match(batching.reason, /gains nothing/);
});

test("a transformer: every shard busy, in batches that save what runs share", async () => {
  const { batch, busy, rate } = await simulate({ a: 3, b: 9.5 }, 8, 2, 3000);
  assert.ok(batch > 1.7 && batch < 7, `batches of ${batch}`);
  for (const share of busy) assert.ok(share > 0.95, `busy ${share}`);
  // two shards without batching: 2 / 12.65 ms
  assert.ok(rate > (1.1 * 2) / 12.65);
});

test("a model that gains much: larger batches than a transformer's", async () => {
  const { batch } = await simulate({ a: 7, b: 0.5 }, 16, 2, 1000);
  assert.ok(batch > 5, `batches of ${batch}`);
});

test("clients that come back one after the other share runs again, and a lone one is not held", async () => {
  const tiny = { a: 0.015, b: 0.001 };
  const transformer = await simulate({ a: 3, b: 9.5 }, 8, 2, 3000);
  assert.ok(transformer.batch > 3.5 && transformer.batch < 4.5, `batches of ${transformer.batch}`);
  // 0.05 ms until it sends, 0.03 until the turn ends, then the run
  const alone = await simulate(tiny, 1, 2, 50);
  assert.ok(alone.rate > 0.97 / (0.05 + 0.03 + 0.15 + 0.016), `${alone.rate} requests for each ms`);
});
