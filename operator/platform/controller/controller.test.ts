import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import pino from "pino";
import { Registry } from "prom-client";
import { KubeError } from "../kube/errors.ts";
import { createMetrics } from "../telemetry/metrics.ts";
import { createController } from "./controller.ts";
import type { Reconcile } from "./result.ts";

const KEY = { namespace: "default", name: "a" };

/** Runs a controller of one worker with KEY due, until the reconcile has been called `calls` times. */
const run = async (
  calls: number,
  reconcile: Reconcile,
  { timeoutMs = 20, behind = (): readonly string[] => [] } = {},
) => {
  const metrics = createMetrics(new Registry());
  const stop = new AbortController();
  let called = 0;
  const counted: Reconcile = async (key, context) => {
    called++;
    if (called === calls) stop.abort();
    return await reconcile(key, context);
  };
  const log = pino({ level: "silent" });
  const options = { name: "c", workers: 1, reconcile: counted, timeoutMs, behind, log, metrics };
  const controller = createController(options);
  controller.add(KEY);
  await controller.run(stop.signal);
  return async (name: string): Promise<number> => {
    const { values = [] } = (await metrics.registry.getSingleMetric(`controller_runtime_${name}`)?.get()) ?? {};
    return values.map(({ value }) => value).reduce((sum, value) => sum + value, 0);
  };
};

test("a reconcile that takes too long is ended by its signal, counted, and tried again", async () => {
  const passes: string[] = [];
  const metric = await run(2, async (_, { signal, reconcileID }) => {
    passes.push(reconcileID);
    if (passes.length > 1) return {};
    await sleep(60_000, undefined, { signal });
    return {};
  });
  assert.equal(new Set(passes).size, 2);
  assert.deepEqual(
    await Promise.all(["reconcile_timeouts_total", "reconcile_errors_total", "reconcile_panics_total"].map(metric)),
    [1, 1, 0],
  );
});

test("what a reconcile throws is counted by its kind, and tried again", async () => {
  const errors = [
    new KubeError("apply Service a: changed", { kind: "conflict", reason: "Conflict", status: 409 }),
    new TypeError("a fault of ours"),
    new KubeError("apply Service a: wrong", { kind: "terminal", reason: "Invalid", status: 422 }),
  ];
  const metric = await run(3, () => Promise.reject(errors.shift()));
  assert.deepEqual(
    await Promise.all(["reconcile_errors_total", "reconcile_panics_total", "reconcile_total"].map(metric)),
    [3, 1, 3],
  );
  assert.equal(await metric("terminal_reconcile_errors_total"), 1);
});

test("a stop lets the reconcile that has begun end by itself", async () => {
  let isAborted: boolean | undefined;
  await run(
    1,
    async (_, { signal }) => {
      await sleep(5);
      isAborted = signal.aborted;
      return {};
    },
    { timeoutMs: 60_000 },
  );
  assert.equal(isAborted, false);
});

test("passes that wait for nothing begin in turns of the event loop, however many workers there are", async () => {
  const stop = new AbortController();
  let [turns, passes, most, inTurn] = [0, 0, 0, 0];
  const count = (): void => {
    turns += 1;
    inTurn = 0;
    if (!stop.signal.aborted) setImmediate(count);
  };
  const reconcile: Reconcile = () => {
    most = Math.max(most, ++inTurn);
    if (++passes === 200) stop.abort();
    return Promise.resolve({});
  };
  const metrics = createMetrics(new Registry());
  const options = { name: "c", workers: 16, reconcile, behind: () => [], log: pino({ level: "silent" }), metrics };
  const controller = createController(options);
  for (let i = 0; i < 200; i++) controller.add({ namespace: "default", name: `digits-${i}` });
  setImmediate(count);
  await controller.run(stop.signal);
  assert.ok(passes >= 200 && turns >= 100 && most <= 2, `${passes} passes in ${turns} turns, ${most} in one`);
});

test("what was written for a key is waited for before it is reconciled again", async () => {
  const unseen = [["Service", "Deployment"], ["Deployment"]];
  let left: number | undefined;
  const reconcile: Reconcile = async () => {
    left = unseen.length;
    return {};
  };
  await run(1, reconcile, { behind: () => unseen.shift() ?? [] });
  assert.equal(left, 0);
});

test("passes that are held up keep no worker from the others, and are waited for at the end", async () => {
  const metrics = createMetrics(new Registry());
  const stop = new AbortController();
  const { promise: others, resolve: free } = Promise.withResolvers<void>();
  const ended: string[] = [];
  const reconcile: Reconcile = async ({ name }) => {
    if (name === "z") free();
    else await others;
    ended.push(name);
    if (ended.length === 3) stop.abort();
    return {};
  };
  const log = pino({ level: "silent" });
  const controller = createController({
    name: "c",
    workers: 1,
    reconcile,
    heldUpMs: 1,
    behind: () => [],
    log,
    metrics,
  });
  for (const name of ["a", "b", "z"]) controller.add({ namespace: "default", name });
  await controller.run(stop.signal);
  assert.deepEqual(ended, ["z", "a", "b"]);
});
