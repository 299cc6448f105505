import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { RequestError } from "../../errors/request-error.ts";
import type { Model } from "../index.ts";
import { InferenceError, type Shard, ShardLost } from "../shards/types.ts";
import { groupOf, newGroups } from "./groups.ts";
import { createScheduler, type SchedulerOptions } from "./index.ts";
import { seeded } from "./samples.ts";
import { floats, newSimulatedShard, newSimulatedTime, numbers, rowsModel } from "./simulated.ts";

const OPTIONS: SchedulerOptions = {
  maxBatchSize: 8,
  maxDelayMs: 0,
  requestTimeoutMs: 30_000,
  maxQueuedBytes: 10_000_000,
  maxQueued: 1000,
  indicesChecked: true,
};

/** The answer's first number, or the code of the error; and when it came. */
type Answer = { value: number | string; at: number; message: string };
type Compute = (values: number[], rows: number) => number[];
const double: Compute = (values) => values.map((value) => 2 * value);

const rig = async (
  options: Partial<SchedulerOptions> = {},
  cost = { a: 5, b: 1 },
  compute: Compute = double,
  warm = true,
) => {
  const time = newSimulatedTime();
  const { clock } = time;
  const ended: string[] = [];
  const scheduler = createScheduler(rowsModel, { ...OPTIONS, ...options }, clock, new Map([["x", [1, 2]]]), {
    random: seeded(1),
    onEnded: (message) => ended.push(message),
  });
  let failing: Compute | undefined;
  const shard = newSimulatedShard(0, clock, cost, (values, rows) => (failing ?? double)(values, rows));
  if (warm) {
    scheduler.addShard(shard);
    await time.runUntil(1000);
  }
  failing = compute;
  const answers: Answer[] = [];
  const send = (value: number, call: { deadline?: number; priority?: number; rows?: number } = {}) => {
    const { rows = 1, ...rest } = call;
    const at = answers.push({ value: "none", at: -1, message: "" }) - 1;
    const settle = (outcome: number | string, message = ""): void => {
      assert.equal(answers[at]?.at, -1, "answered twice");
      answers[at] = { value: outcome, at: clock.now(), message };
    };
    const x = floats([rows, 2], new Array(2 * rows).fill(value));
    try {
      const inference = scheduler.infer({ inputs: new Map([["x", x]]), outputs: ["y"], ...rest });
      inference.result.then(
        (outputs) => {
          const y = outputs.get("y");
          assert.deepEqual(y?.shape, [rows, 2]);
          settle(numbers(y ?? floats([0], []))[0] ?? "empty");
        },
        (error: unknown) => settle(error instanceof RequestError ? error.code : String(error), String(error)),
      );
      return inference;
    } catch (error) {
      settle(error instanceof RequestError ? error.code : String(error), String(error));
      return undefined;
    }
  };
  const values = (): (number | string)[] => answers.map(({ value }) => value);
  return { time, clock, scheduler, shard, answers, values, send, ended };
};

test("requests of one turn share a run, and each gets its own rows", async () => {
  const { time, scheduler, shard, values, send } = await rig();
  assert.equal(scheduler.snapshot().batching.state, "on");
  const before = shard.sizes.length;
  for (const [value, rows] of [
    [1, 1],
    [2, 3],
    [3, 2],
  ] as const)
    send(value, { rows });
  await time.runUntil(2000);
  assert.deepEqual(values(), [2, 4, 6]);
  assert.deepEqual(shard.sizes.slice(before), [6]);
  const { inferenceCount, executionCount, success, batches } = scheduler.statistics();
  assert.deepEqual([inferenceCount, executionCount, success.count], [6, 1, 3]);
  assert.deepEqual(
    batches.map(({ size, computeInfer }) => [size, computeInfer]),
    [[6, { count: 1, ns: 11_000_000 }]],
  );
});

test("no batch has more items than allowed, and a larger request runs alone", async () => {
  const { time, shard, values, send } = await rig();
  const before = shard.sizes.length;
  for (const rows of [3, 3, 3, 20, 1]) send(rows, { rows });
  await time.runUntil(2000);
  assert.deepEqual(values(), [6, 6, 6, 40, 2]);
  assert.deepEqual(shard.sizes.slice(before), [6, 3, 20, 1]);
});

test("the higher priority first, then the older", async () => {
  const { time, answers, send } = await rig({ maxBatchSize: 1 });
  for (const priority of [0, 9, 1, 5, 2]) send(priority, { priority });
  await time.runUntil(2000);
  const order = answers.map(({ at }, i) => ({ at, i })).sort((one, other) => one.at - other.at);
  assert.deepEqual(
    order.map(({ i }) => i),
    [2, 4, 0, 3, 1],
  );
});

test("one bad request of a batch fails alone", async () => {
  const { time, values, answers, send } = await rig({}, undefined, (input) => {
    if (input.includes(7)) throw new InferenceError("input", "7 is out of range");
    return double(input, 0);
  });
  for (const value of [1, 7, 2]) send(value);
  await time.runUntil(2000);
  assert.deepEqual(values(), [2, "InvalidArgument", 4]);
  assert.match(answers[1]?.message ?? "", /7 is out of range/);
});

test("a request that brings the process down fails alone, once the shard is back", async () => {
  const { time, clock, scheduler, values, answers, send } = await rig({}, undefined, (input) => {
    if (input.includes(7)) throw new ShardLost("crash", "signal 11");
    return double(input, 0);
  });
  for (const value of [1, 7, 2]) send(value);
  await time.runUntil(1500);
  assert.deepEqual(values(), ["none", "none", "none"]);
  assert.equal(scheduler.snapshot().shards, 0);
  const next = (): Shard =>
    newSimulatedShard(1, clock, { a: 5, b: 1 }, (input) => {
      if (input.includes(7)) throw new ShardLost("crash", "signal 11");
      return double(input, 0);
    });
  scheduler.addShard(next());
  await time.runUntil(1600);
  scheduler.addShard(next());
  await time.runUntil(2000);
  assert.deepEqual(values(), [2, "Internal", 4]);
  assert.match(answers[1]?.message ?? "", /crashed the model's process/);
});

test("a run that hung fails all that shared it", async () => {
  const { time, values, answers, send } = await rig({}, undefined, () => {
    throw new ShardLost("timeout", "killed");
  });
  for (const value of [1, 2]) send(value);
  await time.runUntil(2000);
  assert.deepEqual(values(), ["DeadlineExceeded", "DeadlineExceeded"]);
  assert.match(answers[0]?.message ?? "", /longer than --request-timeout \(30 s\); send less/);
});

test("who waits or runs past the deadline is told then, and what waits is never run", async () => {
  const { time, clock, scheduler, shard, answers, send } = await rig({ maxBatchSize: 1 }, { a: 0, b: 100 });
  const start = clock.now();
  const runs = shard.jobs;
  send(1, { deadline: start + 120 });
  await time.runUntil(start + 1);
  // another takes the shard's time: this one is admitted, and then pushed back by a higher priority
  send(2, { deadline: start + 250 });
  await time.runUntil(start + 2);
  send(3, { priority: 1 });
  send(4, { priority: 1 });
  await time.runUntil(start + 1000);
  assert.deepEqual(
    answers.map(({ value }) => value),
    [2, "DeadlineExceeded", 6, 8],
  );
  assert.ok(Math.abs((answers[1]?.at ?? 0) - start - 250) <= 1);
  assert.equal(shard.jobs - runs, 3);
  assert.equal(scheduler.snapshot().queuedBytes, 0);
});

test("a client that has gone is not run for", async () => {
  const { time, shard, values, send } = await rig({ maxBatchSize: 1 });
  const runs = shard.jobs;
  send(1);
  send(2)?.cancel();
  const third = send(3);
  await time.runUntil(2000);
  third?.cancel();
  await time.runUntil(2100);
  assert.deepEqual(values(), [2, "Cancelled", 6]);
  assert.equal(shard.jobs - runs, 2);
});

test("who would wait too long is refused at once, and told when to come back", async () => {
  const { time, clock, scheduler, values, answers, send } = await rig({ maxBatchSize: 1 }, { a: 0, b: 1000 });
  send(0);
  await time.runUntil(clock.now() + 2000);
  for (let i = 0; i < 5; i++) send(i);
  send(9, { deadline: clock.now() + 3000 });
  assert.equal(values().at(-1), "Overloaded");
  assert.match(answers.at(-1)?.message ?? "", /would wait about \d+ ms and run about 1000 ms, but has 3000 ms left/);
  send(10, { deadline: clock.now() + 3000, priority: 1 });
  assert.equal(values().at(-1), "none", "what it overtakes does not count");
  await time.runUntil(clock.now() + 20_000);
  assert.equal(scheduler.snapshot().counters.errors.Overloaded, 1);
});

test("the queue's bounds hold, in number and bytes", async () => {
  const { scheduler, values, send, time } = await rig({ maxQueued: 2, maxBatchSize: 1 });
  for (let i = 0; i < 3; i++) send(i);
  assert.equal(values()[2], "Overloaded");
  // 8 bytes for each row, and 2048 for each request; small ones have an eighth more
  const small = await rig({ maxQueuedBytes: 3600, maxBatchSize: 1 });
  small.send(1, { rows: 4 });
  small.send(2, { rows: 2 });
  assert.equal(small.values()[1], "Overloaded");
  small.send(3, { rows: 262 });
  assert.equal(small.values()[2], "TooLarge", "it would not fit into an empty queue");
  await time.runUntil(2000);
  assert.deepEqual([scheduler.snapshot().queued, scheduler.snapshot().queuedBytes], [0, 0]);
});

test("what is admitted is taken from the memory for all, and given back once, however it ends", async () => {
  let used = 0;
  const take = (bytes: number) => {
    if (used + bytes > 3 * 2056) return false;
    used += bytes;
    return true;
  };
  const memory = {
    take,
    admit: take,
    give: (bytes: number) => {
      used -= bytes;
    },
    passed: () => undefined,
  };
  const { values, send, time } = await rig({ memory, maxBatchSize: 1 });
  for (let i = 0; i < 5; i++) send(i, i === 1 ? { deadline: 1020 } : {});
  assert.deepEqual(values().slice(3), ["Overloaded", "Overloaded"]);
  assert.equal(used, 3 * 2056);
  await time.runUntil(2000);
  assert.equal(used, 0);
  send(9);
  assert.equal(used, 2056);
});

test("without a shard: refused, but kept while one is expected in time", async () => {
  const { time, clock, scheduler, shard, values, send } = await rig({}, undefined, double, false);
  send(1);
  scheduler.expectShard(clock.now() + 2000);
  send(2);
  send(3, { deadline: clock.now() + 1000 });
  assert.deepEqual(values(), ["Unavailable", "none", "Unavailable"]);
  scheduler.addShard(shard);
  await time.runUntil(3000);
  assert.equal(values()[1], 4);
});

test("a shard that is late to return is expected to be as late again", async () => {
  const { time, clock, scheduler, shard, values, send } = await rig();
  scheduler.removeShard(shard);
  const start = clock.now();
  scheduler.expectShard(start + 1000);
  await time.runUntil(start + 4000);
  send(1, { deadline: clock.now() + 2500 });
  send(2, { deadline: clock.now() + 3500 });
  assert.deepEqual(values(), ["Unavailable", "none"]);
});

test("a batch is held for --max-delay, unless it is full", async () => {
  const { time, clock, answers, send } = await rig({ maxDelayMs: 10 });
  const start = clock.now();
  send(1);
  await time.runUntil(start + 5);
  send(2);
  await time.runUntil(start + 100);
  assert.deepEqual(
    answers.map(({ at }) => Math.round(at - start)),
    [17, 17],
  );
  const again = clock.now();
  for (let i = 0; i < 8; i++) send(i);
  await time.runUntil(again + 100);
  assert.equal(Math.round((answers.at(-1)?.at ?? 0) - again), 13);
});

test("a model that answers a batch in another shape than before is not batched again", async () => {
  const { time, scheduler, values, send, ended } = await rig({}, undefined, (input, rows) =>
    rows > 1 ? double(input.slice(0, 2), 1) : double(input, rows),
  );
  for (const value of [1, 2, 3]) send(value);
  await time.runUntil(2000);
  assert.deepEqual(values(), [2, 4, 6]);
  const { state, reason } = scheduler.snapshot().batching;
  assert.equal(state, "ended");
  assert.match(ended.join(), /has ended.*"y" has the shape.*its requests run again, each alone/);
  assert.match(reason, /"y" has the shape \[1, 2\] for a batch of 3/);
});

test("whatever happens, each request gets one answer, its own, and nothing is left behind", async () => {
  const step = fc.record({
    after: fc.nat(8),
    rows: fc.integer({ min: 1, max: 10 }),
    priority: fc.nat(9),
    deadlineIn: fc.option(fc.nat(60), { nil: undefined }),
    cancelAfter: fc.option(fc.nat(30), { nil: undefined }),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 30 }),
      fc.array(fc.constantFrom("fine", "input", "internal", "crash", "timeout"), { maxLength: 12 }),
      async (steps, fates) => {
        let at = 0;
        const { time, clock, scheduler, answers, send } = await rig({}, { a: 4, b: 1 }, (input, rows) => {
          const fate = fates[at++] ?? "fine";
          if (fate === "input" || fate === "internal") throw new InferenceError(fate, fate);
          if (fate === "crash" || fate === "timeout") {
            clock.after(3, () => scheduler.addShard(newSimulatedShard(at, clock, { a: 4, b: 1 })));
            throw new ShardLost(fate, fate);
          }
          return double(input, rows);
        });
        for (const [i, { after, rows, priority, deadlineIn, cancelAfter }] of steps.entries()) {
          const deadline = deadlineIn === undefined ? {} : { deadline: clock.now() + deadlineIn };
          const inference = send(i + 1, { rows, priority, ...deadline });
          if (cancelAfter !== undefined) clock.after(cancelAfter, () => inference?.cancel());
          await time.runUntil(clock.now() + after);
        }
        await time.runUntil(clock.now() + 10_000);
        for (const [i, { value }] of answers.entries()) {
          if (typeof value === "number") assert.equal(value, 2 * (i + 1));
          else assert.notEqual(value, "none");
        }
        const { queued, queuedBytes, inFlight, running } = scheduler.snapshot();
        assert.deepEqual(
          { queued, queuedBytes, inFlight, running },
          { queued: 0, queuedBytes: 0, inFlight: 0, running: 0 },
        );
        const { success, fail } = scheduler.statistics();
        assert.equal(success.count + fail.count, answers.length);
      },
    ),
    { numRuns: 60 },
  );
});

test("a batch that cannot be joined or taken apart fails alone, and its shard stays in use", async () => {
  const { time, clock, scheduler, shard, values, send } = await rig();
  const broken = scheduler.infer({ inputs: new Map(), outputs: ["y"] });
  send(1);
  await Promise.all([
    assert.rejects(broken.result, { code: "Internal", message: /cannot be batched/ }),
    time.runUntil(clock.now() + 100),
  ]);
  const { run } = shard;
  shard.run = async (job) => {
    const { outputs, runMs } = await run(job);
    const iterator = (): never => {
      throw new TypeError("broken");
    };
    return { outputs: Object.assign(new Map(outputs), { [Symbol.iterator]: iterator }), runMs };
  };
  send(2);
  send(3);
  await time.runUntil(clock.now() + 100);
  shard.run = run;
  send(4);
  send(5);
  await time.runUntil(clock.now() + 100);
  assert.deepEqual(values(), [2, "Internal", "Internal", 8, 10]);
  const { batching, running, inFlight, queuedBytes } = scheduler.snapshot();
  assert.deepEqual([batching.state, running, inFlight, queuedBytes], ["on", 0, 0, 0]);
});

test("batches that fail although their requests run well apart are not made for ever", async () => {
  let healthy = false;
  const { time, clock, scheduler, shard, values, send } = await rig({}, undefined, (input, rows) => {
    if (rows > 1 && !healthy) throw new InferenceError("internal", "no room for two");
    return double(input, rows);
  });
  const pair = async (): Promise<number[]> => {
    const before = shard.sizes.length;
    send(1);
    send(2);
    await time.runUntil(clock.now() + 100);
    return shard.sizes.slice(before);
  };
  for (let i = 0; i < 3; i++) {
    assert.equal(scheduler.snapshot().batching.state, "on");
    assert.deepEqual(await pair(), [2, 1, 1]);
  }
  for (let i = 0; i < 5; i++) assert.deepEqual(await pair(), [1, 1]);
  const { state, reason } = scheduler.snapshot().batching;
  assert.equal(state, "paused");
  assert.match(reason, /3 batches in a row failed, though their requests run well apart: no room for two/);
  await time.runUntil(clock.now() + 600_000);
  assert.deepEqual(await pair(), [2, 1, 1], "tried again once");
  assert.deepEqual(await pair(), [1, 1]);
  await time.runUntil(clock.now() + 600_000);
  healthy = true;
  assert.deepEqual(await pair(), [2]);
  assert.deepEqual(await pair(), [2]);
  assert.equal(scheduler.snapshot().batching.state, "on");
  assert.deepEqual(new Set(values()), new Set([2, 4]));
});

test("batches that fail for one request's fault do not pause batching", async () => {
  const { time, clock, scheduler, send } = await rig({}, undefined, (input, rows) => {
    if (input.includes(7)) throw new InferenceError("input", "7 is out of range");
    return double(input, rows);
  });
  for (let i = 0; i < 5; i++) {
    send(7);
    send(2);
    await time.runUntil(clock.now() + 100);
  }
  assert.equal(scheduler.snapshot().batching.state, "on");
});

test("no shape starves: each one's oldest has its turn", async () => {
  const time = newSimulatedTime();
  const { clock } = time;
  const open: Model = {
    ...rowsModel,
    inputs: [{ name: "x", datatype: "FP32", shape: [null, null], symbols: ["batch", "width"] }],
    outputs: [{ name: "y", datatype: "FP32", shape: [null, null], symbols: ["batch", "width"] }],
  };
  const scheduler = createScheduler(open, OPTIONS, clock, undefined, {
    random: seeded(1),
    onEnded: () => undefined,
  });
  scheduler.addShard(newSimulatedShard(0, clock, { a: 0, b: 1 }));
  const latest = new Map<number, number>();
  const client = (width: number): void => {
    const sentAt = clock.now();
    if (sentAt > 500) return;
    const x = floats([1, width], new Array(width).fill(1));
    const answered = (): void => {
      latest.set(width, Math.max(latest.get(width) ?? 0, clock.now() - sentAt));
      client(width);
    };
    void scheduler.infer({ inputs: new Map([["x", x]]), outputs: ["y"] }).result.then(answered);
  };
  // twenty clients of one shape, and one of each of two others: all wait for as many runs as there are clients
  for (let i = 0; i < 20; i++) client(2);
  client(4);
  client(6);
  await time.runUntil(1000);
  assert.deepEqual([...latest.keys()].sort(), [2, 4, 6]);
  for (const [width, ms] of latest) assert.ok(ms <= 23, `width ${width} waited ${ms} ms`);
});

test("batching that gained nothing is tried again, and returns once it gains", async () => {
  const cost = { a: 0, b: 50 };
  const { time, clock, scheduler, shard, send } = await rig({}, cost);
  const four = async (): Promise<number[]> => {
    const before = shard.sizes.length;
    for (let i = 0; i < 4; i++) send(i);
    await time.runUntil(clock.now() + 1000);
    return shard.sizes.slice(before);
  };
  await four();
  assert.deepEqual(await four(), [1, 1, 1, 1]);
  assert.equal(scheduler.snapshot().batching.state, "paused");
  Object.assign(cost, { a: 40, b: 1 });
  const sizes: number[][] = [];
  for (let i = 0; i < 120 && scheduler.snapshot().batching.state === "paused"; i++) sizes.push(await four());
  assert.ok(sizes.filter((some) => some.length < 4).length >= 1, "tried again");
  assert.ok(sizes.filter((some) => some.length < 4).length <= 8, "but seldom");
  assert.equal(scheduler.snapshot().batching.state, "on");
  assert.deepEqual(await four(), [4]);
});

test("of more than 256 shapes the one that was not used for the longest is forgotten, never one that waits", () => {
  const groups = newGroups({ maxBatch: 8, maxDelayMs: 0, longestRunMs: 1000, hopMs: 0.15 });
  const shape = (key: string) => ({ key, dimensions: key, rows: 1, joins: true });
  const waiting = groupOf(groups, shape("waits"), 0);
  waiting.requests = 1;
  for (let i = 0; i < 255; i++) groupOf(groups, shape(`${i}`), i);
  const used = groupOf(groups, shape("0"), 300);
  for (let i = 0; i < 10; i++) groupOf(groups, shape(`new ${i}`), 400 + i);
  assert.equal(groups.byKey.size, 256);
  assert.equal(groups.byKey.get("waits"), waiting);
  assert.equal(groups.byKey.get("0"), used);
  assert.ok(!groups.byKey.has("1") && !groups.byKey.has("10") && groups.byKey.has("11"));
});

test("batching that does not gain any more is found out, though only batches run", async () => {
  const cost = { a: 5, b: 15 };
  const { time, clock, scheduler } = await rig({}, cost);
  const client = (): void => {
    const x = floats([1, 2], [1, 2]);
    scheduler.infer({ inputs: new Map([["x", x]]), outputs: ["y"] }).result.then(client, () => undefined);
  };
  for (let i = 0; i < 8; i++) client();
  await time.runUntil(clock.now() + 5000);
  assert.equal(scheduler.snapshot().batching.state, "on");
  // one item takes 12.5 ms, and 16 in a batch of eight
  Object.assign(cost, { a: -4, b: 16.5 });
  await time.runUntil(clock.now() + 60_000);
  assert.equal(scheduler.snapshot().batching.state, "paused");
  scheduler.close();
});

test("whatever protocol it came by, a tensor of too many strings is refused by name before it waits", async () => {
  const { scheduler } = await rig();
  const count = 1_048_577;
  const x = { datatype: "BYTES" as const, shape: [count, 1], bytes: new Uint8Array(4 * count) };
  const infer = () => scheduler.infer({ inputs: new Map([["words", x]]), outputs: ["y"] });
  assert.throws(
    infer,
    (error) => error instanceof RequestError && /input "words": has 1048577 strings/.test(error.message),
  );
  assert.equal(scheduler.snapshot().queuedBytes, 0);
});

test("a request of strings is charged about 100 bytes for each of them besides its own", async () => {
  const { scheduler } = await rig({ maxQueuedBytes: 1_000_000, maxBatchSize: 1 });
  const x = { datatype: "BYTES" as const, shape: [10_000, 1], bytes: new Uint8Array(40_000) };
  const infer = () => scheduler.infer({ inputs: new Map([["words", x]]), outputs: ["y"] });
  assert.throws(infer, (error) => error instanceof RequestError && error.code === "TooLarge");
});

test("what has ended the process alone is not run again: the next one who asks the same is told so, others are answered", async () => {
  const deadly = (input: number[]): number[] => {
    if (input.includes(7)) throw new ShardLost("crash", "signal 11");
    return double(input, 0);
  };
  const { time, clock, scheduler, values, answers, send } = await rig({ maxBatchSize: 1 }, undefined, deadly);
  for (const value of [7, 7, 7, 3]) send(value);
  await time.runUntil(1500);
  assert.equal(scheduler.snapshot().shards, 0, "one process for the first of them");
  scheduler.addShard(newSimulatedShard(1, clock, { a: 5, b: 1 }, deadly));
  await time.runUntil(2000);
  assert.deepEqual(values(), ["Internal", "Internal", "Internal", 6]);
  assert.equal(scheduler.snapshot().shards, 1, "the others, which waited, cost none");
  send(7);
  send(5);
  await time.runUntil(3000);
  assert.deepEqual(values().slice(4), ["Internal", 10]);
  assert.match(answers[4]?.message ?? "", /the same request crashed the model's process/);
  const { queued, inFlight, queuedBytes } = scheduler.snapshot();
  assert.deepEqual([queued, inFlight, queuedBytes], [0, 0, 0]);
});
