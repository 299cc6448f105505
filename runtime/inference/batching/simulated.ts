/** For tests: time that passes only when nothing else is to do, and shards that compute in it. */

import { bytesOf, elements, type Tensor } from "../../tensors/index.ts";
import type { Model } from "../index.ts";
import type { Job, JobResult, Shard } from "../shards/types.ts";
import type { Clock } from "./clock.ts";

export type SimulatedTime = {
  clock: Clock;
  /** Lets time pass until `end` or until nothing is left to happen. */
  runUntil(end: number): Promise<void>;
};

type Event = { at: number; order: number; run: () => void };

export const newSimulatedTime = (): SimulatedTime => {
  let now = 0;
  let order = 0;
  const events: Event[] = [];
  const schedule = (at: number, run: () => void): (() => void) => {
    const event = { at, order: order++, run };
    let place = events.length;
    while (place > 0 && (events[place - 1]?.at ?? 0) > at) place--;
    events.splice(place, 0, event);
    return () => {
      const found = events.indexOf(event);
      if (found >= 0) events.splice(found, 1);
    };
  };
  return {
    clock: {
      now: () => now,
      epochMs: () => 1_700_000_000_000 + now,
      soon: (run) => schedule(now, run),
      after: (ms, run) => schedule(now + ms, run),
    },
    async runUntil(end) {
      for (;;) {
        // promises settle before time passes
        await new Promise(setImmediate);
        const [event] = events;
        if (event === undefined || event.at > end) break;
        events.shift();
        now = Math.max(now, event.at);
        event.run();
      }
      now = Math.max(now, end);
    },
  };
};

/** y = f(x), both [batch, 2] of FP32. */
export const rowsModel: Model = {
  name: "rows",
  version: "1",
  inputs: [{ name: "x", datatype: "FP32", shape: [null, 2], symbols: ["batch", null] }],
  outputs: [{ name: "y", datatype: "FP32", shape: [null, 2], symbols: ["batch", null] }],
};

export type SimulatedShard = Shard & { jobs: number; busyMs: number; sizes: number[] };

/** Takes hop + a + b·n for n rows. `compute` gets the numbers and the rows' number; what it throws is the run's failure. */
export const newSimulatedShard = (
  id: number,
  clock: Clock,
  cost: { a: number; b: number; hop?: number },
  compute: (values: number[], rows: number) => number[] = (values) => values.map((value) => 2 * value),
): SimulatedShard => {
  const shard: SimulatedShard = {
    id,
    jobs: 0,
    busyMs: 0,
    sizes: [],
    run: (job: Job) => {
      const [input] = job.inputs;
      const rows = input?.shape[0] ?? 0;
      const runMs = cost.a + cost.b * rows;
      shard.jobs += 1;
      shard.busyMs += runMs + (cost.hop ?? 0);
      shard.sizes.push(rows);
      const { promise, resolve, reject } = Promise.withResolvers<JobResult>();
      clock.after(runMs + (cost.hop ?? 0), () => {
        try {
          const values = numbers({ datatype: "FP32", shape: [], bytes: Buffer.concat(input?.parts ?? []) });
          const result = compute(values, rows);
          resolve({ outputs: new Map([["y", floats([result.length / 2, 2], result)]]), runMs });
        } catch (error) {
          reject(error);
        }
      });
      return promise;
    },
  };
  return shard;
};

export const floats = (shape: readonly number[], values: readonly number[]): Tensor => ({
  datatype: "FP32",
  shape,
  bytes: bytesOf(Float32Array.from(values)),
});

export const numbers = ({ datatype, bytes }: Tensor): number[] =>
  datatype === "BYTES" ? [] : Array.from(elements(datatype, Uint8Array.from(bytes)), Number);
