import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, it } from "node:test";
import pino from "pino";
import { Registry } from "prom-client";
import { createMetrics } from "../telemetry/metrics.ts";
import { runManager } from "./manager.ts";

const until = async (signal: AbortSignal): Promise<void> => {
  if (!signal.aborted) await once(signal, "abort");
};

/** A manager whose first lists come, and whose look at the lease ends, when the test says so; and what happened in it. */
const managed = () => {
  const told: string[] = [];
  const stop = new AbortController();
  const looked = Promise.withResolvers<void>();
  let isSynced = false;
  const note = (what: string): void => void told.push(what);
  const ended = runManager(
    {
      caches: {
        of: () => assert.fail("asked for a store"),
        run: async (signal) => {
          note("lists begin");
          await until(signal);
        },
        hasSynced: () => isSynced,
        missing: () => [],
        hasSeen: () => true,
        learn: () => undefined,
        covers: () => false,
      },
      controllers: [
        {
          run: async (signal) => {
            note("work begins");
            stop.abort();
            await until(signal);
          },
        },
      ],
      election: {
        prepare: async () => {
          note("the lease is looked at");
          await looked.promise;
        },
        acquire: async () => {
          note("the lease is had");
          return true;
        },
        hold: async (signal) => {
          await until(signal);
          return true;
        },
        release: async () => note("the lease is given up"),
        isLeader: () => true,
      },
      events: { event: () => undefined, flush: async () => undefined },
      disconnect: async () => undefined,
      metrics: createMetrics(new Registry()),
      log: pino({ level: "silent" }),
      probePort: 0,
      metricsPort: 0,
      leaseName: "leader",
    },
    stop.signal,
  );
  const sync = (): void => {
    note("lists are there");
    isSynced = true;
  };
  return { told, stop, looked, sync, ended };
};

describe("the manager", () => {
  it("looks at the lease while the lists load, and works only once it has both", async () => {
    for (const listsFirst of [true, false]) {
      const { ended, looked, sync, told } = managed();
      while (told.length < 2) await new Promise((resolve) => setImmediate(resolve));
      const steps = [sync, () => looked.resolve()];
      for (const step of listsFirst ? steps : steps.reverse()) {
        assert.ok(!told.includes("the lease is had"));
        step();
        await new Promise((resolve) => setImmediate(resolve));
      }
      assert.equal(await ended, 0);
      assert.deepEqual(told, [
        ...["lists begin", "the lease is looked at", "lists are there"],
        ...["the lease is had", "work begins", "the lease is given up"],
      ]);
    }
  });

  it("gives up a lease that it took ahead, where it ends before it could work", async () => {
    const { ended, looked, stop, told } = managed();
    while (told.length < 2) await new Promise((resolve) => setImmediate(resolve));
    stop.abort();
    looked.resolve();
    assert.equal(await ended, 0);
    assert.deepEqual(told, ["lists begin", "the lease is looked at", "the lease is given up"]);
  });
});
