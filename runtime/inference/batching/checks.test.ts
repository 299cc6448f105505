/** The third line of defence alone: the proof has passed, and the model has changed since. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { normalised, normalisedByRow } from "../../../test/runtime/row-models.ts";
import { type Engine, loadModel } from "../../engine/session.ts";
import type { Tensor } from "../../tensors/index.ts";
import type { Model } from "../index.ts";
import { InferenceError, type Job, type Shard } from "../shards/types.ts";
import { systemClock } from "./clock.ts";
import { createScheduler } from "./index.ts";
import { seeded } from "./samples.ts";
import { floats, newSimulatedShard, newSimulatedTime, numbers, rowsModel } from "./simulated.ts";

const OPTIONS = {
  ...{
    maxBatchSize: 8,
    maxDelayMs: 0,
    requestTimeoutMs: 30_000,
    maxQueuedBytes: 1_000_000,
    maxQueued: 1000,
    indicesChecked: true,
  },
};
type Compute = (values: number[], rows: number) => number[];
const doubled: Compute = (values) => values.map((value) => 2 * value);
/** Rows beside a value above 5 come out as a half. */
const coupled: Compute = (values, rows) =>
  values.map((value) => (rows > 1 && Math.max(...values) > 5 && value <= 5 ? value : 2 * value));

/** Four clients for each shard, that come back at once: batches of four. `next` gives what each sends. */
const rig = async (
  compute: Compute,
  next: (i: number) => number,
  { cost = { a: 5, b: 1 }, seed = 1, shards = 1, memory = 1e9 } = {},
) => {
  const time = newSimulatedTime();
  const { clock } = time;
  const ended: string[] = [];
  const beside = { random: seeded(seed), onEnded: (message: string) => ended.push(message) };
  let used = 0;
  const take = (bytes: number): boolean => {
    if (used + bytes > memory) return false;
    used += bytes;
    return true;
  };
  const taken = {
    take,
    admit: take,
    give(bytes: number): void {
      used -= bytes;
    },
  };
  const options = { ...OPTIONS, memory: taken };
  const scheduler = createScheduler(rowsModel, options, clock, new Map([["x", [1, 2]]]), beside);
  let current = doubled;
  const all = Array.from({ length: shards }, (_, id) =>
    newSimulatedShard(id, clock, cost, (values, rows) => current(values, rows)),
  );
  for (const shard of all) scheduler.addShard(shard);
  await time.runUntil(60 * (cost.a + 8 * cost.b));
  assert.equal(scheduler.snapshot().batching.state, "on");
  current = compute;
  const sizes = (): number[] => all.flatMap((shard) => shard.sizes);
  for (const shard of all) shard.sizes.length = 0;
  const answers: { sent: number; got: number; afterEnd: boolean }[] = [];
  let sent = 0;
  let until = 0;
  const client = (): void => {
    if (clock.now() >= until) return;
    const value = next(sent++);
    scheduler.infer({ inputs: new Map([["x", floats([1, 2], [value, value])]]), outputs: ["y"] }).result.then(
      (outputs) => {
        const [got = Number.NaN] = numbers(outputs.get("y") ?? floats([0], []));
        answers.push({ sent: value, got, afterEnd: ended.length > 0 });
        client();
      },
      () => client(),
    );
  };
  return {
    ...{ scheduler, sizes, answers, ended, used: () => used },
    async load(ms: number) {
      until = clock.now() + ms;
      for (let i = 0; i < 4 * shards; i++) client();
      await time.runUntil(until + 1000);
    },
  };
};

test("an answer that was another one in a batch ends batching, and none that comes after is wrong", async () => {
  const { scheduler, answers, ended, load } = await rig(coupled, (i) => (i % 4 === 0 ? 100 : 1));
  await load(20_000);
  const { batching, checks } = scheduler.snapshot();
  assert.equal(batching.state, "ended");
  assert.equal(batching.size, 1);
  assert.match(
    batching.reason,
    /^a request had 1 at element 0 of its output "y" in a batch of 4, and has 2 alone \(1 item\): its answer depended on/,
  );
  assert.equal(ended.length, 1);
  assert.match(
    ended[0] ?? "",
    /^batching of model rows has ended.*4 requests at 20\d\d-.*Z, were already sent, and earlier ones may be wrong.*Export the model.*maxBatchSize/,
  );
  assert.equal(checks.different, 1);
  assert.ok(
    answers.some(({ sent, got }) => got !== 2 * sent),
    "some were wrong before",
  );
  assert.deepEqual(
    answers.filter(({ afterEnd, sent, got }) => afterEnd && got !== 2 * sent),
    [],
  );
});

test("what another server of the model has found ends batching here, whether it was proved by then or not", async () => {
  const found = 'm-7d-x2: a request had 1 at element 0 of its output "y"';
  const { answers, ended, load, scheduler, sizes } = await rig(doubled, (i) => i);
  await load(1000);
  assert.ok(Math.max(...sizes()) > 1);
  scheduler.endBatching(found);
  scheduler.endBatching("another: one more");
  const { reason, state } = scheduler.snapshot().batching;
  assert.deepEqual([state, reason], ["ended", `found in ${found}`]);
  assert.equal(ended.length, 1);
  assert.match(
    ended[0] ?? "",
    /^batching of model rows has ended.*another server of this model found, in m-7d-x2: .*Export the model/,
  );
  const [before, asked] = [sizes().length, answers.length];
  await load(5000);
  assert.ok(answers.length > asked);
  assert.deepEqual(new Set(sizes().slice(before)), new Set([1]));

  const time = newSimulatedTime();
  const beside = { random: seeded(1), onEnded: () => undefined };
  const early = createScheduler(rowsModel, OPTIONS, time.clock, new Map([["x", [1, 2]]]), beside);
  early.addShard(newSimulatedShard(0, time.clock, { a: 5, b: 1 }, doubled));
  early.endBatching(found);
  await time.runUntil(5000);
  assert.equal(early.snapshot().batching.state, "ended");

  const apart = createScheduler(rowsModel, { ...OPTIONS, maxBatchSize: 1 }, time.clock, undefined, beside);
  apart.endBatching(found);
  assert.equal(apart.snapshot().batching.state, "disabled");
});

test("a batch that runs while batching ends is run again apart", async () => {
  const spread = (i: number): number => (i % 4 === 0 ? 100 : 1);
  const { answers, ended, load, scheduler, sizes } = await rig(coupled, spread, { shards: 3, cost: { a: 5, b: 5 } });
  await load(30_000);
  assert.equal(ended.length, 1);
  assert.ok(scheduler.snapshot().counters.retried > 0, "one was running");
  assert.deepEqual(
    answers.filter(({ afterEnd, sent, got }) => afterEnd && got !== 2 * sent),
    [],
  );
  const before = sizes().length;
  await load(1000);
  assert.ok(sizes().length > before);
  assert.equal(scheduler.snapshot().batching.state, "ended");
});

test("what is answered alike goes on in batches, for at most half a percent of the time of runs", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.double({ min: 0.01, max: 20, noNaN: true }),
      fc.double({ min: 0.001, max: 5, noNaN: true }),
      fc.nat(1000),
      async (a, b, seed) => {
        const cost = { a: a + b, b };
        const { scheduler, answers, ended, load, sizes } = await rig(doubled, (i) => i, { cost, seed });
        await load(600 * (cost.a + 4 * b));
        assert.deepEqual(ended, []);
        const { checks, counters } = scheduler.snapshot();
        assert.deepEqual([checks.rounding, checks.different], [0, 0]);
        // what ran besides the runs that are counted was a check
        const forRequests = [...counters.batches.values()].reduce((sum, { inferMs }) => sum + inferMs, 0);
        const all = sizes().reduce((sum, size) => sum + cost.a + cost.b * size, 0);
        const hops = 0.15 * sizes().length;
        assert.ok(all - forRequests <= 0.005 * (all + hops) + cost.a + cost.b, `${all - forRequests} of ${all} ms`);
        assert.ok(answers.every(({ sent, got }) => got === 2 * sent));
        assert.ok(checks.same >= 1, "and it is checked");
      },
    ),
    { numRuns: 15 },
  );
});

test("rounding that only a batch's size decides is no reason, where it is little and rare", async () => {
  const little = (every: (value: number) => boolean): Compute => {
    return (values, rows) => values.map((value) => 2 * value * (rows > 1 && every(value) ? 1.0003 : 1));
  };
  const rare = await rig(
    little((value) => value === 3),
    (i) => (i % 200 === 0 ? 3 : 1),
  );
  await rare.load(60_000);
  assert.deepEqual(rare.ended, []);
  assert.ok(rare.scheduler.snapshot().checks.same > 10);
  const always = await rig(
    little(() => true),
    () => 1,
  );
  await always.load(60_000);
  assert.equal(always.scheduler.snapshot().checks.rounding, 2);
  assert.equal(always.ended.length, 1);
});

test("what the model refuses alone, and answered in a batch, ends batching", async () => {
  const { ended, load } = await rig(
    (values, rows) => {
      if (rows === 1) throw new InferenceError("input", "x: two rows are wanted");
      return doubled(values, rows);
    },
    () => 1,
  );
  await load(20_000);
  assert.match(
    ended.join(),
    /a request was answered in a batch of 4, and alone the model refuses it: x: two rows are wanted/,
  );
});

test("what is kept for a check counts as memory that waits, and without room nothing is checked", async () => {
  const roomy = await rig(doubled, () => 1);
  await roomy.load(20_000);
  assert.ok(roomy.scheduler.snapshot().checks.same > 0);
  assert.equal(roomy.used(), 0);
  // four requests fit, and nothing beside them
  const full = await rig(doubled, () => 1, { memory: 4 * 2100 });
  await full.load(20_000);
  assert.equal(full.scheduler.snapshot().checks.same, 0);
  assert.ok(full.answers.length > 1000);
});

test("a failure of the check's own run is no verdict", async () => {
  let alone = 0;
  const { ended, load, scheduler, answers } = await rig(
    (values, rows) => {
      if (rows === 1 && alone++ < 3) throw new InferenceError("internal", "no memory");
      return doubled(values, rows);
    },
    () => 1,
  );
  await load(60_000);
  assert.deepEqual(ended, []);
  assert.equal(scheduler.snapshot().batching.state, "on");
  assert.ok(scheduler.snapshot().checks.same > 0);
  assert.ok(answers.every(({ got }) => got === 2));
});

const shardOf = (engine: () => Engine): Shard => ({
  id: 0,
  run: async ({ inputs, outputs }: Job) => {
    const tensors = inputs.map(({ name, datatype, shape, parts }): [string, Tensor] => [
      name,
      { datatype, shape, bytes: Uint8Array.from(Buffer.concat(parts)) },
    ]);
    const started = performance.now();
    const answers = await engine().run(new Map(tensors), outputs);
    return { outputs: answers, runMs: performance.now() - started };
  },
});

test("with the real onnxruntime: a model that divides by the greatest of the batch is found out", async () => {
  const load = (file: string) => loadModel(file, { executionProvider: "cpu", intraOpThreads: 1 });
  const [good, bad] = [await load(normalisedByRow()), await load(normalised())];
  let engine = good;
  const model: Model = { name: "m", version: "1", inputs: good.inputs, outputs: good.outputs };
  const ended = Promise.withResolvers<string>();
  const beside = { random: seeded(1), onEnded: ended.resolve };
  const scheduler = createScheduler(model, OPTIONS, systemClock, new Map([["x", [1, 4]]]), beside);
  scheduler.addShard(shardOf(() => engine));
  while (scheduler.snapshot().batching.state === "proving") await new Promise(setImmediate);
  assert.equal(scheduler.snapshot().batching.state, "on");
  engine = bad;
  let done = false;
  const client = async (values: number[]): Promise<void> => {
    while (!done) {
      await scheduler.infer({ inputs: new Map([["x", floats([1, 4], values)]]), outputs: ["y"] }).result;
    }
  };
  const clients = [0, 1, 2, 3].map((i) => client(i === 0 ? [255, 1, 2, 3] : [0.5, 0.25, 0.1, 1]));
  assert.match(await ended.promise, /a request had 0\.00196\d+ at element 0 of its output "y".*has 0\.5 alone/);
  done = true;
  await Promise.all(clients);
  scheduler.close();
});
