import assert from "node:assert/strict";
import { test } from "node:test";
import { createWorkQueue, retryDelay, type Timers } from "./work-queue.ts";

const key = (name: string) => ({ namespace: "n", name });

/** A queue whose time passes only by `pass`, and which says what is due without waiting for more. */
const queueAt = () => {
  let now = 0;
  const pending = new Set<{ at: number; run(): void }>();
  const timers: Timers = {
    now: () => now,
    after(ms, run) {
      const timer = { at: now + ms, run };
      pending.add(timer);
      return { cancel: () => pending.delete(timer) };
    },
    turn: queueMicrotask,
  };
  const counts = { depth: 0, added: 0, retried: 0, waited: [] as number[], worked: [] as number[] };
  const queue = createWorkQueue(timers, {
    depth: (due) => {
      counts.depth = due;
    },
    added: () => counts.added++,
    retried: () => counts.retried++,
    taken: (waited) => counts.waited.push(waited),
    finished: (worked) => counts.worked.push(worked),
  });
  const pass = (ms: number) => {
    now += ms;
    for (const timer of pending) {
      if (timer.at > now) continue;
      pending.delete(timer);
      timer.run();
    }
  };
  const takeDue = async () => (counts.depth === 0 ? undefined : (await queue.take())?.name);
  return { queue, pass, takeDue, counts, timers: pending };
};

test("a key that is added often is due once, in the order of first adding", async () => {
  const { queue, takeDue } = queueAt();
  for (const name of ["a", "b", "a", "b", "c"]) queue.add(key(name));
  assert.deepEqual([await takeDue(), await takeDue(), await takeDue(), await takeDue()], ["a", "b", "c", undefined]);
});

test("no wait is longer than a timer of Node: a longer one would ring at once", () => {
  const { queue, timers } = queueAt();
  queue.addAfter(key("a"), Date.parse("9999-12-31T00:00:00Z"));
  assert.deepEqual(
    [...timers].map(({ at }) => at),
    [2 ** 31 - 1],
  );
});

test("what is low waits until nothing else is due, and no longer once something happens to it", async () => {
  const { queue, takeDue, counts } = queueAt();
  queue.add(key("all"), "low");
  queue.add(key("of"), "low");
  queue.add(key("them"), "low");
  queue.add(key("changed"));
  queue.add(key("them"));
  queue.add(key("changed"), "low");
  assert.equal(counts.depth, 4);
  assert.deepEqual(
    [await takeDue(), await takeDue(), await takeDue(), await takeDue()],
    ["changed", "them", "all", "of"],
  );
});

test("who waits is given one key a turn, and in that turn the one that is most urgent then", async () => {
  const turns: (() => void)[] = [];
  const none = () => undefined;
  const timers = { now: () => 0, after: () => ({ cancel: none }), turn: (run: () => void) => void turns.push(run) };
  const queue = createWorkQueue(timers, { depth: none, added: none, retried: none, taken: none, finished: none });
  const given: (string | undefined)[] = [];
  const take = async () => void given.push((await queue.take())?.name);
  const taking = [take(), take(), take()];
  for (const name of ["a", "b", "c"]) queue.add(key(name), "low");
  const turn = async () => {
    for (const run of turns.splice(0)) run();
    await new Promise((resolve) => setImmediate(resolve));
  };
  await turn();
  assert.deepEqual(given, ["a"]);
  queue.add(key("changed"));
  await turn();
  assert.deepEqual(given, ["a", "changed"]);
  queue.shutDown();
  await turn();
  await Promise.all(taking);
  assert.deepEqual([given, turns], [["a", "changed", undefined], []]);
});

test("how long each worker has held its key", async () => {
  const { queue, takeDue, pass } = queueAt();
  queue.add(key("a"));
  await takeDue();
  pass(5);
  queue.add(key("b"));
  await takeDue();
  queue.add(key("b"));
  pass(2);
  assert.deepEqual(queue.held(), [7, 2]);
  queue.done(key("a"));
  queue.done(key("b"));
  assert.deepEqual(queue.held(), []);
});

test("a key that a worker holds is due again only when it is done, and then once", async () => {
  const { queue, takeDue, pass } = queueAt();
  queue.add(key("a"));
  assert.equal(await takeDue(), "a");
  queue.add(key("a"));
  queue.add(key("a"));
  queue.addAfter(key("a"), 5);
  pass(10);
  assert.equal(await takeDue(), undefined);
  queue.done(key("a"));
  assert.equal(await takeDue(), "a");
  queue.done(key("a"));
  assert.equal(await takeDue(), undefined);
});

test("a worker that waits is given the next key, and one key goes to one worker", async () => {
  const { queue } = queueAt();
  const takes = [queue.take(), queue.take()];
  queue.add(key("a"));
  queue.add(key("b"));
  assert.deepEqual(
    (await Promise.all(takes)).map((taken) => taken?.name),
    ["a", "b"],
  );
});

test("of several delays the soonest counts, and being due now ends them all", async () => {
  const { queue, pass, takeDue, timers } = queueAt();
  queue.addAfter(key("a"), 100);
  queue.addAfter(key("a"), 50);
  queue.addAfter(key("a"), 200);
  pass(49);
  assert.equal(await takeDue(), undefined);
  pass(1);
  assert.equal(await takeDue(), "a");
  queue.done(key("a"));
  queue.addAfter(key("a"), 100);
  queue.add(key("a"));
  assert.equal(timers.size, 0);
});

test("retries back off per key until forgotten", async () => {
  const { queue, pass, takeDue, counts } = queueAt();
  queue.add(key("a"));
  for (const delay of [5, 10, 20, 40]) {
    assert.equal(await takeDue(), "a");
    queue.retry(key("a"));
    queue.done(key("a"));
    pass(delay - 1);
    assert.equal(await takeDue(), undefined, `before ${delay} ms`);
    pass(1);
  }
  await takeDue();
  queue.forget(key("a"));
  queue.retry(key("a"));
  queue.done(key("a"));
  pass(5);
  assert.equal(await takeDue(), "a");
  assert.equal(counts.retried, 5);
  assert.deepEqual([retryDelay(0), retryDelay(10), retryDelay(10_000)], [5, 5120, 300_000]);
});

test("shutting down ends every take and drops what waits", async () => {
  const { queue, timers } = queueAt();
  const waiting = queue.take();
  queue.addAfter(key("b"), 10);
  queue.shutDown();
  queue.add(key("a"));
  assert.deepEqual([await waiting, await queue.take(), timers.size], [undefined, undefined, 0]);
});

test("waiting and working times are told", async () => {
  const { queue, pass, takeDue, counts } = queueAt();
  queue.add(key("a"));
  pass(7);
  await takeDue();
  pass(3);
  queue.add(key("a"));
  pass(2);
  queue.done(key("a"));
  await takeDue();
  assert.deepEqual([counts.waited, counts.worked, counts.added], [[7, 2], [5], 2]);
});
