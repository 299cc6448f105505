import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type AskedPod, createBatchingWatch } from "./batching-watch.ts";
import type { ServerBatching } from "./server-batching.ts";

const pod = (i: number): AskedPod => ({
  uid: `u${i}`,
  address: `10.0.0.${i}`,
  key: { namespace: "default", name: `m${i}` },
});

const rig = () => {
  const state = { now: 0, pods: [pod(1), pod(2)], answers: new Map<string, ServerBatching>() };
  const asked: { address: string; at: number }[] = [];
  const changed: string[] = [];
  const watch = createBatchingWatch({
    pods: () => state.pods,
    clock: () => state.now,
    changed: ({ name }) => changed.push(name),
    ask: (address) => {
      asked.push({ address, at: state.now });
      return Promise.resolve(state.answers.get(address));
    },
  });
  const pass = async (ms: number): Promise<void> => {
    for (const end = state.now + ms; state.now < end; state.now += 1000) await watch.tick();
  };
  return { state, asked, changed, watch, pass };
};

test("what a pod says is told once, and kept while it does not answer", async () => {
  const { state, changed, watch, pass } = rig();
  state.answers.set("10.0.0.2", { state: "on", reason: "" });
  await pass(1000);
  assert.deepEqual([watch.endedIn("u2"), changed], [undefined, []]);
  state.answers.set("10.0.0.2", { state: "ended", reason: "answers differ" });
  await pass(60_000);
  assert.deepEqual([watch.endedIn("u2"), changed], ["answers differ", ["m2"]]);
  state.answers.delete("10.0.0.2");
  await pass(60_000);
  assert.equal(watch.endedIn("u2"), "answers differ");
  state.answers.set("10.0.0.2", { state: "on", reason: "" });
  await pass(60_000);
  assert.deepEqual([watch.endedIn("u2"), changed], [undefined, ["m2", "m2"]]);
});

test("a pod that is gone is forgotten", async () => {
  const { state, watch, pass } = rig();
  state.answers.set("10.0.0.1", { state: "ended", reason: "answers differ" });
  await pass(1000);
  assert.equal(watch.endedIn("u1"), "answers differ");
  state.pods = [pod(2)];
  await pass(60_000);
  assert.equal(watch.endedIn("u1"), undefined);
});

test("whatever the number of pods, ten are asked a second, each in every round, and none twice within 30 s", async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(500), async (count) => {
      const { state, asked, pass } = rig();
      state.pods = Array.from({ length: count }, (_, i) => pod(i));
      await pass(120_000);
      const bySecond = Map.groupBy(asked, ({ at }) => at);
      assert.ok([...bySecond.values()].every((all) => all.length <= 10));
      assert.equal(new Set(asked.map(({ address }) => address)).size, count);
      for (const times of Map.groupBy(asked, ({ address }) => address).values())
        for (const [i, { at }] of times.entries()) assert.ok(i === 0 || at - (times[i - 1]?.at ?? 0) >= 30_000);
    }),
    { numRuns: 20 },
  );
});
